"""Tests of jamlab.report.latency.tables."""

from dataclasses import replace

import numpy as np
import pytest

from jamlab.cli import tables as screen
from jamlab.measure.digits import measured
from jamlab.measure.latency import verdicts as latency_verdicts
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import paths_table, verdicts
from jamlab.measure.statistics import median
from jamlab.measure.verdict import Outcome
from jamlab.report.across_networks import tables as across
from jamlab.report.latency import breakdown, musicians, paths
from jamlab.report.latency import sessions as between
from jamlab.report.latency import tables as latency_tables
from jamlab.report.page import tables
from tests.measure.latency.records import LAG, record_of
from tests.measure.sound_card.records import card_record
from tests.report.latency.records import drawn_record
from tests.report.page.pages import Page
from tests.report.page.test_tables import words


def record_at(one_way_ms, round_trip_ms, **options):
    return record_of(lambda *_: [one_way_ms] * 90, lambda *_: [round_trip_ms] * 90, **options)


RECORDS = {
    Outcome.PASS: record_at(12.0, 30.0),
    Outcome.FAIL: record_at(12.0, 300.0),
    Outcome.INCONCLUSIVE: record_at(12.0, 30.0, lag=LAG | {"p99_ms": 50.0}),
}


@pytest.mark.parametrize("outcome", RECORDS)
def test_the_masthead_words_the_overall_verdict(outcome):
    text = words(latency_tables.masthead(RECORDS[outcome], "A <title>"))
    others = set(RECORDS) - {outcome}
    assert text.startswith("A <title>")
    assert outcome in text
    assert not any(other in text for other in others)
    assert "2 participants, low latency quality" in text


def test_a_verdict_is_worded_and_coloured():
    shown = {outcome: latency_tables.verdict_table(record) for outcome, record in RECORDS.items()}
    looks = set()
    for outcome, table in shown.items():
        page = Page(table._repr_html_())
        assert outcome in page.text
        looks |= {value for tag, name, value in page.attributes if (tag, name) == ("span", "style")}
    assert len(looks) == 3


def test_the_verdict_table_says_target_value_interval_and_reason():
    record = drawn_record()
    text = words(latency_tables.verdict_table(record))
    for verdict in verdicts(record):
        assert f"{verdict.target} {verdict.unit}" in text
        assert verdict.measured in text
        assert verdict.reason in text


@pytest.mark.slow
@pytest.mark.parametrize("peers", [2, 3, 6])
def test_the_path_table_has_a_row_per_path_the_slowest_first(peers):
    record = drawn_record(peers, missed=0.05)
    record.clicks.loc[record.clicks["sender"] == "player 2", "latency_ms"] += 20
    shown = latency_tables.path_table(record).data
    assert len(shown) == 2 * peers * (peers - 1)
    first_one_way = shown[shown["Measurement"] == ONE_WAY].iloc[0]
    slowest = paths_table(record).query("measurement == @ONE_WAY").nlargest(1, "p95_ms").iloc[0]
    assert first_one_way["Path"] == f"{slowest['sender']} → {slowest['receiver']}"
    assert first_one_way["95th percentile"] == measured(
        slowest["p95_ms"], slowest["p95_ms_low"], slowest["p95_ms_high"], "ms"
    )
    assert shown["Measurement"].is_monotonic_increasing


def test_the_path_table_says_how_far_sessions_are_apart():
    levels = [10.0, 10.5, 11.0, 12.0, 13.5]
    record = record_of(lambda *_: np.repeat(levels, 20), lambda *_: [24.0] * 100)
    shown = latency_tables.path_table(record).data
    own = shown.loc[shown["Measurement"] == ONE_WAY, "Range over sessions"]
    assert set(own) == {"5: median 10.0–13.5, 95th 10.0–13.5 ms"}
    alone = record_of(lambda *_: [10.0] * 100, lambda *_: [24.0] * 100, sessions=1)
    assert set(latency_tables.path_table(alone).data["Range over sessions"]) == {"one"}


def test_heard_clicks_are_counted_not_rounded():
    record = drawn_record(missed=0.3)
    shown = latency_tables.path_table(record).data
    clicks = record.clicks.query("measurement == @ONE_WAY and sender == 'player 1'")
    heard = int(clicks["latency_ms"].notna().sum())
    row = shown[(shown["Measurement"] == ONE_WAY) & (shown["Path"] == "player 1 → player 2")]
    assert row["Heard"].item() == f"{heard} of {len(clicks)}"


