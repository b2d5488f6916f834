"""The histograms against weighted quantiles, computed anew from all needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.playout.needs import NeedHistograms
from tests.examples import examples

MEMORIES = 3.0, 20.0
SHARES = np.array([1e-4, 0.01, 0.1, 0.3])
SLOTS = st.lists(
    st.lists(st.integers(-1500, 1500), min_size=1, max_size=5), min_size=1, max_size=40
)


def depth(slots, memory, share):
    """Return the least depth that all needs but a share met, each weighted by its age."""
    ages = np.concatenate([[len(slots) - 1 - k] * len(slot) for k, slot in enumerate(slots)])
    needs, weights = np.concatenate(slots), np.exp(-ages / memory)
    for level in np.unique(np.concatenate((needs, [needs.min() - 1]))):
        if weights[needs > level].sum() <= share * weights.sum() * (1 + 1e-9):
            return level
    raise AssertionError


@examples(200)
@given(SLOTS)
def test_depths_are_weighted_quantiles(slots):
    histograms = NeedHistograms(MEMORIES, 4000)
    for slot in slots:
        histograms.observe(slot)
    for found, memory in zip(histograms.depths(SHARES), MEMORIES, strict=True):
        for frames, share in zip(found, SHARES, strict=True):
            truth = depth(slots, memory, share)
            assert truth - histograms.width < frames <= truth + histograms.width + 1


@examples(100)
@given(SLOTS, SLOTS, st.integers(-5000, 5000))
def test_a_shift_is_as_if_all_had_needed_that_much_more(before, after, frames):
    shifted, truth = NeedHistograms(MEMORIES, 4000), NeedHistograms(MEMORIES, 4000)
    for slot in before:
        shifted.observe(slot)
        truth.observe([need + frames for need in slot])
    shifted.shift(frames)
    for slot in after:
        shifted.observe(slot)
        truth.observe(slot)
    np.testing.assert_array_equal(shifted.depths(SHARES), truth.depths(SHARES))


def test_a_need_far_below_the_others_makes_room_for_itself():
    histograms = NeedHistograms(MEMORIES, 1000)
    histograms.observe([10**6])
    histograms.observe([0])
    assert histograms.depths(np.array([0.9])).max() <= histograms.width
    assert histograms.depths(np.array([1e-6])).min() >= 1000


@pytest.mark.parametrize("range_frames", [48, 1440, 48_000])
def test_needs_up_to_the_range_are_told_from_larger_ones(range_frames):
    histograms = NeedHistograms([1.0], range_frames)
    for needs in ([0], [range_frames], [10 * range_frames]):
        histograms.reset()
        histograms.observe([0])
        histograms.observe(needs)
        found = histograms.depths(np.array([1e-6]))[0, 0]
        assert min(needs[0], range_frames) <= found <= range_frames + 2 * histograms.width
