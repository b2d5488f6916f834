"""Figures of an interval from counters that only grow."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

AGE_S = 10.0
"""Age of the oldest value, of statistics with times of their own, that counts as present."""
_TOGETHER_S = 0.002  # statistics of one call of getStats


def gained(counts: Values) -> Values:
    """Return what a counter gained since the sample before; NaN at first and where it fell."""
    steps = np.diff(counts, prepend=np.nan)
    return np.where(steps >= 0, steps, np.nan)


def changed(counts: Values) -> Values:
    """Return the change of a counter that may fall, as lost packets do; NaN at first."""
    return np.diff(counts, prepend=np.nan)


def mean_ms(total_s: Values, count: Values) -> Values:
    """Return the mean of each interval from counters of seconds and of samples, in milliseconds.

    NaN where nothing was counted.
    """
    return 1000 * ratio(gained(total_s), gained(count))


def ratio(part: Values, whole: Values) -> Values:
    """Return part of whole; NaN where the whole is not above 0."""
    unknown = np.full(len(part), np.nan)
    return np.asarray(np.divide(part, whole, out=unknown, where=whole > 0), np.float64)


def at(times: Values, own: Values, values: Values, age_s: float = AGE_S) -> Values:
    """Return the latest value at each time, of statistics with times of their own.

    NaN where none is known, and where it is older than `age_s`.
    """
    known = np.isfinite(values)
    own, values = own[known], values[known]
    if not len(own):
        return np.full(len(times), np.nan)
    place = np.searchsorted(own, times + _TOGETHER_S, side="right") - 1
    found, age = values[place], times - own[place]
    return np.asarray(np.where((place >= 0) & (age <= age_s), found, np.nan), np.float64)
