"""Estimates with intervals, from the delays of clicks that were heard.

Consecutive clicks share a playout buffer, a queue and a clock, so they are not independent, and an
interval that takes them for independent is too narrow. Here blocks of ``⌈n^⅓⌉`` consecutive values
are resampled instead of single ones (Carlstein 1986; the block length is the usual rate of Hall,
Horowitz and Jing 1995). A bootstrap, though, never exceeds the largest value it was given, so the
interval is widened to the distribution-free one from order statistics (Conover 1999 §3.2) wherever
that one is wider. Simulated coverage of the 95 % intervals, 80 to 300 normal values: 95–98 % when
independent, 84–92 % at an autocorrelation of 0.6. Dependence over more than a block, say a network
that changes every minute, is beyond any single run: make several.

A quantile cannot be bounded from fewer than `values_needed` values, because too likely all lie on
one side of it. Fewer give an estimate with the interval ``(-inf, inf)``, which straddles every
limit: its verdict is INCONCLUSIVE.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""Probability with which the intervals cover the true value."""

RESAMPLES = 2_000
"""Bootstrap resamples; their noise moves an end of the interval by a few percent of its width."""

_LEAST_VALUES = 20
_BATCH = 100  # resamples held in memory at a time


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the interval that covers the true one with a probability of `confidence`."""

    value: float
    low: float
    high: float
    confidence: float


def values_needed(quantile: float, confidence: float = CONFIDENCE) -> int:
    """Return how many values an interval of a quantile takes.

    With fewer, the chance that every value lies below (or every value above) the true quantile
    exceeds half of what `confidence` leaves; 72 for the 95th percentile at 95 %. Never below 20, so
    that there are blocks to resample.
    """
    one_sided = math.log((1 - confidence) / 2) / math.log(max(quantile, 1 - quantile))
    return max(_LEAST_VALUES, math.ceil(one_sided))


def median(values: ArrayLike, rng: np.random.Generator, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the median.

    Parameters
    ----------
    values : array_like, shape (n,)
        Heard values in the order they occurred, any unit.
    rng : numpy.random.Generator
        Source of the resamples; the same seed gives the same interval.
    confidence : float
        Probability of the interval.

    Returns
    -------
    Estimate
        In the unit of the values. NaN without values; unbounded with fewer than `values_needed`.

    Raises
    ------
    ValueError
        When the values are not 1-D, or one is NaN or infinite.
    """
    return _quantile(_checked(values), 0.5, rng, confidence)


def p95(values: ArrayLike, rng: np.random.Generator, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the 95th percentile; parameters and errors as in `median`."""
    return _quantile(_checked(values), 0.95, rng, confidence)


def jitter(values: ArrayLike, rng: np.random.Generator, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the jitter: the 95th percentile of the delay beyond the shortest delay.

    This is the packet delay variation (PDV) of RFC 5481 §4.2. Parameters and errors as in `median`.

    Notes
    -----
    The shortest delay is taken as known: no bootstrap holds for an extreme, and it moves far less
    than the percentile does.
    """
    delays = _checked(values)
    return _quantile(delays - delays.min(initial=math.inf), 0.95, rng, confidence)


def heard_share(heard: int, emitted: int, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the share of the emitted clicks that is heard, 0 to 1, with Wilson's interval.

    Returns
    -------
    Estimate
        NaN in ``[0, 1]`` when no click was emitted.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927.
    """
    if emitted == 0:
        return Estimate(math.nan, 0.0, 1.0, confidence)
    test = stats.binomtest(heard, emitted)
    interval = test.proportion_ci(confidence, method="wilson")
    return Estimate(test.statistic, float(interval.low), float(interval.high), confidence)


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values have shape {array.shape}: pass one dimension, in order of time")
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(
            f"{bad} of {array.size} values are NaN or infinite: pass the heard ones and report "
            "the others with heard_share"
        )
    return array


def _quantile(
    values: NDArray[np.float64], quantile: float, rng: np.random.Generator, confidence: float
) -> Estimate:
    if values.size == 0:
        return Estimate(math.nan, -math.inf, math.inf, confidence)
    value = float(np.quantile(values, quantile))
    if values.size < values_needed(quantile, confidence):
        return Estimate(value, -math.inf, math.inf, confidence)
    if np.ptp(values) == 0:
        return Estimate(value, value, value, confidence)
    low, high = _block_bootstrap(values, quantile, rng, confidence)
    test: Any = stats.quantile_test(values, p=quantile)  # scipy-stubs has its interval as a float
    order = test.confidence_interval(confidence)
    return Estimate(value, min(low, float(order.low)), max(high, float(order.high)), confidence)


def _block_bootstrap(
    values: NDArray[np.float64], quantile: float, rng: np.random.Generator, confidence: float
) -> tuple[float, float]:
    """Resample blocks of consecutive values; the last one is completed from the beginning."""
    length = math.ceil(values.size ** (1 / 3))
    count = math.ceil(values.size / length)
    blocks = np.resize(values, (count, length))

    def statistic(rows: NDArray[np.intp], axis: int = -1) -> NDArray[np.float64]:
        drawn = blocks[np.moveaxis(rows, axis, -1)]
        return np.asarray(np.quantile(drawn, quantile, axis=(-2, -1)), dtype=np.float64)

    def ends(method: str) -> tuple[float, float]:
        return _bootstrap_ends(np.arange(count), statistic, rng, confidence, method)

    low, high = ends("BCa")
    return ends("percentile") if math.isnan(low + high) else (low, high)


def _bootstrap_ends(
    rows: NDArray[np.intp],
    statistic: Callable[..., NDArray[np.float64]],
    rng: np.random.Generator,
    confidence: float,
    method: Any,
) -> tuple[float, float]:
    """Run SciPy's bootstrap; degenerate BCa gives NaN, and its warnings say no more than that."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        result = stats.bootstrap(
            (rows,),
            statistic,
            n_resamples=RESAMPLES,
            batch=_BATCH,
            vectorized=True,
            confidence_level=confidence,
            method=method,
            rng=rng,
        )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)
