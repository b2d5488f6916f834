"""Estimates with confidence intervals, from the delays of clicks.

A click that was never heard is infinitely late: its value is infinity, so a quantile is infinite
where there are too many of them.

*Several sessions*: an interval is for all sessions of that kind, of which some were drawn; see
`jamlab.measure.between_sessions`. *One session*: it is for that session alone. Consecutive clicks
share a playout buffer, a queue and a clock, so they are not independent, and blocks of ``⌈n^⅓⌉``
consecutive values are resampled instead of single ones (Carlstein 1986; the block length is the
usual rate of Hall, Horowitz and Jing 1995). Either way the interval is widened to the
distribution-free one from order statistics (Conover 1999 §3.2) where that one is wider, because a
bootstrap never exceeds the largest of its values.

Fewer than `values_needed` values do not bound a quantile, because all of them are too likely to lie
on one side of it. The interval is then ``(-inf, inf)``, which straddles every limit: the verdict is
INCONCLUSIVE.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from jamlab.measure.between_sessions import quantile_ends, share_ends
from jamlab.measure.within_session import RESAMPLES as RESAMPLES
from jamlab.measure.within_session import block_bootstrap, order_statistics

CONFIDENCE = 0.95
"""Probability that an interval covers the true value."""

_LEAST_VALUES = 20
_SEED = 20


def resampling() -> np.random.Generator:
    """Return the generator that intervals are drawn with, so that a record gives one report."""
    return np.random.default_rng(_SEED)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval that covers the true value with a probability of `confidence`."""

    value: float
    low: float
    high: float
    confidence: float


def values_needed(quantile: float, confidence: float = CONFIDENCE) -> int:
    """Return the number of values that an interval of a quantile needs.

    With fewer, the chance that every value lies below (or every value above) the true quantile
    exceeds half of ``1 - confidence``; 72 for the 95th percentile at 95 %. Never below 20, so
    that there are blocks to resample.
    """
    one_sided = math.log((1 - confidence) / 2) / math.log(max(quantile, 1 - quantile))
    return max(_LEAST_VALUES, math.ceil(one_sided))


def median(
    values: ArrayLike,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    *,
    sessions: ArrayLike | None = None,
    among: int = 1,
) -> Estimate:
    """Estimate the median, in the unit of the values; NaN without any.

    The values, shape (n,), are in order of time, and infinite where a click was never heard.
    `sessions` has the session of each value; without it, there is one session. The same seed of
    `rng` gives the same interval, which is unbounded with fewer values than `values_needed`.
    `among` is the number of estimates from which `worst_of` will choose: that many low ends hold at
    once (Bonferroni). Raises ValueError when the values are not 1-D, or one is NaN.
    """
    return _quantile(_checked(values), 0.5, rng, _Wanted(confidence, among), sessions)


def p95(
    values: ArrayLike,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    *,
    sessions: ArrayLike | None = None,
    among: int = 1,
) -> Estimate:
    """Estimate the 95th percentile; parameters and errors as in `median`."""
    return _quantile(_checked(values), 0.95, rng, _Wanted(confidence, among), sessions)


def jitter(
    values: ArrayLike,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    *,
    sessions: ArrayLike | None = None,
) -> Estimate:
    """Estimate the jitter: the 95th percentile of the delay beyond the shortest delay.

    This is the packet delay variation (PDV) of RFC 5481 §4.2. The shortest delay is taken as known:
    no bootstrap holds for an extreme, and it moves far less than the percentile does. Parameters
    and errors are those of `median`.
    """
    return above_least(p95(values, rng, confidence, sessions=sessions), values)


def above_least(estimate: Estimate, values: ArrayLike) -> Estimate:
    """Return an estimate less the least value; NaN where nothing was heard."""
    least = float(np.asarray(values, np.float64).min(initial=math.inf))
    if math.isinf(least):
        return Estimate(math.nan, -math.inf, math.inf, estimate.confidence)
    value, low, high = (each - least for each in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, low, high, estimate.confidence)


