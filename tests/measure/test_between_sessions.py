"""Intervals over sessions: simulated coverage, and textbook bounds where they exist."""

import numpy as np
import pytest
from scipy import stats

from bench.coverage import (
    PROCESSES,
    Process,
    autoregressive,
    concealed,
    coverage,
    covers,
    exponential,
    per_session,
    redrawn,
    worst_path,
)
from jamlab.measure import between_sessions
from jamlab.measure.between_sessions import quantile_ends, share_ends
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.statistics import p95, share_of_sessions

PLAN = LatencyPlan()
ONE = LatencyPlan(sessions=1, duration_s=20.0, bpm=480.0)
"""What was measured before there were sessions."""
TRIALS = 120
TAILS = (0.025, 0.025)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(between_sessions, "DRAWS", 200)


def covered(process, plan, trials=TRIALS):
    return sum(covers(each, process.truth) for each in coverage(process, plan, trials))


@pytest.mark.usefixtures("quick")
class TestCoverage:
    @pytest.mark.slow
    @pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
    def test_nine_in_ten_runs_have_the_truth(self, process):
        """A coverage of 90 % has fewer than this once in a hundred times, of more less often."""
        assert covered(process, PLAN) >= stats.binom(TRIALS, 0.9).ppf(0.01)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "at_most"),
        [
            ("autocorrelation 0.9", 0.8),
            ("redrawn in 2-5 s, normal", 0.45),
            ("redrawn in 2-5 s, uniform", 0.45),
            ("redrawn in 2-5 s, exponential", 0.45),
        ],
    )
    def test_one_session_does_not(self, name, at_most):
        """Blocks of one session covered 64 % and 12 to 28 % and were called 95 %."""
        [process] = [each for each in PROCESSES if each.name == name]
        assert covered(process, ONE, 40) <= stats.binom(40, at_most).ppf(0.99)

    @pytest.mark.slow
    def test_the_worst_of_thirty_paths_is_in_the_interval_of_the_worst(self):
        """Without correction some low end of thirty is too high in half of all runs."""
        rng = np.random.default_rng(1)
        truth = PROCESSES[0].truth
        assert sum(covers(worst_path(PLAN, rng), truth) for _ in range(12)) >= 11

    @pytest.mark.parametrize("sessions", [3, 8])
    def test_with_other_numbers_of_sessions(self, sessions):
        plan = LatencyPlan(sessions=sessions)
        process = Process("", redrawn(exponential), PROCESSES[5].truth)
        assert covered(process, plan, 80) >= stats.binom(80, 0.9).ppf(0.01)


