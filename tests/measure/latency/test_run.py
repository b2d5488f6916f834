"""Properties of a real run on any machine: no figure here depends on its speed."""

import numpy as np
import pytest

from jamlab.audio.metronome import CLICK_FRAMES
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP, measure_latency
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.latency.verdicts import floor_ms, paths_table, verdicts, waterfall
from jamlab.process.precise_loop import run_precisely

CLICK_ERROR_MS = 0.021
"""A frame: what a click is read to in noise."""


@pytest.fixture
def record(real_run):
    return real_run[0]


@pytest.mark.slow
def test_every_ordered_pair_is_measured_both_ways(record):
    paths = paths_table(record)
    assert sorted(zip(paths.measurement, paths.sender, paths.receiver, strict=True)) == [
        (measurement, a, b)
        for measurement in (ONE_WAY, ROUND_TRIP)
        for a, b in (("player 1", "player 2"), ("player 2", "player 1"))
    ]


@pytest.mark.slow
def test_every_emitted_click_has_a_row(record, short_plan):
    per_second = short_plan.bpm / 60
    counts = record.clicks.groupby(["session", "measurement", "sender", "receiver"])["click"]
    for numbers in counts.apply(list):
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) == pytest.approx(1.5 * per_second, abs=1)


@pytest.mark.slow
def test_clicks_are_heard_or_the_run_says_what_the_machine_did(record):
    heard = record.clicks["latency_ms"].notna().mean()
    assert heard > 0.8 or any("does not count" in each.reason for each in verdicts(record))


@pytest.mark.slow
def test_no_latency_beats_physics(record):
    for measurement in (ONE_WAY, ROUND_TRIP):
        heard = record.clicks[record.clicks.measurement == measurement]["latency_ms"].dropna()
        assert heard.min() > floor_ms(record, measurement) - CLICK_ERROR_MS


@pytest.mark.slow
def test_two_ways_of_measuring_agree(record):
    """The correlation's figure and the sum of clocks and counters: one owes the other nothing.

    A click whose frames were spliced or concealed may differ; most are not.
    """
    known = record.clicks.dropna(subset=["latency_ms", "network_ms"])
    explained = known[[f"{stage}_ms" for stage in STAGES]].sum(axis=1)
    assert len(known) > 10
    assert np.median(np.abs(known["latency_ms"] - explained)) < 0.02


@pytest.mark.slow
def test_no_stage_takes_less_than_no_time(record):
    """Playout may: a card that was called late took a packet that came after the call was due."""
    stages = record.clicks[[f"{stage}_ms" for stage in STAGES]].dropna()
    assert (stages.drop(columns="playout_ms") >= -1e-6).all(axis=None)
    assert stages["playout_ms"].median() >= 0
    assert stages["frame_ms"].unique() == pytest.approx([2.5])
    assert stages["lookahead_ms"].unique() == pytest.approx([2.5])


@pytest.mark.slow
def test_the_waterfall_ends_at_the_mean_of_its_clicks(record):
    table = waterfall(record).set_index("stage")["mean_ms"]
    known = record.clicks.dropna(subset=["latency_ms", "network_ms"])
    assert table["measured"] == pytest.approx(known["latency_ms"].mean())
    assert table.drop("measured").sum() == pytest.approx(table["measured"])


@pytest.mark.slow
def test_a_round_trip_is_longer_than_either_way(record):
    medians = record.clicks.groupby("measurement")["latency_ms"].median()
    assert medians[ROUND_TRIP] > medians[ONE_WAY]


@pytest.mark.slow
def test_streams_are_counted_over_the_same_time(record):
    streams = record.streams[record.streams.measurement == ONE_WAY]
    assert streams.groupby("session").size().tolist() == [2, 2]
    assert (streams["received"] > 0).all()
    assert (streams["card_blocks"] * 64 >= 1.5 * 48_000).all()


@pytest.mark.slow
def test_dropouts_are_of_the_seconds_in_which_somebody_echoed(record):
    streams = record.streams[record.streams.measurement == ROUND_TRIP]
    assert streams.groupby(["session", "echoing"]).size().tolist() == [2] * 4
    assert (streams["card_blocks"] * 64 < 4 * 48_000).all()  # of the 5 s that both took, and more


@pytest.mark.slow
def test_sessions_have_connections_of_their_own(record):
    """Their cards are in phases of their own, so no two have the same latency to the last digit."""
    sessions = record.clicks.groupby("session")
    assert sorted(sessions.groups) == [0, 1]
    medians = record.clicks.groupby(["session", "measurement", "sender"])["latency_ms"].median()
    assert medians.dropna().is_unique
    assert sessions["emitted_s"].min().tolist() == pytest.approx([0, 0], abs=0.2)


@pytest.mark.slow
def test_the_waveforms_show_a_click_and_its_echo(record):
    for _, shown in record.waveforms.groupby("measurement"):
        emitted = shown[shown["emitted"] != 0]
        assert emitted["time_ms"].min() == pytest.approx(0.0, abs=0.1)
        assert np.ptp(emitted["time_ms"]) == pytest.approx(CLICK_FRAMES / 48, abs=0.2)
        assert shown["correlation"].abs().max() <= 1.0 + 1e-3


@pytest.mark.slow
def test_provenance_has_the_lag(record, short_plan):
    assert record.provenance["parameters"] == short_plan.to_dict()
    assert record.provenance["loop_lag"]["readings"] > 100


@pytest.mark.slow
def test_three_participants_and_the_other_quality():
    plan = LatencyPlan(
        peers=3, quality="high-quality", duration_s=3, round_trip_s=3, settle_s=1, sessions=1
    )
    told = []
    record = run_precisely(measure_latency(plan, lambda *said: told.append(said)))
    assert len(paths_table(record)) == 2 * 6
    assert record.clicks["frame_ms"].dropna().unique() == pytest.approx([10.0])
    assert record.clicks["lookahead_ms"].dropna().unique() == pytest.approx([6.5])
    assert told[0] == (0.0, "connecting")
    assert told[-1][0] == 1.0
    assert [share for share, _ in told] == sorted(share for share, _ in told)