def worst_of(estimates: Sequence[Estimate]) -> Estimate:
    """Estimate the largest of several figures, each estimated with ``among=len(estimates)``.

    The low ends hold at once, so none exceeds the largest figure. The high end of the largest
    figure holds with its own probability, and the highest of all high ends is no lower. Figures
    without a value are left out.
    """
    known = [each.value for each in estimates if not math.isnan(each.value)]
    return Estimate(
        max(known, default=math.nan),
        max(each.low for each in estimates),
        max(each.high for each in estimates),
        estimates[0].confidence,
    )


def share_of_sessions(
    parts: ArrayLike, wholes: ArrayLike, confidence: float = CONFIDENCE, *, among: int = 1
) -> Estimate:
    """Estimate a share, 0 to 1, from counts in each of several sessions.

    Sessions with a whole of 0 are left out; NaN in ``[0, 1]`` when every whole is 0. `among` is
    that of `median`.
    """
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    part, whole = part[whole > 0], whole[whole > 0]
    if not len(whole):
        return Estimate(math.nan, 0.0, 1.0, confidence)
    ends = share_ends(part, whole, *_Wanted(confidence, among).tails)
    return Estimate(float(part.sum() / whole.sum()), *ends, confidence)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The probabilities that an interval has to keep."""

    confidence: float
    among: int = 1

    @property
    def tails(self) -> tuple[float, float]:
        """Probabilities that the true value is below the low end, and above the high end."""
        tail = (1 - self.confidence) / 2
        return tail / self.among, tail


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values have shape {array.shape}: pass one dimension, in order of time")
    bad = np.count_nonzero(np.isnan(array))
    if bad:
        raise ValueError(
            f"{bad} of {array.size} values are NaN: a click that was never heard is infinitely late"
        )
    return array


def _quantile(
    values: NDArray[np.float64],
    quantile: float,
    rng: np.random.Generator,
    wanted: _Wanted,
    sessions: ArrayLike | None,
) -> Estimate:
    confidence = wanted.confidence
    if values.size == 0:
        return Estimate(math.nan, -math.inf, math.inf, confidence)
    finite, largest = _finite(values)

    def heard(end: float) -> float:
        return math.inf if end > largest else end

    value = heard(float(np.quantile(finite, quantile)))
    if values.size < values_needed(quantile, confidence):
        return Estimate(value, -math.inf, math.inf, confidence)
    if np.ptp(finite) == 0:
        return Estimate(value, value, value, confidence)
    groups = _groups(values, sessions)
    if len(groups) > 1:
        low, high = quantile_ends(groups, quantile, wanted.tails, rng)
    else:
        low, high = map(heard, block_bootstrap(finite, quantile, rng, 1 - 2 * wanted.tails[0]))
    ends = low, value, high, *map(heard, order_statistics(finite, quantile, wanted.tails))
    return Estimate(value, min(ends), max(ends), confidence)


def _finite(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the values with infinity replaced by a value far beyond the largest, and the largest.

    Values interpolated between them are then beyond the largest as well, and never NaN.
    """
    known = values[np.isfinite(values)]
    if known.size == values.size:
        return values, math.inf
    largest = float(known.max(initial=0.0))
    far = largest + 1e6 * (1.0 + float(np.ptp(known)) if known.size else 1.0)
    return np.where(np.isfinite(values), values, far), largest


def _groups(values: NDArray[np.float64], sessions: ArrayLike | None) -> list[NDArray[np.float64]]:
    if sessions is None:
        return [values]
    labels = np.asarray(sessions)
    return [values[labels == label] for label in np.unique(labels)]


def proportion(
    successes: int,
    trials: int,
    method: Literal["wilson", "exact"] = "wilson",
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Estimate a probability, 0 to 1, from independent trials; NaN in ``[0, 1]`` without trials.

    Wilson's score interval (JASA 22, 1927) covers `confidence` on average and is for display; the
    exact one (Clopper and Pearson, Biometrika 26, 1934) never covers less and is for a verdict.
    """
    if trials == 0:
        return Estimate(math.nan, 0.0, 1.0, confidence)
    test = stats.binomtest(successes, trials)
    interval = test.proportion_ci(confidence, method=method)
    return Estimate(test.statistic, float(interval.low), float(interval.high), confidence)
