"""The time by which a share of a population's calls has sound, with both errors.

The share of calls that have sound within a time t is a success rate like any other: of calls drawn
from the population, with the errors of its weights and of the number of calls
(`jamlab.measure.connectivity.sensitivity`). A quantile's interval is the times at which the band of
that curve reaches the quantile (Brookmeyer and Crowley, Biometrics 38, 1982). A call without sound
never counts, so a quantile above the share that has sound at all is infinite.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.connectivity.attempt import FAILED
from jamlab.measure.connectivity.sensitivity import Population, PopulationRate, rate_within
from jamlab.measure.statistics import CONFIDENCE, Estimate, resampling


def time_to_sound(sessions: pd.DataFrame, population: Population, quantile: float) -> Estimate:
    """Estimate the time in seconds by which a share of a population's calls has sound.

    The sessions are of one configuration, their calls drawn from the population. Raises ValueError
    when the quantile is not above 0 and below 1.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}: give a share above 0 and below 1")
    sounds_s = sessions["first_sound_s"].dropna().to_numpy(np.float64)
    times_s = np.unique([0.0, *sounds_s])  # at 0 none has sound; of few calls that says little
    rates: dict[int, PopulationRate] = {}

    def rate(index: int) -> PopulationRate:
        if index not in rates:
            rates[index] = sound_within(sessions, population, float(times_s[index]))
        return rates[index]

    value = _first(times_s, lambda index: rate(index).both.value >= quantile)
    low = _first(times_s, lambda index: rate(index).both.high >= quantile)
    high = _first(times_s, lambda index: rate(index).both.low >= quantile)
    return Estimate(value, min(low, value), max(high, value), CONFIDENCE)


def sound_within(sessions: pd.DataFrame, population: Population, time_s: float) -> PopulationRate:
    """Return the share of a population's calls that have sound within a time, with both errors."""
    sounds = sessions["first_sound_s"] <= time_s
    by_then = sessions.assign(result=sessions["result"].where(sounds, FAILED))
    return rate_within(by_then, "connected", population, resampling(), drawn=True)


def _first(times_s: NDArray[np.float64], reached: Callable[[int], bool]) -> float:
    """Return the first time that a curve has reached; infinite if none, by bisection."""
    low, high = 0, len(times_s)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return float(times_s[low]) if low < len(times_s) else math.inf
