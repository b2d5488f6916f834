"""Tests of jamlab.measure.browser.verdicts, on records of chosen figures."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from jamlab.measure.browser.verdicts import REST, paths_table, verdicts, waterfall
from jamlab.measure.latency.worst_path import worst_median
from jamlab.measure.verdict import Outcome
from tests.measure.browser.records import STREAM, browser_record, steady


@pytest.mark.parametrize(
    ("ms", "outcome"),
    [(30.0, Outcome.PASS), (49.5, Outcome.INCONCLUSIVE), (80.0, Outcome.FAIL)],
)
def test_the_latency_is_judged_against_the_target(ms, outcome):
    verdict = verdicts(browser_record(steady(ms)))[0]
    assert verdict.verdict is outcome
    assert verdict.target == "< 50"
    assert verdict.value == pytest.approx(ms, abs=0.4)


def test_the_error_of_the_clocks_widens_the_interval():
    narrow, wide = (
        verdicts(browser_record(steady(45.0), error_ms=error_ms))[0] for error_ms in (0.0, 6.0)
    )
    assert narrow.verdict is Outcome.PASS
    assert wide.verdict is Outcome.INCONCLUSIVE
    assert wide.interval[1] - narrow.interval[1] == pytest.approx(6.0)
    assert narrow.interval[0] - wide.interval[0] == pytest.approx(6.0)


def test_a_click_that_was_never_heard_is_infinitely_late():
    lossy = browser_record(
        lambda _a, b, _s, click: None if b == "player 1" and click % 10 == 0 else 20.0
    )
    verdict = verdicts(lossy)[0]
    assert verdict.verdict is Outcome.FAIL
    assert verdict.value == math.inf
    assert "from player 2 to player 1 were never heard" in verdict.reason


def test_a_page_whose_audio_stood_still_does_not_count():
    for verdict in verdicts(browser_record(steady(20.0), pauses_ms=25.0)):
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert "stood still for 25 ms" in verdict.reason


@pytest.mark.parametrize(
    ("pauses_ms", "outcome"), [(2.0, Outcome.FAIL), (25.0, Outcome.INCONCLUSIVE)]
)
def test_a_path_of_which_nothing_was_heard_is_the_first_reason(pauses_ms, outcome):
    record = browser_record(lambda a, *_: None if a == "player 1" else 20.0, pauses_ms=pauses_ms)
    latency, concealed = verdicts(record)
    assert latency.verdict is outcome
    assert latency.reason.startswith("Nothing of player 1 was heard by player 2: ")
    assert concealed.verdict is Outcome.INCONCLUSIVE
    assert "because nothing of player 1 was heard by player 2" in concealed.reason


@pytest.mark.parametrize(("concealed", "outcome"), [(0, Outcome.PASS), (48_000, Outcome.FAIL)])
def test_concealed_sound_is_judged(concealed, outcome):
    record = browser_record(steady(20.0), stream={**STREAM, "concealed_frames": concealed})
    verdict = verdicts(record)[1]
    assert verdict.verdict is outcome
    assert verdict.value == pytest.approx(100 * concealed / 480_000)


def test_a_browser_that_states_nothing_leaves_concealed_sound_open():
    record = browser_record(steady(20.0), stream=None)
    assert verdicts(record)[1].verdict is Outcome.INCONCLUSIVE
    assert paths_table(record)["concealed_share"].isna().all()


def test_a_browser_that_received_nothing_stated_nothing():
    record = browser_record(steady(20.0), stream={**STREAM, "received_frames": 0})
    assert verdicts(record)[1].verdict is Outcome.INCONCLUSIVE
    assert paths_table(record)["concealed_share"].isna().all()


def with_statistics(record, statistics):
    return replace(record, statistics=statistics)


def test_the_worst_of_several_streams_is_judged():
    """Whichever of them comes first, and also among streams of a server, which have no sender."""
    record = browser_record(steady(20.0))
    known = record.statistics
    bad = known.assign(stream="1 in", concealed_frames=24_000)
    for tables in [known, bad], [bad, known]:
        verdict = verdicts(with_statistics(record, pd.concat(tables)))[1]
        assert (verdict.verdict, verdict.value) == (Outcome.FAIL, pytest.approx(5.0))
        served = pd.concat(tables).assign(sender="")
        assert verdicts(with_statistics(record, served))[1].verdict is Outcome.FAIL


def test_a_stream_in_reserve_is_not_judged():
    """It gets no packets while another one of its path does, so its silence is no fault."""
    record = browser_record(steady(20.0))
    idle = record.statistics.assign(
        stream="1 in", packets_received=0, concealed_frames=record.statistics["received_frames"]
    )
    both = with_statistics(record, pd.concat([record.statistics, idle]))
    assert verdicts(both)[1].verdict is Outcome.PASS
    assert (paths_table(both)["concealed_share"] == 0).all()
    assert verdicts(with_statistics(record, idle))[1].value == 100


@pytest.mark.parametrize("received", [None, 0])
def test_a_path_without_statistics_leaves_concealed_sound_open(received):
    record = browser_record(steady(20.0))
    table = record.statistics
    to_2 = table["receiver"] == "player 2"
    partly = table[~to_2] if received is None else table.assign(received_frames=~to_2 * 480_000)
    verdict = verdicts(with_statistics(record, partly))[1]
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "states no received sound from player 1 to player 2, so" in verdict.reason
    heard_too_little = partly.assign(concealed_frames=partly["received_frames"] // 10)
    assert verdicts(with_statistics(record, heard_too_little))[1].verdict is Outcome.FAIL


def test_no_interval_begins_before_the_sound_is_made():
    """Two sessions far apart: the model between sessions knows of no bound."""
    record = browser_record(lambda _a, _b, session, _click: 20.0 + 60.0 * session, sessions=2)
    latency = verdicts(record)[0]
    assert worst_median(record.clicks).low == 0
    assert latency.verdict is Outcome.INCONCLUSIVE
    assert latency.reason.endswith("Use --sessions 3 or more.")
    paths = paths_table(record)
    assert (paths["median_ms_low"] == -math.inf).all()  # it says nothing, so there is none
    assert (paths["median_ms_high"] == math.inf).all()


def test_three_sessions_ask_for_no_more():
    for verdict in verdicts(browser_record(steady(49.5))):
        assert "--sessions" not in verdict.reason


def test_one_session_asks_for_more():
    reason = verdicts(browser_record(steady(20.0), sessions=1))[0].reason
    assert "holds for that session alone. Use --sessions 3 or more." in reason


def test_a_stage_is_that_of_the_seconds_in_which_clicks_were_heard():
    def heard_in_two_of_three_seconds(_a, _b, _session, click):
        return 30.0 if click in range(9) or click in range(10, 19) else None

    record = browser_record(heard_in_two_of_three_seconds, clicks=30)
    record.statistics["at_s"] += 1.0  # the ends of the seconds
    buffer_ms = record.statistics["at_s"].map({1.0: 90.0, 2.0: 50.0, 3.0: 1000.0})
    record.statistics["jitter_buffer_ms"] = buffer_ms
    stages = waterfall(record).set_index("stage")["mean_ms"]
    assert stages["jitter buffer"] == pytest.approx(70.0)


@pytest.mark.parametrize("sender", ["", None])
def test_a_server_s_streams_are_those_of_their_receiver(sender):
    record = browser_record(steady(75.0))
    if sender is not None:
        record.statistics["sender"] = sender
    assert waterfall(record).set_index("stage")["mean_ms"]["jitter buffer"] == pytest.approx(40.0)


def test_the_stages_add_up_to_what_was_measured():
    stages = waterfall(browser_record(steady(75.0))).set_index("stage")["mean_ms"]
    assert stages["network"] == pytest.approx(2.0)
    assert stages["jitter buffer"] == pytest.approx(40.0)
    assert "playout" not in stages  # is not part of the path inside the page
    assert stages.drop("measured").sum() == pytest.approx(stages["measured"])
    assert stages[REST] == pytest.approx(stages["measured"] - 62.0)


def test_the_paths_have_their_shares():
    record = browser_record(lambda _a, b, *_: 30.0 if b == "player 1" else None)
    paths = paths_table(record).set_index("receiver")
    assert paths.loc["player 1", "heard_share"] == 1.0
    assert paths.loc["player 2", "heard_share"] == 0.0
    assert paths.loc["player 2", "median_ms"] == math.inf
