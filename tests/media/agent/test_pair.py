"""The state of a pair: valid, doubtful, dead, steady."""

import math

import pytest

from jamlab.media.agent.pair import DEAD_S, OFTEN_S, STEADY_S, PairState


def test_a_new_pair_is_neither_valid_nor_alive():
    pair = PairState(is_relayed=False, priority=1)
    assert not pair.is_valid
    assert not pair.is_alive(0.0)
    assert pair.is_steady(0.0)


@pytest.mark.parametrize(("round_trip_s", "dies_s"), [(0.0, DEAD_S), (1.0, OFTEN_S + 2.0)])
def test_it_dies_when_answers_are_overdue_by_its_round_trip(round_trip_s, dies_s):
    pair = PairState(False, 1, answered_s=5.0, round_trip_s=round_trip_s)
    assert pair.dies_s == math.inf
    pair.asked_s = 10.0
    assert not pair.is_doubtful(10.0 + max(OFTEN_S, 1.5 * round_trip_s) - 0.01)
    assert pair.is_doubtful(10.0 + max(OFTEN_S, 1.5 * round_trip_s))
    assert pair.is_alive(10.0 + dies_s - 0.01)
    assert not pair.is_alive(10.0 + dies_s)


def test_once_mended_it_is_steady_after_a_while():
    pair = PairState(False, 1, mended_s=3.0)
    assert not pair.is_steady(3.0)
    assert pair.is_steady(3.0 + STEADY_S)
