"""The drift estimate against known drifts, and against none."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.drift import MAX_DRIFT, DriftEstimator, slope_interval
from jamlab.media.playout.follower import NOTICEABLE
from jamlab.media.quality import FRAME_LENGTHS
from jamlab.networks.model.link import Link
from jamlab.networks.model.profile import profile_named, profile_names
from tests.examples import examples

SECOND = SAMPLE_RATE
PPM = 1e-6


def observe(estimator, ppm, seconds, *, frame=240, noise=lambda when: 0.0, begin=0):
    """Let packets of a card that is `ppm` faster come, `noise` frames late; returns the drifts."""
    drifts = []
    for k in range(begin * SECOND // frame, (begin + seconds) * SECOND // frame):
        when = (k + 1) * frame / (1 + ppm * PPM)
        if estimator.observe(when + noise(when), k * frame):
            drifts.append(estimator.drift / PPM)
    return drifts


def network(name, seed):
    """Two access links of a profile; a packet that is lost is told by None."""
    links = [Link(profile_named(name).access(), random.Random(2 * seed + n)) for n in range(2)]

    def transit(sent_s):
        for link in links:
            out = link.transit(120, sent_s)
            if not out:
                return None
            sent_s = out[0]
        return sent_s

    return transit


def observe_network(estimator, name, ppm, seconds, *, seed=1, frame=240, gained=None):
    transit, drifts = network(name, seed), []
    for k in range(seconds * SECOND // frame):
        arrival_s = transit((k + 1) * frame / SAMPLE_RATE / (1 + ppm * PPM))
        if arrival_s is not None and estimator.observe(arrival_s * SAMPLE_RATE, k * frame):
            drifts.append(estimator.drift / PPM)
            if gained is not None:
                gained.append(estimator.gained)
    return drifts


class TestWithoutNoise:
    @examples(30)
    @given(st.floats(-300, 300), st.sampled_from(FRAME_LENGTHS))
    def test_is_the_drift_that_was_put_in(self, ppm, frame):
        drifts = observe(DriftEstimator(), ppm, 30, frame=frame)
        assert drifts[-1] == pytest.approx(ppm, abs=2.5)  # a packet more or less in a quartile
        assert abs(drifts[-1]) <= abs(ppm) + 2.5

    def test_none_is_exactly_none(self):
        assert set(observe(DriftEstimator(), 0, 60)) == {0.0}

    def test_nothing_is_known_before_there_are_a_dozen_slots(self):
        estimator = DriftEstimator()
        observe(estimator, 200, 1)
        assert (estimator.known, estimator.drift) == (False, 0.0)
        observe(estimator, 200, 1, begin=1)
        assert estimator.known
        assert estimator.drift > 0

    def test_it_follows_a_card_whose_clock_changes(self):
        estimator = DriftEstimator()
        positions = 0.0
        for k in range(600 * SECOND // 960):
            positions += 960 / (1 + (50 if k < 15_000 else -30) * PPM)
            estimator.observe(positions, k * 960)
        assert estimator.drift / PPM == pytest.approx(-30, abs=3)

    def test_a_sender_that_begins_anew_is_another(self):
        estimator = DriftEstimator()
        observe(estimator, 200, 20)
        estimator.reset()
        assert (estimator.known, estimator.drift) == (False, 0.0)
        assert observe(estimator, -100, 30)[-1] == pytest.approx(-100, abs=2)

    def test_what_no_two_clocks_can_be_is_not_believed(self):
        estimator = DriftEstimator()
        assert set(observe(estimator, 3000, 60)) == {0.0}
        assert set(observe(estimator, -3000, 60, begin=60)) == {0.0}

    def test_a_drift_at_the_limit(self):
        assert observe(DriftEstimator(), 499, 60)[-1] == pytest.approx(499, abs=1)
        assert MAX_DRIFT == 500 * PPM


class TestOnNetworks:
    @pytest.mark.parametrize("name", profile_names())
    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_within_5_ppm_after_5_minutes(self, name, ppm):
        assert observe_network(DriftEstimator(), name, ppm, 300)[-1] == pytest.approx(ppm, abs=5)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["Wi-Fi", "4G", "transatlantic"])
    def test_equal_clocks_for_an_hour_are_equal(self, name):
        assert set(observe_network(DriftEstimator(), name, 0, 3600, seed=7)) == {0.0}

    @examples(20)
    @given(st.sampled_from(profile_names()), st.integers(0, 2**16), st.sampled_from([120, 480]))
    def test_equal_clocks_are_equal_whatever_the_seed(self, name, seed, frame):
        """A network's waits hang together, so what is excluded in a second may be so wrongly."""
        gained = []
        observe_network(DriftEstimator(), name, 0, 60, seed=seed, frame=frame, gained=gained)
        assert max(map(abs, gained)) < NOTICEABLE


