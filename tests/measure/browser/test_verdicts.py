"""Tests of jamlab.measure.browser.verdicts, on records of chosen figures."""

import math

import pytest

from jamlab.measure.browser.verdicts import REST, paths_table, verdicts, waterfall
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
