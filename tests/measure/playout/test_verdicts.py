"""Verdicts on the playout buffer, by records made for each."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.playout.verdicts import delay_at, playout_verdicts
from jamlab.measure.verdict import Outcome
from tests.examples import examples
from tests.measure.playout.records import playout_record

PASS, FAIL, NOT_RUN = Outcome.PASS, Outcome.FAIL, Outcome.NOT_RUN


def outcomes(**made):
    """Return the outcomes on delay, accepted share (each twice), NetEq-like and Jamulus-like."""
    return [verdict.verdict for verdict in playout_verdicts(playout_record(**made))]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, [PASS] * 6),
        ({"delay_ms": 11.3}, [FAIL, PASS, FAIL, PASS, PASS, PASS]),
        ({"worst": 1.6}, [PASS, FAIL, PASS, FAIL, PASS, PASS]),
        ({"rival_ms": 9.0}, [PASS] * 4 + [FAIL] * 2),
        ({"rival_ms": 9.0, "never": True}, [PASS] * 6),
        ({"lost": 0.005}, [PASS, NOT_RUN, PASS, PASS, PASS, PASS]),
        ({"best_ms": np.inf}, [NOT_RUN, PASS, NOT_RUN, PASS, PASS, PASS]),
        ({"best_ms": 0.0}, [NOT_RUN, PASS, NOT_RUN, PASS, PASS, PASS]),
    ],
)
def test_each_target_has_its_verdict(made, expected):
    assert outcomes(**made) == expected


def test_a_reason_says_what_where_and_how_much():
    verdict = playout_verdicts(playout_record(delay_ms=18.0))[0]
    assert "best per second in hindsight, on wifi with 0.1 % accepted is 2 ×" in verdict.reason


@examples(100)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1, 100)), min_size=1, max_size=8),
    st.floats(1e-6, 1),
)
def test_a_curve_is_the_least_delay_that_conceals_no_more(points, share):
    table = pd.DataFrame(points, columns=["concealed_share", "delay_ms"])
    found = delay_at(table, share)
    at_most = [delay for each, delay in points if each <= share]
    if not at_most:
        assert found == np.inf or min(each for each, _ in points) <= 1e-6
    else:
        assert found <= min(at_most) + 1e-9
        assert found >= min(delay for _, delay in points) - 1e-9