class TestNoise:
    def test_a_loop_that_is_always_late_and_sometimes_stands_still(self):
        """A second in ten it is 50 ms behind: the card's count is, so packets seem early."""
        rng = random.Random(3)

        def lag(when):
            return rng.expovariate(1 / 100) - (2400 if when % (10 * SECOND) < SECOND else 0)

        assert set(observe(DriftEstimator(), 0, 1200, noise=lag)) == {0.0}
        assert observe(DriftEstimator(), 80, 600, noise=lag)[-1] == pytest.approx(80, abs=4)

    @pytest.mark.parametrize("step_ms", [-50, -5, 5, 50])
    def test_a_new_route_is_no_drift(self, step_ms):
        step = step_ms * SECOND / 1000
        drifts = observe(
            DriftEstimator(), 0, 400, noise=lambda when: step if when > 200 * SECOND else 0
        )
        assert max(map(abs, drifts)) < 2

    def test_a_new_route_does_not_shake_what_is_known(self):
        drifts = observe(
            DriftEstimator(), 120, 400, noise=lambda when: 960 if when > 200 * SECOND else 0
        )
        assert drifts[-1] == pytest.approx(120, abs=1)
        assert max(abs(drift - 120) for drift in drifts[150:]) < 2

    def test_queues_that_come_and_go_are_no_drift(self):
        """Five seconds in thirty, packets wait up to 100 ms more."""

        def queue(when):
            return max(0.0, 4800 * math.sin(2 * math.pi * (when % (30 * SECOND)) / (10 * SECOND)))

        def rare(when):
            return queue(when) if when % (30 * SECOND) < 5 * SECOND else 0.0

        assert set(observe(DriftEstimator(), 0, 600, noise=rare)) == {0.0}

    def test_a_delay_that_creeps_is_followed_and_let_go(self):
        """10 ms in five minutes are 33 ppm: nobody can tell, until it ends."""

        def creeping(when):
            return 480 * min(when / (300 * SECOND), 1)

        drifts = observe(DriftEstimator(), 0, 900, noise=creeping)
        assert min(drifts) == pytest.approx(-33.3, abs=1)
        assert abs(drifts[-1]) < 1


class TestSlopeInterval:
    def test_a_line_has_one_slope(self):
        x = np.arange(40.0)
        assert slope_interval(np.column_stack((x, 3 * x - 7)), 3) == pytest.approx((3, 3))

    def test_too_few_points_say_nothing(self):
        assert slope_interval(np.column_stack((np.arange(4.0), np.arange(4.0))), 4) == (
            -math.inf,
            math.inf,
        )

    def test_it_has_the_true_slope_as_often_as_it_says(self):
        """Two standard deviations are 95 % (Sen 1968); of 400 tries within four of its own."""
        rng = np.random.default_rng(5)
        x = np.arange(30.0)
        hits = 0
        for _ in range(400):
            y = 0.5 * x + rng.standard_normal(30)
            least, most = slope_interval(np.column_stack((x, y)), 1.96)
            hits += least <= 0.5 <= most
        assert abs(hits / 400 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 400)

    def test_against_scipy(self):
        from scipy.stats import norm, theilslopes

        rng = np.random.default_rng(6)
        x, y = np.arange(50.0), rng.standard_normal(50).cumsum()
        ours = slope_interval(np.column_stack((x, y)), norm.ppf(0.995))
        theirs = theilslopes(y, x, alpha=0.99)
        np.testing.assert_allclose(ours, (theirs.low_slope, theirs.high_slope), atol=0.02)

    @examples(50)
    @given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=64), st.floats(0, 6))
    def test_any_points_have_an_interval_about_the_middle_slope(self, values, deviations):
        points = np.column_stack((np.arange(len(values), dtype=float), values))
        least, most = slope_interval(points, deviations)
        first, second = np.triu_indices(len(values), 1)
        slopes = (points[second, 1] - points[first, 1]) / (second - first)
        assert least <= np.median(slopes) + 1e-9 * abs(np.median(slopes))
        assert most >= np.median(slopes) - 1e-9 * abs(np.median(slopes))