class TestBounds:
    def test_levels_alone_have_the_bound_of_the_noncentral_t(self):
        """Sessions without any spread of their own are five values of a normal distribution."""
        levels = stats.norm(20, 1).ppf([0.1, 0.3, 0.5, 0.7, 0.9])
        sessions = [np.full(24, level) for level in levels]
        rng = np.random.default_rng(2)
        low, high = quantile_ends(sessions, 0.95, TAILS, rng)
        shift = stats.norm.ppf(0.95) * np.sqrt(5)
        factors = stats.nct(4, shift).ppf([0.025, 0.975]) / np.sqrt(5)
        exact = levels.mean() + levels.std(ddof=1) * factors
        assert low <= exact[0] + 0.1
        assert high >= exact[1] - 0.5
        assert high <= levels.min() + 3 * 2 * (levels - levels.min()).sum() / stats.chi2(8).ppf(
            0.04
        )

    def test_a_level_of_the_largest_of_five_is_not_the_end(self):
        process = Process("", per_session(exponential), 2.0)
        for estimate in coverage(process, PLAN, 3):
            assert estimate.high > estimate.value + 0.5

    def test_alike_sessions_leave_little_doubt(self):
        rng = np.random.default_rng(3)
        sessions = np.repeat(np.arange(5), 24)
        estimate = p95(12 + 0.1 * rng.standard_normal(120), rng, sessions=sessions)
        assert 12 < estimate.low < estimate.value < estimate.high < 13

    def test_the_level_within_a_session_does_not_narrow_the_interval(self):
        """A hundred times as many clicks of the same five sessions know no more of the others."""
        rng = np.random.default_rng(4)
        few, many = (
            p95(np.repeat(levels, count), rng, sessions=np.repeat(np.arange(5), count))
            for levels in [np.array([11.0, 11.4, 12.1, 12.3, 13.0])]
            for count in (20, 2000)
        )
        assert many.high == pytest.approx(few.high, rel=0.05)

    def test_deaf_sessions_are_infinite_and_hearing_ones_are_not(self):
        rng = np.random.default_rng(5)
        heard, deaf = rng.normal(12, 0.1, 24), np.full(24, np.inf)
        low, high = quantile_ends([heard] * 4 + [deaf], 0.95, TAILS, rng)
        assert np.isfinite(low)
        assert high == np.inf
        low, _ = quantile_ends([heard] + [deaf] * 4, 0.95, TAILS, rng)
        assert low == np.inf

    def test_sessions_of_other_lengths_count_alike(self):
        rng = np.random.default_rng(6)
        sessions = [rng.normal(12, 0.1, count) for count in (5, 24, 24, 30, 24)]
        low, high = quantile_ends(sessions, 0.95, TAILS, rng)
        assert low < 12.16 < high < 14


class TestShare:
    def test_nothing_lost_is_clopper_and_pearson_s_bound(self):
        low, high = share_ends(np.zeros(5), np.full(5, 800.0), *TAILS)
        assert low == 0
        assert high == pytest.approx(stats.binomtest(0, 4000).proportion_ci(0.95).high)

    def test_one_session_is_clopper_and_pearson_s_interval(self):
        exact = stats.binomtest(40, 800).proportion_ci(0.95)
        found = share_ends(np.array([40.0]), np.array([800.0]), *TAILS)
        assert found == pytest.approx((exact.low, exact.high))

    def test_one_bad_session_is_no_proof(self):
        """2.5 % in one of five, where each packet for itself would prove more than 0.4 %."""
        estimate = share_of_sessions([100, 0, 0, 0, 0], [4000] * 5)
        assert stats.binomtest(100, 20000).proportion_ci(0.95).low > 0.004
        assert estimate.low < 0.002
        assert estimate.high > 0.01

    def test_as_bad_in_all_of_them_is(self):
        assert share_of_sessions([80, 75, 85, 82, 78], [4000] * 5).low > 0.009

    def test_of_nothing_is_unknown(self):
        estimate = share_of_sessions([0, 0], [0, 0])
        assert np.isnan(estimate.value)
        assert (estimate.low, estimate.high) == (0, 1)

    def test_nine_in_ten_runs_have_the_truth(self):
        rng = np.random.default_rng(1)
        found = sum(covers(concealed(PLAN, rng), 0.005) for _ in range(400))
        assert found >= stats.binom(400, 0.9).ppf(0.01)


def test_the_processes_are_what_they_are_called():
    rng = np.random.default_rng(1)
    ar = autoregressive(0.9)(rng, 4000.0, 10.0)
    assert np.corrcoef(ar[:-1], ar[1:])[0, 1] == pytest.approx(0.9, abs=0.02)
    assert ar.std() == pytest.approx(1, abs=0.1)
    levels = redrawn(exponential)(rng, 4000.0, 10.0)
    changes = np.count_nonzero(np.abs(np.diff(levels)) > 0.6)
    assert 4000 / 5 * 0.3 < changes < 4000 / 2
    for process in PROCESSES:
        drawn = np.concatenate([process.draw(rng, 2.0, 10.0) for _ in range(4000)])
        assert (drawn <= process.truth).mean() == pytest.approx(0.95, abs=0.02)
