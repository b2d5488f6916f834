import json
import math

import pytest

from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, judge_at_least, judge_below, unmeasured
from jamlab.report.page.opening import (
    PART_TYPE,
    VerdictText,
    badge,
    decisive,
    head,
    sentence,
    tally,
)
from tests.report.page.pages import Page

PASS, FAIL = Outcome.PASS, Outcome.FAIL
OPEN, NOT_RUN = Outcome.INCONCLUSIVE, Outcome.NOT_RUN
ONE_WAY = judge_below("one-way latency", 50, Estimate(49.0, 48.5, 49.5, 0.95), "ms")


def told(*outcomes):
    return [VerdictText.of(unmeasured("x", outcome, "")) for outcome in outcomes]


@pytest.mark.parametrize(
    ("parts", "outcome", "words"),
    [
        ({"A": [PASS, PASS]}, PASS, "All 2 targets are met."),
        ({"A": [PASS]}, PASS, "The target is met."),
        ({"A": [FAIL]}, FAIL, "The target is missed."),
        ({"A": [NOT_RUN]}, NOT_RUN, "Nothing was run."),
        ({"A": [PASS, NOT_RUN]}, PASS, "The target is met; not run: 1 of 2."),
        ({"A": [PASS], "B": [FAIL, PASS]}, FAIL, "1 of 3 targets is missed (b)."),
        (
            {"A": [OPEN], "B": [FAIL, FAIL], "C": [PASS, PASS, NOT_RUN], "D": [NOT_RUN]},
            FAIL,
            "2 of 5 targets are missed (b), and 1 not settled; not run: c (1 of 3), d.",
        ),
        (
            {"A": [OPEN, PASS], "B": [OPEN]},
            OPEN,
            "2 of 3 targets are not settled by this run (a, b).",
        ),
        ({"A": [PASS], "B": [NOT_RUN]}, PASS, "The target is met; not run: b."),
    ],
)
def test_one_sentence_says_how_the_overall_verdict_comes_about(parts, outcome, words):
    assert sentence({name: told(*each) for name, each in parts.items()}) == (outcome, words)


def test_what_decides_is_the_gravest_and_of_its_like_the_one_with_least_to_spare():
    judged = [
        judge_below(f"latency {value}", 100, Estimate(value, value, value, 0.95), "ms")
        for value in (10.0, 67.8, 24.0)
    ]
    assert decisive([VerdictText.of(each) for each in judged]).name == "Latency 67.8"
    missed = [
        judge_at_least(f"share {value}", 80, Estimate(value, value, value, 0.95), "%")
        for value in (60.0, 47.0, 100.0)
    ]
    assert decisive([VerdictText.of(each) for each in [*judged, *missed]]).name == "Share 47.0"


def test_what_could_not_be_measured_decides_before_what_is_close():
    straddling = judge_below("close", 50, Estimate(50.0, 49.0, 51.0, 0.95), "ms")
    silent = judge_below("silent", 50, Estimate(math.nan, -math.inf, math.inf, 0.95), "ms")
    assert decisive([VerdictText.of(straddling), VerdictText.of(silent)]).name == "Silent"


def test_targets_met_are_counted_of_those_that_were_run():
    assert tally(told(PASS, FAIL, NOT_RUN)) == "1 of 2"
    assert tally(told(NOT_RUN)) == ""


def test_a_pass_at_49_ms_says_that_it_is_above_the_ensemble_threshold():
    words = VerdictText.of(ONE_WAY).musicians
    assert "49.0 ms (48.5–49.5) one way, sound cards not counted" in words
    assert "above the ensemble threshold" in words


def test_a_sound_card_s_figure_is_what_counts():
    words = VerdictText.of(ONE_WAY, Estimate(60.0, 59.0, 61.0, 0.95)).musicians
    assert "60.0 ms (59.0–61.0) from mouth to ear" in words
    assert "far above" in words


def test_a_head_carries_its_verdicts_as_data_and_as_words():
    shown = head("A <title>", "2 participants", [ONE_WAY])
    bundle = json.loads(json.dumps(shown._repr_mimebundle_(), allow_nan=False))
    read = [VerdictText.read(each) for each in bundle[PART_TYPE]["verdicts"]]
    assert read == [VerdictText.of(ONE_WAY)]
    assert Page(bundle["text/html"]).text == "A <title> 2 participants ✓ PASS The target is met."


def test_a_verdict_has_a_colour_and_a_word():
    looks = {badge(outcome).split(">")[0] for outcome in Outcome}
    assert len(looks) == len(Outcome)
    for outcome in Outcome:
        assert Page(badge(outcome)).text.endswith(outcome)
