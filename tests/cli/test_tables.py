"""The terminal's tables, compared with the records they show."""

import io
import math

import pytest
from rich.console import Console

from jamlab.cli import tables as screen
from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, judge_below, unmeasured
from tests.measure.connectivity.attempts import OPEN, row, table
from tests.measure.connectivity.attempts import record_of as campaign_of
from tests.measure.latency.records import record_of

ESTIMATE = Estimate(47.55, 45.34, 49.77, 0.95)


def shown(table):
    written = io.StringIO()
    Console(file=written, width=120).print(table)
    return written.getvalue()


def lines(table):
    return [" ".join(line.split()) for line in shown(table).splitlines()]


@pytest.mark.parametrize(
    ("estimate", "line"),
    [
        ((12.345, 12.0, 13.0), "PASS latency 12.3 ms (12.0–13.0) < 50"),
        ((12.345, 12.345, 12.345), "PASS latency 12.3 ms < 50"),
        ((60.0, 59.0, 61.0), "FAIL latency 60.0 ms (59.0–61.0) < 50"),
        ((60.0, 55.0, math.inf), "FAIL latency 60 ms (55–∞) < 50"),
        ((math.inf, math.inf, math.inf), "FAIL latency ∞ ms < 50"),
        ((60.0, -math.inf, math.inf), "INCONCLUSIVE latency 60 ms (no interval) < 50"),
    ],
)
def test_a_verdict_is_one_line(estimate, line):
    verdict = judge_below("latency", 50, Estimate(*estimate, 0.95), "ms")
    assert lines(screen.verdict_table([verdict]))[:2] == ["what measured target", line]


def test_a_long_name_is_wrapped_and_never_cut():
    """Configurations differ in the last words of their verdicts' names."""
    name = "selected direct calls among many (STUN+TURN/UDP) and so on, to the very end"
    verdict = judge_below(name, 50, Estimate(12.0, 11.0, 13.0, 0.95), "ms")
    written = io.StringIO()
    Console(file=written, width=80).print(screen.verdict_table([verdict]))
    words = written.getvalue().split()
    assert [word for word in name.split() if word not in words] == []


def test_what_is_no_pass_says_why_below_the_missed_first():
    straddling = judge_below("latency", 50, Estimate(49, 48, 51, 0.95), "ms")
    not_run = unmeasured("local [capture]", Outcome.NOT_RUN, "There is no [card].")
    passed = judge_below("level", 50, Estimate(12, 11, 13, 0.95), "ms")
    missed = judge_below("delay", 50, Estimate(60, 59, 61, 0.95), "ms")
    told = lines(screen.verdict_table([straddling, not_run, passed, missed, missed]))
    assert told[1].startswith("INCONCLUSIVE latency")
    assert told[2] == "NOT RUN local [capture] not measured"
    assert told[3].startswith("PASS level")
    below = " ".join(told[6:])
    assert below.startswith("FAIL: The delay is 60.0 ms")
    assert "less than 50 ms. (delay; delay) INCONCLUSIVE: The latency is 49" in below
    assert below.endswith("NOT RUN: There is no [card]. (local [capture])")


def test_shares_and_percentiles_fit_a_line_of_80_characters():
    share = judge_below("share of selected direct calls (STUN+TURN/UDP)", 80, ESTIMATE, "%")
    latency = "one-way latency over same country, 95th percentile of the worst path"
    written = io.StringIO()
    judged = [share, judge_below(latency, 100, ESTIMATE, "ms")]
    Console(file=written, width=80).print(screen.verdict_table(judged))
    assert len(written.getvalue().splitlines()) == 1 + len(judged)


def test_shares_of_calls_have_the_simulation_error_below():
    """Of 100 calls, 50 each way: 50 % (39.8 to 60.2 %, published tables)."""
    rows = [row(n, STUN_ONLY, OPEN, OPEN, "direct" if n % 2 else "failed") for n in range(100)]
    told = lines(screen.success_table(campaign_of(table(rows))))
    assert "STUN 50.0% 0.0% 50.0%" in told
    assert "simulation error of a share (95%): at most ±10.2" in " ".join(told)


def test_paths_are_those_that_take_longest():
    slow = record_of(lambda a, b: [11.0 if a == "player 1" else 22.0] * 90, lambda *_: [30.0] * 90)
    told = lines(screen.path_table(slow))
    assert "floor one way" in told[0]
    assert told[2].startswith("round trip")
    assert "22.0" in told[4]
    assert "11.0" in told[5]


def test_clicks_nobody_heard_are_shown_too():
    silent = record_of(lambda *_: [math.nan] * 90, lambda *_: [30.0] * 90)
    assert any("0.0%" in line for line in lines(screen.path_table(silent)))


def test_a_bar_tells_how_far_it_is():
    written = io.StringIO()
    with screen.progress_bar(Console(file=written, width=80, force_terminal=True)) as tell:
        tell(0.5, "one way")
        tell(1.0, "the page")
    assert "the page" in written.getvalue()


def test_without_a_terminal_each_activity_is_a_line_and_each_second_and_a_half(monkeypatch):
    written, now_s = io.StringIO(), 0.0
    monkeypatch.setattr(screen.time, "monotonic", lambda: now_s)
    with screen.progress_bar(Console(file=written, width=20)) as tell:
        for now_s, done, doing in (  # noqa: B007 (read by the clock)
            (5.0, 0, "session 1"),
            (6.4, 0.2, "session 1"),
            (6.6, 0.4, "session 1"),
            (7.0, 0.5, "the [second] session, later"),
            (8.4, 0.6, "the [second] session, later"),
        ):
            tell(done, doing)
    assert written.getvalue().splitlines() == [
        "  0% session 1",
        " 40% session 1",
        " 50% the [second] session, later",
    ]


ONE_WAY = "one-way latency, 95th percentile of the worst path"


def test_the_overall_verdict_is_a_sentence_as_on_the_page():
    passed = judge_below("latency", 50, ESTIMATE, "ms")
    missed = judge_below("latency", 40, ESTIMATE, "ms")
    told = lines(screen.sentence({"Latency": [passed], "Calls [TURN]": [missed], "Tests": []}))
    assert told == ["FAIL: 1 of 2 targets is missed (calls [TURN]); not run: tests."]


def test_one_way_latencies_are_told_with_what_they_mean_to_musicians():
    judged = [
        judge_below(ONE_WAY, 50, ESTIMATE, "ms"),
        judge_below("round-trip latency", 100, ESTIMATE, "ms"),
    ]
    title, line = lines(screen.musicians_table(judged))
    assert title == "To musicians; sound cards not counted"
    assert line.startswith("one-way latency, p95 above the ensemble threshold")


def test_a_sound_card_s_figure_is_told_first():
    heard = Estimate(60.0, 59.0, 61.0, 0.95)
    shown_lines = lines(screen.musicians_table([judge_below(ONE_WAY, 50, ESTIMATE, "ms")], heard))
    assert shown_lines[1].startswith("mouth to ear, 60.0 ms (59.0–61.0) far above")


def test_without_a_one_way_latency_nothing_is_said_of_musicians():
    assert screen.musicians_table([judge_below("share", 80, ESTIMATE, "%")]) is None


def test_json_has_what_a_latency_means_to_musicians():
    assert screen.as_json(judge_below("share", 80, ESTIMATE, "%"))["to_musicians"] == ""
    meaning = screen.as_json(judge_below(ONE_WAY, 50, ESTIMATE, "ms"))["to_musicians"]
    assert meaning.startswith("above the ensemble threshold")
