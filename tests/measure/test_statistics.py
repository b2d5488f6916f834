"""Estimates compared with known distributions, order statistics and written-out definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, stats

from jamlab.measure.statistics import (
    Estimate,
    jitter,
    median,
    p95,
    proportion,
    values_needed,
    worst_of,
)
from tests.examples import examples

QUANTILES = [median, p95, jitter]


def rng():
    return np.random.default_rng(12)


class TestValue:
    def test_of_plain_numbers(self):
        values = np.arange(101.0) + 20
        assert median(values, rng()).value == 70
        assert p95(values, rng()).value == 115
        assert jitter(values, rng()).value == 95

    def test_jitter_is_rfc_5481_pdv(self):
        delays = rng().gamma(2, 3, 150)
        variation = sorted(delay - min(delays) for delay in delays)
        assert jitter(delays, rng()).value == pytest.approx(np.percentile(variation, 95))

    @pytest.mark.parametrize("estimate", QUANTILES)
    def test_lists_will_do(self, estimate):
        values = rng().normal(20, 1, 80)
        assert estimate(values.tolist(), rng()) == estimate(values, rng())


class TestInterval:
    @pytest.mark.parametrize("estimate", QUANTILES)
    @given(values=st.lists(st.floats(0, 1e3), min_size=72, max_size=90))
    @examples(12)
    def test_contains_the_value(self, estimate, values):
        result = estimate(values, rng())
        assert result.low <= result.value <= result.high
        assert result.confidence == 0.95

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("estimate", "quantile"), [(median, 0.5), (p95, 0.95)], ids=["median", "p95"]
    )
    def test_covers_the_truth_as_often_as_it_says(self, estimate, quantile):
        source = np.random.default_rng(5)
        truth = stats.gamma(2).ppf(quantile)
        results = [estimate(source.gamma(2, 1, 100), source) for _ in range(100)]
        covered = sum(result.low <= truth <= result.high for result in results)
        assert covered >= stats.binom(100, 0.95).ppf(0.005)

    def test_autocorrelated_values_widen_it(self):
        source = np.random.default_rng(6)
        walk = signal.lfilter([math.sqrt(0.19)], [1, -0.9], source.standard_normal(300))
        shuffled = source.permutation(walk)
        wide, narrow = median(walk, rng()), median(shuffled, rng())
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)

    def test_is_never_narrower_than_order_statistics_say(self):
        values = np.sort(rng().normal(20, 1, 100))
        result = p95(values, rng())
        below = stats.binom(100, 0.95)
        assert result.low <= values[int(below.ppf(0.025)) - 1]
        assert result.high >= values[int(below.ppf(0.975))]

    def test_shrinks_with_the_root_of_the_number(self):
        source = rng()

        def width(count):
            results = [median(source.normal(0, 1, count), source) for _ in range(12)]
            return np.mean([result.high - result.low for result in results])

        assert width(100) / width(1_600) == pytest.approx(4, rel=0.25)

    def test_is_wider_at_a_higher_confidence(self):
        values = rng().normal(0, 1, 200)
        lax, strict = (median(values, rng(), confidence) for confidence in (0.5, 0.99))
        assert strict.low < lax.low < lax.high < strict.high
        assert strict.confidence == 0.99

    @pytest.mark.parametrize("estimate", QUANTILES)
    def test_moves_with_the_unit(self, estimate):
        values = rng().gamma(2, 1, 100)
        one, thousand = estimate(values, rng()), estimate(1000 * values, rng())
        assert thousand.low == pytest.approx(1000 * one.low)
        assert thousand.high == pytest.approx(1000 * one.high)

    def test_of_jitter_is_that_of_p95_above_the_least(self):
        values = rng().gamma(2, 1, 100) + 20
        above, percentile = jitter(values, rng()), p95(values, rng())
        assert above.high == pytest.approx(percentile.high - values.min())

    def test_same_seed_same_interval(self):
        values = rng().normal(0, 1, 100)
        assert p95(values, rng()) == p95(values, rng())
        assert p95(values, rng()) != p95(values, np.random.default_rng(13))

    @pytest.mark.parametrize("count", [20, 73, 74, 75, 121])
    def test_the_last_block_may_be_short(self, count):
        result = median(rng().normal(10, 1, count), rng())
        assert 9 < result.low < result.high < 11


class TestDegenerate:
    @pytest.mark.parametrize("estimate", [median, p95])
    def test_identical_values_have_no_width(self, estimate):
        assert estimate([7.5] * 80, rng()) == Estimate(7.5, 7.5, 7.5, 0.95)

    def test_identical_values_have_no_jitter(self):
        assert jitter([7.5] * 80, rng()) == Estimate(0, 0, 0, 0.95)

    @pytest.mark.parametrize("estimate", QUANTILES)
    @pytest.mark.parametrize(
        "values",
        [[5.0] * 99 + [6.0], [6.0] + [5.0] * 99, [1.0, 2.0] * 50, [5.0] * 97 + [1.0] * 3],
        ids=["one above", "one first", "two values", "three below"],
    )
    def test_almost_identical_values_give_a_bounded_interval(self, estimate, values):
        result = estimate(values, rng())
        assert 0 <= result.low <= result.value <= result.high <= 6


class TestNeverHeard:
    """Of a hundred clicks, some were never heard."""

    @staticmethod
    def values(unheard, count=1000):
        values = rng().normal(20, 1, count)
        values[: round(unheard * count)] = math.inf
        return rng().permutation(values)

    @pytest.mark.parametrize("sessions", [None, np.repeat(np.arange(5), 200)])
    def test_with_more_than_one_in_twenty_the_percentile_is_infinite(self, sessions):
        """5.6 % were never heard: 94.4 % are in time, and no more can be."""
        estimate = p95(self.values(0.056), rng(), sessions=sessions)
        assert estimate.value == math.inf
        assert math.isfinite(estimate.low)
        assert estimate.high == math.inf

    @pytest.mark.parametrize("sessions", [None, np.repeat(np.arange(5), 200)])
    def test_with_far_more_it_is_surely(self, sessions):
        estimate = p95(self.values(0.2), rng(), sessions=sessions)
        assert (estimate.low, estimate.value, estimate.high) == (math.inf,) * 3

    @pytest.mark.parametrize("sessions", [None, np.repeat(np.arange(5), 200)])
    def test_a_few_make_it_later(self, sessions):
        some = p95(self.values(0.02), rng(), sessions=sessions)
        none = p95(self.values(0.0), rng(), sessions=sessions)
        assert none.value < some.value < some.high < math.inf
        assert some.value == pytest.approx(stats.norm(20, 1).ppf(0.95 / 0.98), abs=0.15)

    def test_the_median_stands_what_the_percentile_does_not(self):
        assert median(self.values(0.2), rng()).high < 21

    @pytest.mark.parametrize("estimate", [median, p95])
    def test_nothing_heard_is_infinitely_late(self, estimate):
        infinite = estimate([math.inf] * 80, rng())
        assert (infinite.low, infinite.value, infinite.high) == (math.inf,) * 3

    def test_nothing_heard_has_no_jitter(self):
        assert math.isnan(jitter([math.inf] * 80, rng()).value)

    def test_jitter_is_infinite_where_the_percentile_is(self):
        assert jitter(self.values(0.1), rng()).value == math.inf

    @given(
        values=st.lists(st.floats(0, 1e3) | st.just(math.inf), min_size=72, max_size=90),
        sessions=st.integers(1, 6),
    )
    @examples(30)
    def test_whatever_was_heard_the_interval_contains_the_value(self, values, sessions):
        labels = np.arange(len(values)) * sessions // len(values)
        for estimate in (median, p95):
            result = estimate(values, rng(), sessions=labels)
            assert result.low <= result.value <= result.high


class TestWorstOf:
    def test_is_the_largest_of_each(self):
        unknown = Estimate(math.nan, 0, 1, 0.95)
        bad = Estimate(60, 59, 100, 0.95)
        assert worst_of([unknown, bad]) == worst_of([bad, unknown]) == bad
        judged = worst_of([Estimate(3, 1, 9, 0.95), Estimate(4, 2, 5, 0.95)])
        assert judged == Estimate(4, 2, 9, 0.95)

    def test_among_many_the_low_end_is_lower_and_the_high_end_is_as_it_was(self):
        values, sessions = rng().normal(20, 1, 120), np.repeat(np.arange(5), 24)
        one, thirty = (p95(values, rng(), sessions=sessions, among=m) for m in (1, 30))
        assert thirty.low < one.low
        assert thirty.high == one.high


class TestTooFew:
    @pytest.mark.parametrize("estimate", QUANTILES)
    def test_no_values_no_value(self, estimate):
        result = estimate([], rng())
        assert math.isnan(result.value)
        assert (result.low, result.high) == (-math.inf, math.inf)

    @pytest.mark.parametrize(("estimate", "needed"), [(median, 20), (p95, 72), (jitter, 72)])
    def test_fewer_than_needed_leave_the_interval_open(self, estimate, needed):
        values = rng().normal(20, 1, needed)
        open_ended = estimate(values[1:], rng())
        assert math.isfinite(open_ended.value)
        assert (open_ended.low, open_ended.high) == (-math.inf, math.inf)
        assert math.isfinite(estimate(values, rng()).high)

    @pytest.mark.parametrize(
        ("quantile", "confidence"), [(0.95, 0.95), (0.05, 0.95), (0.95, 0.99), (0.99, 0.95)]
    )
    def test_needed_is_where_all_on_one_side_becomes_unlikely(self, quantile, confidence):
        needed = values_needed(quantile, confidence)
        one_side = max(quantile, 1 - quantile)
        assert one_side**needed <= (1 - confidence) / 2 < one_side ** (needed - 1)

    def test_needed_values_bound_the_order_statistics_too(self):
        values = np.arange(values_needed(0.95))
        interval = stats.quantile_test(values, p=0.95).confidence_interval(0.95)
        assert math.isfinite(interval.low + interval.high)


class TestProportion:
    @pytest.mark.parametrize(("heard", "missed"), [(95, 5), (100, 0), (0, 40), (1, 1)])
    def test_is_wilsons_formula(self, heard, missed):
        result = proportion(heard, heard + missed)
        n, z = heard + missed, stats.norm.ppf(0.975)
        share = heard / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        assert result.value == share
        assert result.low == pytest.approx(centre - half, abs=1e-9)
        assert result.high == pytest.approx(centre + half, abs=1e-9)

    def test_of_nothing_emitted_is_unknown(self):
        result = proportion(0, 0)
        assert math.isnan(result.value)
        assert (result.low, result.high) == (0, 1)


class TestBadInput:
    @pytest.mark.parametrize("estimate", QUANTILES)
    def test_missed_clicks_are_not_dropped_in_silence(self, estimate):
        with pytest.raises(ValueError, match="1 of 3 values are NaN: a click that was never heard"):
            estimate([1.0, math.nan, 2.0], rng())

    @pytest.mark.parametrize("estimate", QUANTILES)
    def test_tables_are_refused(self, estimate):
        with pytest.raises(ValueError, match=r"values have shape \(2, 1\): pass one dimension"):
            estimate([[1.0], [2.0]], rng())
