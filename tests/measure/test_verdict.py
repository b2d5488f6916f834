"""Verdicts for every order of interval and limit, and their JSON."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.statistics import Estimate, median
from jamlab.measure.verdict import (
    GRAVITY,
    Outcome,
    Verdict,
    exit_status,
    judge_at_least,
    judge_below,
    overall,
    unmeasured,
)

PASS, FAIL, INCONCLUSIVE, NOT_RUN = Outcome
FINITE = st.floats(-1e6, 1e6)


def latency(low, value, high):
    return judge_below("median latency", 50, Estimate(value, low, high, 0.95), "ms")


def verdict(outcome):
    return Verdict("x", "< 1", 0.0, (0.0, 0.0), "ms", outcome, "Because.")


class TestJudgeBelow:
    @pytest.mark.parametrize(
        ("low", "value", "high", "outcome"),
        [
            (20, 21, 22, PASS),
            (20, 21, 49.999, PASS),
            (20, 21, 50, INCONCLUSIVE),
            (49, 50, 51, INCONCLUSIVE),
            (49.999, 60, 70, INCONCLUSIVE),
            (50, 60, 70, FAIL),
            (50, 50, 50, FAIL),
            (-math.inf, 21, math.inf, INCONCLUSIVE),
            (-math.inf, 21, 22, INCONCLUSIVE),
            (21, 22, math.inf, INCONCLUSIVE),
            (21, math.inf, math.inf, INCONCLUSIVE),
            (51, 52, math.inf, FAIL),
            (51, math.inf, math.inf, FAIL),
            (math.inf, math.inf, math.inf, FAIL),
            (-math.inf, math.nan, math.inf, INCONCLUSIVE),
            (math.nan, 21, math.nan, INCONCLUSIVE),
        ],
    )
    def test_outcome(self, low, value, high, outcome):
        assert latency(low, value, high).verdict is outcome

    @given(ends=st.tuples(FINITE, FINITE, FINITE).map(sorted), limit=FINITE)
    def test_passes_or_fails_only_when_every_value_of_the_interval_does(self, ends, limit):
        low, value, high = ends
        outcome = judge_below("x", limit, Estimate(value, low, high, 0.95), "ms").verdict
        below = [end < limit for end in ends]
        assert (outcome is PASS) == all(below)
        assert (outcome is FAIL) == (not any(below))

    def test_carries_what_was_measured(self):
        result = latency(20, 21, 22)
        assert (result.name, result.target, result.unit) == ("median latency", "< 50", "ms")
        assert (result.value, result.interval) == (21, (20, 22))

    def test_too_few_values_are_inconclusive_all_the_way(self):
        estimate = median([21.0, 22.0], np.random.default_rng(0))
        result = judge_below("median latency", 50, estimate, "ms")
        assert result.verdict is INCONCLUSIVE
        assert "too few values" in result.reason

    @pytest.mark.parametrize("limit", [math.nan, math.inf])
    def test_refuses_a_limit_that_is_none(self, limit):
        with pytest.raises(
            ValueError, match=r"limit of 'jitter' is \w+: give a finite number of ms"
        ):
            judge_below("jitter", limit, Estimate(1, 1, 1, 0.95), "ms")


class TestInvalidRun:
    @pytest.mark.parametrize("value", [21, 70])
    def test_is_inconclusive_whatever_was_measured(self, value):
        estimate = Estimate(value, value, value, 0.95)
        result = judge_below(
            "median latency", 50, estimate, "ms", invalid=["the loop lagged 31 ms", "it rained"]
        )
        assert result.verdict is INCONCLUSIVE
        assert result.reason == (
            "The run does not count, because the loop lagged 31 ms and it rained."
        )
        assert result.value == value


class TestReason:
    @pytest.mark.parametrize(
        ("measured", "sentence"),
        [
            (
                (20, 21.04, 22),
                "The median latency is 21.0 ms (95% interval 20.0 to 22.0), wholly within the "
                "target of less than 50 ms.",
            ),
            (
                (60, 61, 62),
                "The median latency is 61.0 ms (95% interval 60.0 to 62.0), wholly outside the "
                "target of less than 50 ms.",
            ),
            (
                (48, 49, 51),
                "The median latency is 49 ms, but its 95% interval 48 to 51 straddles the target "
                "of less than 50 ms.",
            ),
            (
                (-math.inf, 49, math.inf),
                "The median latency is 49 ms, but there are too few values for an interval: "
                "measure for longer.",
            ),
            ((-math.inf, math.nan, math.inf), "There is no value of median latency to judge."),
            (
                (21, math.inf, math.inf),
                "The median latency is infinite, but its 95% interval 21 to infinite straddles the "
                "target of less than 50 ms.",
            ),
            (
                (60, math.inf, math.inf),
                "The median latency is infinite (95% interval 60 to infinite), wholly outside the "
                "target of less than 50 ms.",
            ),
            (
                (math.inf, math.inf, math.inf),
                "The median latency is infinite, outside the target of less than 50 ms.",
            ),
            (
                (21, 21, 21),
                "The median latency is 21 ms, within the target of less than 50 ms.",
            ),
            (
                (50, 50, 50),
                "The median latency is 50 ms, outside the target of less than 50 ms.",
            ),
        ],
    )
    def test_is_a_sentence(self, measured, sentence):
        assert latency(*measured).reason == sentence


class TestToDict:
    def test_has_the_agreed_keys(self):
        assert latency(20, 21, 22).to_dict() == {
            "name": "median latency",
            "target": "< 50",
            "value": 21.0,
            "interval": [20.0, 22.0],
            "unit": "ms",
            "verdict": "PASS",
            "reason": latency(20, 21, 22).reason,
        }

    def test_survives_strict_json(self):
        unknown = latency(-math.inf, math.nan, math.inf).to_dict()
        decoded = json.loads(json.dumps(unknown, allow_nan=False))
        assert decoded["value"] is None
        assert decoded["interval"] == [None, None]
        assert decoded["verdict"] == "INCONCLUSIVE"

    def test_takes_numpy_numbers(self):
        numbers = (np.float32(20), np.float64(21), np.float32(22))
        assert json.loads(json.dumps(latency(*numbers).to_dict()))["interval"] == [20, 22]

    @pytest.mark.parametrize(
        ("limit", "target"), [(50, "< 50"), (0.5, "< 0.5"), (12.25, "< 12.25")]
    )
    def test_target_reads_well(self, limit, target):
        assert judge_below("x", limit, Estimate(1, 1, 1, 0.95), "ms").target == target


class TestOverall:
    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            ([], INCONCLUSIVE),
            ([PASS], PASS),
            ([PASS, PASS], PASS),
            ([PASS, INCONCLUSIVE], INCONCLUSIVE),
            ([INCONCLUSIVE, FAIL, PASS], FAIL),
            ([FAIL], FAIL),
            ([NOT_RUN], NOT_RUN),
            ([NOT_RUN, PASS], PASS),
            ([NOT_RUN, INCONCLUSIVE, PASS], INCONCLUSIVE),
            ([NOT_RUN, FAIL], FAIL),
        ],
    )
    def test_the_worst_news_wins(self, outcomes, expected):
        assert overall(map(verdict, outcomes)) is expected

    @pytest.mark.parametrize(
        ("outcome", "status"), [(PASS, 0), (FAIL, 1), (INCONCLUSIVE, 2), (NOT_RUN, 2)]
    )
    def test_exit_status(self, outcome, status):
        assert exit_status(outcome) == status

    def test_gravity_agrees_with_the_overall_verdict(self):
        for one, other in itertools.combinations(set(Outcome) - {NOT_RUN}, 2):
            assert overall([verdict(one), verdict(other)]) is max(one, other, key=GRAVITY.get)
        assert GRAVITY[PASS] < GRAVITY[NOT_RUN] < GRAVITY[INCONCLUSIVE]


class TestUnmeasured:
    def test_it_has_a_reason_and_no_figure(self):
        told = unmeasured("local capture", NOT_RUN, "There is no card.").to_dict()
        assert told["verdict"] == "NOT RUN"
        assert told["reason"] == "There is no card."
        assert told["value"] is None
        assert told["interval"] == [None, None]
        json.dumps(told, allow_nan=False)


def share(low, value, high):
    return judge_at_least("share", 80, Estimate(value, low, high, 0.95), "%")


class TestJudgeAtLeast:
    @pytest.mark.parametrize(
        ("low", "value", "high", "outcome"),
        [
            (80, 90, 95, PASS),
            (80, 80, 80, PASS),
            (79.999, 90, 95, INCONCLUSIVE),
            (70, 75, 80, INCONCLUSIVE),
            (70, 75, 79.999, FAIL),
            (0, math.nan, 100, INCONCLUSIVE),
            (-math.inf, 90, math.inf, INCONCLUSIVE),
        ],
    )
    def test_outcome(self, low, value, high, outcome):
        assert share(low, value, high).verdict is outcome

    @given(ends=st.tuples(FINITE, FINITE, FINITE).map(sorted), limit=FINITE)
    def test_is_below_turned_round(self, ends, limit):
        low, value, high = ends
        estimate = Estimate(value, low, high, 0.95)
        opposite = {PASS: FAIL, FAIL: PASS, INCONCLUSIVE: INCONCLUSIVE}
        below = judge_below("x", limit, estimate, "%").verdict
        assert judge_at_least("x", limit, estimate, "%").verdict is opposite[below]

    def test_is_worded(self):
        result = share(85, 90, 95)
        assert (result.target, result.value, result.interval) == ("≥ 80", 90, (85, 95))
        assert result.reason == (
            "The share is 90 % (95% interval 85 to 95), wholly within the target of at least 80 %."
        )

    def test_an_invalid_run_is_inconclusive(self):
        estimate = Estimate(90, 85, 95, 0.95)
        result = judge_at_least("share", 80, estimate, "%", ["it rained"])
        assert result.verdict is INCONCLUSIVE
        assert result.reason == "The run does not count, because it rained."

    def test_refuses_a_limit_that_is_none(self):
        with pytest.raises(ValueError, match="limit of 'share' is nan: give a finite number of %"):
            judge_at_least("share", math.nan, Estimate(1, 1, 1, 0.95), "%")


def test_less_than_one_of_something_is_none():
    verdict = judge_below("number of errors", 1.0, Estimate(0.0, 0.0, 0.0, 0.95), "errors")
    assert verdict.wanted == "none"
    assert verdict.reason == "The number of errors is 0 errors, within the target of none."
    latency = judge_below("latency", 1.0, Estimate(0.5, 0.5, 0.5, 0.95), "ms")
    assert latency.wanted == "< 1 ms"
