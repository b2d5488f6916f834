"""Recordings put together from cycles, some of which are missing or late."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio_graph.tape import frames_since, placed, punctuality
from tests.examples import examples

PERIOD = 64


@examples(100)
@given(st.sets(st.integers(0, 9)), st.integers(1, 4), st.integers(577, 640))
def test_every_cycle_is_where_it_belongs_and_the_rest_is_silent(missing, channels, frames):
    sound = np.random.default_rng(1).standard_normal((channels, 640)).astype(np.float32)
    kept = [number for number in range(10) if number not in missing]
    blocks = np.stack([sound[:, n * PERIOD : (n + 1) * PERIOD] for n in range(10)])[kept]
    for number in missing:
        sound[:, number * PERIOD : (number + 1) * PERIOD] = 0
    made = placed(blocks, np.array(kept, dtype=np.int64) * PERIOD, frames)
    np.testing.assert_array_equal(made, sound[:, :frames])


@examples(100)
@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_positions_wrap_at_32_bits(origin, frames):
    assert frames_since(origin, (origin + frames) % 2**32) == frames


def called(lateness_s):
    """Positions of as many cycles, and times of their calls on a clock with an offset."""
    positions = np.arange(len(lateness_s)) * PERIOD
    return positions, np.round((123.0 + positions / 48_000 + lateness_s) * 1e9).astype(np.int64)


def test_a_constant_lateness_is_not_seen():
    positions, called_ns = called(np.full(50, 0.2))
    found = punctuality(positions, called_ns, PERIOD, 50 * PERIOD, 0)
    assert (found.cycles, found.late_cycles, found.missed_cycles, found.disturbed) == (50, 0, 0, 0)
    assert found.worst_lateness_s == pytest.approx(0, abs=1e-8)


def test_cycles_that_are_over_a_period_late_are_counted():
    lateness_s = np.zeros(50)
    lateness_s[[0, 20, 30, 31]] = 0.010, 0.9 * PERIOD / 48_000, 1.1 * PERIOD / 48_000, 0.005
    found = punctuality(*called(lateness_s), PERIOD, 50 * PERIOD, 0)
    assert found.late_cycles == found.disturbed == 3
    assert found.worst_lateness_s == pytest.approx(0.010)


def test_missing_cycles_and_xruns_are_counted():
    positions, called_ns = called(np.zeros(50))
    kept = np.delete(np.arange(50), [0, 7, 8])
    found = punctuality(positions[kept], called_ns[kept], PERIOD, 49 * PERIOD + 1, 2)
    assert (found.missed_cycles, found.late_cycles, found.xruns) == (3, 0, 2)
    assert found.disturbed == 5


def test_of_two_blocks_at_one_place_the_later_is_kept_and_the_other_missed():
    blocks = np.stack([np.full((1, PERIOD), value, np.float32) for value in (1, 2, 3)])
    positions = np.array([0, 2, 2]) * PERIOD
    made = placed(blocks, positions, 3 * PERIOD)
    assert made[0, ::PERIOD].tolist() == [1, 0, 3]
    found = punctuality(positions, np.array([0, 10**6, 2 * 10**6]), PERIOD, 3 * PERIOD, 0)
    assert found.missed_cycles == 1


def test_a_recording_of_nothing_misses_everything():
    nothing = np.zeros(0, dtype=np.int64)
    found = punctuality(nothing, nothing, PERIOD, 10 * PERIOD, 0)
    assert (found.missed_cycles, found.late_cycles, found.worst_lateness_s) == (10, 0, 0.0)
    assert not placed(np.zeros((0, 2, PERIOD), np.float32), nothing, 100).any()
