"""Confidence intervals of a quantile from the values of one session.

Consecutive values are alike, so blocks of them are resampled (Carlstein 1986). Changes over more
than a block, such as a level that changes every few seconds, are not in such an interval; that
takes several sessions (`jamlab.measure.between_sessions`).
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2_000
"""Bootstrap resamples; their noise moves an end of the interval by a few percent of its width."""

_BATCH = 100  # resamples held in memory at a time


def order_statistics(
    values: NDArray[np.float64], quantile: float, tails: tuple[float, float]
) -> tuple[float, float]:
    """Return the values between which the quantile lies, for independent values.

    `tails` are the probabilities that the quantile is below the low end, and above the high end.
    """
    ordered, below = np.sort(values), stats.binom(values.size, quantile)
    low, high = int(below.ppf(tails[0])) - 1, int(below.ppf(1 - tails[1]))
    return (
        float(ordered[low]) if low >= 0 else -math.inf,
        float(ordered[high]) if high < values.size else math.inf,
    )


def block_bootstrap(
    values: NDArray[np.float64], quantile: float, rng: np.random.Generator, confidence: float
) -> tuple[float, float]:
    """Return a quantile's interval, by resampling blocks of consecutive values.

    The last block is completed from the beginning.
    """
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
    """Run SciPy's bootstrap; its warnings are silenced, since degenerate BCa gives NaN anyway."""
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
