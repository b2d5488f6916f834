"""Confidence intervals of a quantile or a share over all sessions, from a sample of sessions.

Delay changes in steps (a buffer's target, the phase of two cards, another route), so the clicks of
one session say little about the next session. The estimate is the quantile over *all* sessions, of
which some were drawn. The largest of five draws is below the 95th percentile of its distribution
three times out of four, so resampling alone cannot bound it; it takes a model of how sessions
differ.

Each draw takes whole sessions with replacement (Davison and Hinkley 1997 §3.8) and replaces their
levels by levels from a distribution whose parameters are drawn as well: a normal one, whose bound
is then that of the noncentral t (generalized confidence interval, Krishnamoorthy and Mathew 2009
§5), and an exponential one above an unknown least value, for levels that are skewed as queues are
(Lawless 2003 §4.1). A session's level is its median, or its own quantile of that order, so that
sessions may differ in spread as well. The ends are the outermost of all; ``python -m
bench.coverage`` prints how often they hold.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

DRAWS = 1_000
"""Draws of each model; their noise moves an end by a few percent of the interval's width."""

_VALUES = 100  # values a session is drawn as: more take minutes and change nothing


def quantile_ends(
    sessions: list[NDArray[np.float64]],
    quantile: float,
    tails: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the interval of the quantile over all sessions, two or more.

    The values may be infinite. `tails` are the probabilities that the quantile is below the low
    end, and above the high end.
    """
    lows, highs = [], []
    for levels in _levels(sessions, quantile):
        around = [values - level for values, level in zip(sessions, levels, strict=True)]
        resampled = _resampled(around, rng)
        normal = _normal(levels, rng, resampled.shape)
        skewed = _exponential(levels, rng, resampled.shape)
        lows += [_order(_picked(resampled + each, quantile), tails[0]) for each in (normal, skewed)]
        highs.append(_order(_picked(resampled + normal, quantile), 1 - tails[1]))
        # Very wide for sessions that are not skewed, so it gets the error of both sides.
        highs.append(_order(_picked(resampled + skewed, quantile), 1 - 2 * tails[1]))
    return min(lows), max(highs)


def _levels(sessions: list[NDArray[np.float64]], quantile: float) -> Iterator[NDArray[np.float64]]:
    """Yield the levels that may differ between sessions: the medians, then the quantiles."""
    heard = [values[np.isfinite(values)] for values in sessions]
    known = np.concatenate(heard)
    for order in dict.fromkeys((0.5, quantile)):
        middle = float(np.quantile(known, order)) if len(known) else 0.0
        yield np.array([np.quantile(each, order) if len(each) else middle for each in heard])


def _resampled(around: list[NDArray[np.float64]], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw as many sessions as there are, each as `_VALUES` of its values, evenly by rank."""
    count = min(max(map(len, around)), _VALUES)
    shares = (np.arange(count) + 0.5) / count
    table = np.stack([np.sort(each)[(shares * len(each)).astype(int)] for each in around])
    drawn = rng.integers(0, len(table), (DRAWS, len(table)))
    return np.asarray(table[drawn].reshape(DRAWS, -1), dtype=np.float64)


def _normal(
    levels: NDArray[np.float64], rng: np.random.Generator, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Draw levels from a normal distribution whose mean and deviation are drawn as well."""
    count, draws = len(levels), (shape[0], 1)
    deviation = levels.std(ddof=1) * np.sqrt((count - 1) / rng.chisquare(count - 1, draws))
    mean = levels.mean() + deviation / math.sqrt(count) * rng.standard_normal(draws)
    return np.asarray(mean + deviation * rng.standard_normal(shape), dtype=np.float64)


def _exponential(
    levels: NDArray[np.float64], rng: np.random.Generator, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Draw levels from an exponential distribution, whose scale and least value are drawn too."""
    count, draws = len(levels), (shape[0], 1)
    least = levels.min()
    scale = 2 * (levels - least).sum() / rng.chisquare(2 * count - 2, draws)
    start = least - scale / count * rng.standard_exponential(draws)
    return np.asarray(start + scale * rng.standard_exponential(shape), dtype=np.float64)


def _picked(rows: NDArray[np.float64], quantile: float) -> NDArray[np.float64]:
    """Return the quantile of every row without interpolation, since values may be infinite."""
    place = math.ceil(quantile * rows.shape[1]) - 1
    return np.asarray(np.partition(rows, place, axis=1)[:, place], dtype=np.float64)


def _order(values: NDArray[np.float64], share: float) -> float:
    place = min(max(math.ceil(share * len(values)) - 1, 0), len(values) - 1)
    return float(np.partition(values, place)[place])


def share_ends(
    parts: NDArray[np.float64], wholes: NDArray[np.float64], alpha_low: float, alpha_high: float
) -> tuple[float, float]:
    """Return the interval of a share over all sessions, 0 to 1, from the counts of each session.

    Its ends are the outermost of three models: all sessions alike, so that only the counts matter
    (Clopper and Pearson); shares that are normal between sessions (Student); and, for the high end,
    shares that are exponential, because most sessions lose nothing and some a lot.

    The alphas are the probabilities that the share is below the low end, and above the high end.
    """
    part, whole = float(parts.sum()), float(wholes.sum())
    lows = [float(stats.beta.ppf(alpha_low, part, whole - part + 1)) if part > 0 else 0.0]
    highs = [float(stats.beta.ppf(1 - alpha_high, part + 1, whole - part)) if part < whole else 1.0]
    shares, count = parts / wholes, len(parts)
    if count > 1:
        error = float(shares.std(ddof=1)) / math.sqrt(count)
        mean = float(shares.mean())
        lows.append(mean + error * float(stats.t.ppf(alpha_low, count - 1)))
        highs.append(mean - error * float(stats.t.ppf(alpha_high, count - 1)))
        highs.append(2 * count * mean / float(stats.chi2.ppf(2 * alpha_high, 2 * count)))
    return max(0.0, min(lows)), min(1.0, max(highs))
