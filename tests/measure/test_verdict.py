"""Verdicts over every order of interval and limit, and their JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.statistics import Estimate, median
from jamlab.measure.verdict import Outcome, Verdict, exit_status, judge_below, overall

PASS, FAIL, INCONCLUSIVE = Outcome
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
                "The median latency is 21.04 ms (95% interval 20 to 22), wholly within the target "
                "of less than 50 ms.",
            ),
            (
                (60, 61, 62),
                "The median latency is 61 ms (95% interval 60 to 62), wholly outside the target "
                "of less than 50 ms.",
            ),
            (
                (48, 49, 51),
                "The median latency is 49 ms, but its 95% interval 48 to 51 straddles the target "
                "of less than 50 ms.",
            ),
            (
                (-math.inf, 49, math.inf),
                "The median latency is 49 ms, but too few values were heard for an interval.",
            ),
            ((-math.inf, math.nan, math.inf), "There is no value of median latency to judge."),
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
        ],
    )
    def test_the_worst_news_wins(self, outcomes, expected):
        assert overall(map(verdict, outcomes)) is expected

    @pytest.mark.parametrize(("outcome", "status"), [(PASS, 0), (FAIL, 1), (INCONCLUSIVE, 2)])
    def test_exit_status(self, outcome, status):
        assert exit_status(outcome) == status
