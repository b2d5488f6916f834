"""The delay estimator against its docstring, computed anew from all observations each time."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.delay import SLOT_FRAMES, DelayEstimator
from tests.examples import examples

MS = SAMPLE_RATE // 1000
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "slots": st.integers(1, 12),
        "ignored": st.sampled_from([0, 1, 3, 5, 100]),
        "settling_slots": st.integers(1, 6),
        "allowance_frames": st.integers(0, 1000),
        "margin_frames": st.integers(0, 100),
    },
)
DEFAULTS = {
    "slots": 100,
    "ignored": 3,
    "settling_slots": 5,
    "allowance_frames": 480,
    "margin_frames": 32,
}
STEPS = st.lists(
    st.tuples(st.integers(0, 2 * SLOT_FRAMES), st.integers(-3000, 3000)), min_size=1, max_size=60
)


def target(observations, *, slots, ignored, settling_slots, allowance_frames, margin_frames):
    """Apply the rule to the whole list of ``(now, needed)``, however long."""
    maxima = [
        max(needed for _, needed in slot)
        for _, slot in groupby(observations, lambda seen: seen[0] // SLOT_FRAMES)
    ]
    *closed, current = maxima
    if not closed:
        return current + allowance_frames
    if len(closed) <= settling_slots:
        quantile = max(closed[-slots:]) + allowance_frames
    else:
        kept = sorted(closed[settling_slots:][-slots:], reverse=True)
        quantile = kept[min(ignored, len(kept) // 5)] + margin_frames
    recent = [needed for _, needed in observations[-8:]]
    return max(recent) + margin_frames if min(recent) > quantile else quantile


def timeline(steps):
    """Turn ``(frames since the last, needed)`` into ``(now, needed)``."""
    now = 0
    for since, needed in steps:
        now += since
        yield now, needed


class TestTarget:
    @examples(300)
    @given(PARAMETERS, STEPS)
    def test_follows_the_rule(self, parameters, steps):
        estimator = DelayEstimator(**parameters)
        seen = []
        for now, needed in timeline(steps):
            estimator.observe(now, needed)
            seen.append((now, needed))
            assert estimator.target_frames == target(seen, **{**DEFAULTS, **parameters})

    def test_follows_the_rule_for_minutes(self):
        """With the defaults, over more than the ten seconds remembered, and with spikes."""
        random = np.random.default_rng(5)
        estimator, seen = DelayEstimator(), []
        for k in range(3000):
            needed = int(random.gamma(2, 40)) + (2000 if random.random() < 0.01 else 0)
            seen.append((k * 480, needed))
            estimator.observe(*seen[-1])
            if k % 50 == 0 or k > 2950:
                assert estimator.target_frames == target(seen, **DEFAULTS)

    @given(STEPS, st.integers(-(10**9), 10**9))
    def test_the_origin_does_not_matter(self, steps, origin):
        here, there = DelayEstimator(), DelayEstimator()
        for now, needed in timeline(steps):
            here.observe(now, needed)
            there.observe(now, needed + origin)
            assert there.target_frames == here.target_frames + origin

    @given(STEPS, STEPS)
    def test_reset_forgets_everything(self, before, after):
        used, fresh = DelayEstimator(settling_slots=2), DelayEstimator(settling_slots=2)
        for now, needed in timeline(before):
            used.observe(now, needed)
            used.correction(now, 10**6)
        used.reset()
        for now, needed in timeline(after):
            used.observe(now, needed)
            fresh.observe(now, needed)
            assert used.target_frames == fresh.target_frames
            assert used.correction(now, 10**6) == fresh.correction(now, 10**6)

    @given(STEPS, STEPS, st.integers(0, 3000))
    def test_shifted_it_is_as_if_all_had_needed_more(self, before, after, longer):
        shifted, truth = DelayEstimator(settling_slots=2), DelayEstimator(settling_slots=2)
        steps = [*timeline(before + after)]
        for now, needed in steps[: len(before)]:
            shifted.observe(now, needed)
            truth.observe(now, needed + longer)
        shifted.shift(longer)
        assert shifted.target_frames == truth.target_frames
        for now, needed in steps[len(before) :]:
            shifted.observe(now, needed)
            truth.observe(now, needed)
            assert shifted.target_frames == truth.target_frames

    def test_nothing_observed(self):
        with pytest.raises(ValueError, match="no target delay before the first packet"):
            _ = DelayEstimator().target_frames

    def test_nothing_observed_since_reset(self):
        estimator = DelayEstimator()
        estimator.observe(0, 100)
        estimator.reset()
        with pytest.raises(ValueError, match="no target delay before the first packet"):
            _ = estimator.target_frames


def fed(needs, every=120, **parameters):
    estimator = DelayEstimator(**parameters)
    for k, needed in enumerate(needs):
        estimator.observe(k * every, needed)
    return estimator


class TestJitter:
    """What the rule is for, in numbers."""

    CALM = (1000,) * 4800  # twelve seconds of 2.5 ms packets

    def test_constant_need(self):
        assert fed(self.CALM).target_frames == 1032

    def test_a_rare_spike_is_ignored(self):
        spike = (1480, 1360, 1240, 1120)
        assert fed((*self.CALM, *spike, *self.CALM[:400])).target_frames == 1032

    def test_frequent_spikes_are_not(self):
        """Five a second is more than three slots in a hundred."""
        assert fed(((1000,) * 79 + (1480,)) * 60).target_frames == 1512

    def test_a_step_is_followed_with_its_eighth_packet(self):
        assert fed((*self.CALM, *(1900, 2000) * 3, 1900)).target_frames == 1032
        assert fed((*self.CALM, *(1900, 2000) * 4)).target_frames == 2032

    def test_packets_that_just_make_it_are_no_step(self):
        assert fed((*self.CALM, *(1032,) * 8)).target_frames == 1032

    def test_ten_seconds_later_it_is_forgotten(self):
        jitter = (1000, 1500) * 2000
        assert fed((*self.CALM, *jitter)).target_frames == 1532
        assert fed((*self.CALM, *jitter, *self.CALM)).target_frames == 1032


class TestCorrection:
    @examples(200)
    @given(
        st.lists(st.tuples(st.integers(0, 3000), st.integers(-500, 500)), max_size=40),
        st.integers(0, 64),
    )
    def test_mends_at_once_and_removes_by_steps(self, asked, margin):
        estimator = DelayEstimator(margin_frames=margin, allowance_frames=0)
        estimator.observe(0, 1000)  # the target until the end of this test
        removed_at = None
        for now, delay_off in timeline(asked):
            correction = estimator.correction(now, 1000 + delay_off)
            resting = removed_at is not None and now - removed_at < SAMPLE_RATE // 50
            if delay_off <= 0:
                assert correction == -delay_off
            elif resting or delay_off <= margin:
                assert correction == 0
            else:
                assert correction == -delay_off
                removed_at = now

    def test_fifty_removals_a_second_at_the_most(self):
        estimator = fed([1000])
        steps = [estimator.correction(now, 5000) for now in range(0, SAMPLE_RATE, 120)]
        assert sum(step != 0 for step in steps) == 50
