"""The delay controller: what it must do on networks whose best delay is known by construction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.delay import DelayBounds, DelayController
from jamlab.media.playout.needs import NeedHistograms
from tests.examples import examples

MS = SAMPLE_RATE // 1000
SECOND = SAMPLE_RATE
FRAME = 240
BIN = NeedHistograms([1.0], 30 * MS).width
MARGIN = 24
STEPS = st.lists(st.tuples(st.integers(0, 2000), st.integers(-3000, 3000)), min_size=1, max_size=60)


def timeline(steps):
    """Turn ``(frames since the last, needed)`` into ``(now, needed)``."""
    now = 0
    for since, needed in steps:
        now += since
        yield now, needed


def fed(needs, every=FRAME, **bounds):
    """Return a controller that has seen packets arrive in order, and its target at each of them."""
    controller, targets = DelayController(DelayBounds(**bounds)), []
    for k, needed in enumerate(needs):
        controller.observe(k * every + needed, needed)
        targets.append(controller.target_frames)
    return controller, np.array(targets)


def calm(seconds, need=1000):
    return [need] * (seconds * SECOND // FRAME)


def stalled(length, need=1000):
    """Return the needs of the packets that a stall holds back; the first waits for all of it."""
    return [need + held for held in range(length, 0, -FRAME)]


class TestTarget:
    def test_a_constant_need(self):
        controller, _ = fed(calm(12))
        assert 1000 <= controller.target_frames <= 1000 + BIN + MARGIN

    @examples(100)
    @given(STEPS, st.integers(-(10**9), 10**9))
    def test_the_origin_does_not_matter(self, steps, origin):
        here, there = DelayController(), DelayController()
        for now, needed in timeline(steps):
            here.observe(now, needed)
            there.observe(now, needed + origin)
            assert there.target_frames == here.target_frames + origin

    @examples(100)
    @given(STEPS, STEPS)
    def test_reset_forgets_everything(self, before, after):
        used, fresh = DelayController(), DelayController()
        for now, needed in timeline(before):
            used.observe(now, needed)
            used.correction(now, 10**6)
        used.reset()
        for now, needed in timeline(after):
            used.observe(now, needed)
            fresh.observe(now, needed)
            assert used.target_frames == fresh.target_frames
            assert used.correction(now, 10**6) == fresh.correction(now, 10**6)

    @examples(100)
    @given(STEPS, STEPS, st.integers(0, 3000))
    def test_shifted_it_is_as_if_all_had_needed_that_much_more(self, before, after, longer):
        shifted, truth = DelayController(), DelayController()
        steps = [*timeline(before + after)]
        for now, needed in steps[: len(before)]:
            shifted.observe(now, needed)
            truth.observe(now, needed + longer)
        shifted.shift(longer)
        assert shifted.target_frames == truth.target_frames
        for now, needed in steps[len(before) :]:
            shifted.observe(now, needed + longer)
            truth.observe(now, needed + longer)
            assert shifted.target_frames >= truth.target_frames

    def test_shorter_frames_do_not_lower_what_longer_ones_will_need(self):
        controller, _ = fed(calm(12))
        controller.shift(360)
        for k in range(12 * SECOND // FRAME, 12 * SECOND // FRAME + 100):
            controller.observe(k * FRAME + 1000, 1000)
        assert 1360 <= controller.target_frames <= 1360 + BIN + MARGIN

    def test_nothing_observed(self):
        controller = DelayController()
        with pytest.raises(ValueError, match="no target delay before the first packet"):
            _ = controller.target_frames
        controller.observe(0, 100)
        controller.reset()
        with pytest.raises(ValueError, match="no target delay before the first packet"):
            _ = controller.target_frames


class TestAcceptedShare:
    @pytest.mark.slow
    @pytest.mark.parametrize("share", [0.001, 0.005, 0.01, 0.03])
    def test_of_stationary_jitter_that_share_is_late_at_the_delay_of_the_quantile(self, share):
        """The best constant delay in hindsight is the quantile, known from the distribution."""
        random = np.random.default_rng(5)
        needs = 1000 + np.minimum(random.exponential(2 * MS, 60 * SECOND // FRAME), 29 * MS)
        _, targets = fed(needs.astype(int).tolist(), accepted_share=share)
        settled = slice(20 * SECOND // FRAME, None)
        late = np.mean(needs[settled][1:] > targets[settled][:-1])
        quantile = 1000 - 2 * MS * math.log(share)
        assert late <= 1.5 * share
        assert targets[settled].mean() - 1000 <= 1.3 * (quantile - 1000) + BIN + MARGIN

    def test_a_delay_that_moves_slowly_is_followed(self):
        """A fixed delay would have to be the largest; the one that follows is less by half."""
        seconds = np.arange(60 * SECOND // FRAME) * FRAME / SECOND
        needs = 1000 + (10 * MS * (1 + np.sin(2 * np.pi * seconds / 20))).astype(int)
        _, targets = fed(needs.tolist(), accepted_share=0.01)
        settled = slice(20 * SECOND // FRAME, None)
        assert np.mean(needs[settled][1:] > targets[settled][:-1]) <= 0.015
        assert (targets[settled] - needs[settled]).mean() < 5 * MS

    def test_more_accepted_is_less_delay(self):
        random = np.random.default_rng(6)
        needs = 1000 + random.exponential(3 * MS, 30 * SECOND // FRAME).astype(int)
        shares = 0.001, 0.01, 0.1
        means = [fed(needs.tolist(), accepted_share=share)[1][2000:].mean() for share in shares]
        assert means == sorted(means, reverse=True)

    def test_a_share_that_is_accepted_buys_no_delay(self):
        """A spike of one packet a second is 0.5 % of packets."""
        needs = ([1000] * 199 + [1000 + 10 * MS]) * 40
        most, _ = fed(needs, accepted_share=0.01)
        least, _ = fed(needs, accepted_share=0.001)
        assert most.target_frames <= 1000 + BIN + MARGIN
        assert least.target_frames >= 1000 + 10 * MS


class TestMostDelay:
    @pytest.mark.parametrize("most_s", [0.005, 0.03, 0.2])
    def test_no_target_is_above_the_largest_delay(self, most_s):
        random = np.random.default_rng(7)
        mean = most_s * SECOND / 2
        needs = (1000 + random.exponential(mean, 20 * SECOND // FRAME)).astype(int)
        _, targets = fed(needs.tolist(), most_delay_s=most_s)
        settled = targets[SECOND // FRAME :]
        most = round(most_s * SECOND)
        width = NeedHistograms([1.0], most).width
        assert settled.max() <= needs.min() + 1.05 * most + 2 * width + MARGIN

    def test_a_need_that_cannot_be_met_buys_no_delay(self):
        needs = ([*calm(2), *stalled(50 * MS)]) * 20
        controller, _ = fed(needs)
        assert controller.target_frames <= 1000 + BIN + MARGIN


class TestSteps:
    @pytest.mark.parametrize("step", [5 * MS, 25 * MS, 100 * MS, 700 * MS])
    def test_up_within_a_dozen_packets_and_settled_in_a_second(self, step):
        """The silence before a long step is a stall's at first."""
        _, targets = fed([*calm(12), *calm(8, 1000 + step)])
        after = targets[12 * SECOND // FRAME :]
        assert after[12] >= 1000 + step
        settled = after[SECOND // FRAME :]
        assert settled.min() >= 1000 + step
        assert settled.max() <= 1000 + step + BIN + MARGIN

    @pytest.mark.parametrize("step", [5 * MS, 25 * MS])
    def test_down_within_seconds(self, step):
        controller, _ = fed([*calm(12, 1000 + step), *calm(8)])
        assert controller.target_frames <= 1000 + BIN + MARGIN


class TestStalls:
    @pytest.mark.parametrize("length", [50 * MS, 200 * MS, 500 * MS])
    def test_one_stall_is_an_accident(self, length):
        """The largest delay allowed would bridge it."""
        needs = [*calm(12), *stalled(length), *calm(2)]
        controller, _ = fed(needs, most_delay_s=1.0)
        width = NeedHistograms([1.0], SECOND).width
        assert controller.target_frames - 1000 <= width + MARGIN

    def test_stalls_that_recur_are_bridged(self):
        needs = [*calm(5), *stalled(50 * MS)] * 6
        controller, _ = fed(needs, most_delay_s=0.2)
        assert controller.target_frames >= 1000 + 50 * MS

    def test_long_frames_are_no_stalls(self):
        """Packets of 100 ms come after silences of 100 ms."""
        random = np.random.default_rng(8)
        needs = 1000 + random.integers(0, 10 * MS, 300)
        controller, _ = fed(needs.tolist(), every=100 * MS, accepted_share=0.01)
        assert controller.target_frames >= np.quantile(needs, 0.9)


class TestStops:
    """A card that stopped for a while: packets need less from then on, and it is found later."""

    @pytest.mark.parametrize("found_after", [SECOND // 2, SECOND * 3 // 4, SECOND])
    def test_the_target_falls_with_the_needs_and_not_below(self, found_after):
        random = np.random.default_rng(9)
        stop, jitter = 30 * MS, 2 * MS
        needs = 1000 + random.integers(0, jitter, 20 * SECOND // FRAME)
        stopped, found = 10 * SECOND // FRAME, (10 * SECOND + found_after) // FRAME
        needs[stopped:] -= stop
        controller, targets = DelayController(), []
        for k, needed in enumerate(needs.tolist()):
            if k == found:
                controller.shift(-stop)
            controller.observe(k * FRAME + needed, needed)
            targets.append(controller.target_frames)
        late = needs[1:] > targets[:-1]
        assert late[stopped:].mean() < 0.01
        assert targets[found + SECOND // FRAME] <= 1000 - stop + jitter + 2 * BIN + MARGIN


class TestCorrection:
    @examples(200)
    @given(
        st.lists(st.tuples(st.integers(0, 3000), st.integers(-500, 500)), max_size=40),
        st.integers(0, 64),
    )
    def test_mends_at_once_and_removes_by_steps(self, asked, margin):
        controller = DelayController(margin_frames=margin, allowance_frames=0)
        controller.observe(0, 1000)  # the target until the end of this test
        removed_at = None
        for now, delay_off in timeline(asked):
            correction = controller.correction(now, 1000 + delay_off)
            resting = removed_at is not None and now - removed_at < SAMPLE_RATE // 100
            if delay_off <= 0:
                assert correction == -delay_off
            elif resting or delay_off <= margin:
                assert correction == 0
            else:
                assert correction == -delay_off
                removed_at = now

    def test_a_hundred_removals_a_second_at_the_most(self):
        controller, _ = fed([1000])
        steps = [controller.correction(now, 5000) for now in range(0, SAMPLE_RATE, 120)]
        assert sum(step != 0 for step in steps) == 100


class TestBadInput:
    @pytest.mark.parametrize("share", [0, 1, -0.1, 2, math.nan])
    def test_a_share_out_of_range(self, share):
        with pytest.raises(
            ValueError, match=r"accepted share of concealed sound is .* %: give more"
        ):
            DelayBounds(accepted_share=share)

    @pytest.mark.parametrize("most_s", [0, 0.0005, -1, 2, math.inf, math.nan])
    def test_a_largest_delay_out_of_range(self, most_s):
        with pytest.raises(
            ValueError, match=r"largest delay of a playout buffer is .* ms: give 1 to"
        ):
            DelayBounds(most_delay_s=most_s)