def test_nothing_heard_is_infinitely_late():
    """What was never heard is infinitely late; a jitter it has none."""
    record = drawn_record(missed=1.0)
    assert "FAIL" in words(latency_tables.verdict_table(record))
    shown = words(latency_tables.path_table(record)).lower()
    assert "nan" not in shown
    assert "inf" not in shown
    assert set(latency_tables.path_table(record).data["Median"]) == {"∞ ms"}
    assert set(latency_tables.path_table(record).data["Jitter"]) == {"not measured"}


def test_mouth_to_ear_is_a_row_per_term():
    card = card_record({64: 480.0}, spread=0.3)
    shown = words(latency_tables.mouth_to_ear_table(record_at(11.0, 22.0), card))
    for term in latency_tables.MOUTH_TO_EAR_WORDS.values():
        assert term in shown
    assert "an output 10.00 ms (" in shown
    assert "Card blocks that are in both figures −2.67 ms" in shown
    assert "not measured" not in shown


def test_mouth_to_ear_says_which_card_it_is_and_how_surely_it_was_heard():
    card = card_record({64: 480.0})
    card.provenance["devices"]["output"]["name"] = "<b>loud</b>"
    date = tables.date_of(card.provenance["created"])
    said = f"<b>loud</b> → microphone, measured {date}"
    run = record_at(11.0, 22.0)
    assert f"{said}, confidence 0.90 Part" in words(latency_tables.mouth_to_ear_table(run, card))
    run.provenance["parameters"]["block_frames"] = 256
    assert f"{said} Part" in words(latency_tables.mouth_to_ear_table(run, card))
    assert "confidence" not in words(latency_tables.mouth_to_ear_table(run))


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "Mouth to ear not measured"),
        (card_record({256: 480.0}), "not measured at blocks of 64 frames (measured: 256)"),
    ],
)
def test_mouth_to_ear_without_a_card_says_so(card, reason):
    shown = words(latency_tables.mouth_to_ear_table(record_at(11.0, 22.0), card))
    assert reason in shown
    assert latency_tables.MOUTH_TO_EAR_WORDS["bridge"] not in shown


def test_provenance_says_versions_machine_parameters_and_lag():
    record = drawn_record()
    text = words(latency_tables.provenance_table(record))
    for fact in (
        "created",
        "aiortc",
        "libopus",
        "block 64 frames",
        "duration 12 s",
        "sessions 5",
        "cores",
        "UTC",
    ):
        assert fact in text
    assert f"99th percentile {LAG['p99_ms']:.2f} ms" in text


def test_what_a_record_says_is_never_markup():
    record = drawn_record()
    record.provenance["machine"]["system"] = "<script>alert(1)</script>"
    record.clicks["sender"] = record.clicks["sender"].replace("player 1", "<b>Bach</b>")
    record.streams["sender"] = record.streams["sender"].replace("player 1", "<b>Bach</b>")
    for shown in (latency_tables.provenance_table(record), latency_tables.path_table(record)):
        page = Page(shown._repr_html_())
        assert not {"script", "b"} & set(page.tags)
    assert "<b>Bach</b>" in words(latency_tables.path_table(record))


@pytest.mark.parametrize(
    "make",
    [latency_tables.verdict_table, latency_tables.path_table, latency_tables.provenance_table],
)
def test_the_same_record_gives_the_same_bytes(make):
    record = drawn_record()
    assert make(record)._repr_html_() == make(replace(record))._repr_html_()


@pytest.mark.slow
def test_a_whole_report_estimates_every_path_once(monkeypatch):
    """Each path's median is bootstrapped by the table of paths alone, which many others need."""
    record, card, estimated = drawn_record(peers=3), card_record({64: 300.0}), []

    def counted(values, *given, **named):
        estimated.append(len(values))
        return median(values, *given, **named)

    monkeypatch.setattr(latency_verdicts, "median", counted)
    latency_tables.masthead(record, "A title", card)
    latency_tables.verdict_table(record, card)
    latency_tables.path_table(record)
    latency_tables.mouth_to_ear_table(record, card)
    latency_tables.provenance_table(record)
    musicians.figures_table(record, card)
    between.between_sessions(record)
    for measurement in (ONE_WAY, ROUND_TRIP):
        paths.over_time(record, measurement)
    paths.distribution(record)
    paths.pair_medians(record)
    breakdown.waterfall(record, card)
    screen.path_table(record)
    across.profile_table({"LAN": record})
    across.stages({"LAN": record})
    assert len(estimated) == len(paths_table(record)) == 2 * 3 * 2
