"""Tests of jamlab.measure.browser.clocks, against simulated clocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.browser.clocks import RESOLUTION_S, ClockError, context_clock, page_clock
from tests.examples import examples


@examples(50)
@given(
    offset_s=st.floats(-1e5, 1e5),
    delays=st.lists(
        st.tuples(st.floats(1e-4, 0.05), st.floats(1e-4, 0.05)), min_size=1, max_size=40
    ),
)
def test_the_offset_is_within_its_bound_whatever_the_calls_take(offset_s, delays):
    now, readings = 1000.0, []
    for out_s, back_s in delays:
        page = np.floor((now + out_s - offset_s) / RESOLUTION_S) * RESOLUTION_S
        readings.append((now, page, now + out_s + back_s))
        now += 0.1
    clock = page_clock(readings)
    assert abs(clock.offset_s - offset_s) <= clock.bound_s + 1e-9
    shortest = min(map(sum, delays))
    assert clock.bound_s <= shortest / 2 + 2 * RESOLUTION_S


def test_a_clock_that_was_set_meanwhile_is_an_error():
    with pytest.raises(ClockError, match="did not run evenly"):
        page_clock([(0.0, 0.001, 0.002), (1.0, 1.101, 1.002)])


def rendered(page_s, origin_s, block_s, skew=0.0):
    """Return a context's currentTime: whole blocks, each rendered when it begins to be due."""
    return (np.floor((page_s - origin_s) * (1 + skew) / block_s) + 1) * block_s


@examples(50)
@given(
    origin_s=st.floats(0, 100),
    block_frames=st.sampled_from([128, 256, 441, 480, 1024]),
    skew=st.floats(-300e-6, 300e-6),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_frame_has_the_time_at_which_its_block_is_rendered(origin_s, block_frames, skew, seed):
    block_s = block_frames / 48_000
    page_s = np.sort(np.random.default_rng(seed).uniform(origin_s + 1, origin_s + 11, 650))
    clock = context_clock(
        np.column_stack([rendered(page_s, origin_s, block_s, skew), 1000 * page_s])
    )
    blocks = np.arange(100, 200)
    due_s = origin_s + (blocks - 1) * block_s / (1 + skew)
    assert np.abs(clock.time_of(blocks * block_s) - due_s).max() < 1e-3
    assert clock.block_s == pytest.approx(block_s, rel=0.2)


@pytest.mark.parametrize("readings_per_s", [20, 65])
def test_readings_that_miss_the_beginning_of_a_block_move_no_frame(readings_per_s):
    block_s, errors = 0.01, []
    for seed in range(200):
        random = np.random.default_rng(seed)
        page_s = np.sort(random.uniform(0, 10, 10 * readings_per_s))
        clock = context_clock(np.column_stack([rendered(page_s, 0.0, block_s), 1000 * page_s]))
        errors.append(float(clock.time_of(5.0)) - (5.0 - block_s))
    assert abs(np.mean(errors)) < block_s / readings_per_s / 5  # of that distance


def test_a_pause_of_the_audio_is_seen():
    page_s = np.sort(np.random.default_rng(1).uniform(0, 10, 650))
    context_s = rendered(page_s, 0.0, 0.01)
    late = (page_s > 5) & (page_s < 5.3)
    context_s[late] = rendered(5.0, 0.0, 0.01)
    clock = context_clock(np.column_stack([context_s, 1000 * page_s]))
    assert clock.pause_s == pytest.approx(page_s[late].max() - 5.0, abs=0.012)


def test_a_context_that_did_not_run_is_told():
    with pytest.raises(ClockError, match="did not run"):
        context_clock([(0.0, 1.0)])
