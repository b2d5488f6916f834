"""Latency of each click between two players, from what one emitted and the other's page played."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from jamlab.audio.levels import dbfs_of
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import ClickReading, read_clicks
from jamlab.measure.latency.plan import MAX_LATENCY_S

TimeOf: TypeAlias = Callable[[float], float]
"""Takes a frame at 48 kHz and returns its time in seconds, by a clock that all players share."""

_EARLY_S = 0.02  # the clocks' error may make a click seem early


@dataclass(frozen=True)
class Mouth:
    """A player's clicks: the metronome and the times of its frames."""

    metronome: Metronome
    time_of: TimeOf

    def clicks(self, begin_s: float, end_s: float) -> range:
        """Return the numbers of the clicks emitted between two times."""
        frames = [int((each - self.time_of(0)) * SAMPLE_RATE) for each in (begin_s, end_s)]
        return self.metronome.clicks_between(*frames)


@dataclass(frozen=True)
class Ear:
    """A recording of a player's ear: mono at 48 kHz, and the times of its frames."""

    samples: NDArray[np.float32]
    time_of: TimeOf


def at_48_khz(samples: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Return a recording at 48 kHz; its first frame stays at its time."""
    if rate_hz == SAMPLE_RATE:
        return samples
    ratio = Fraction(SAMPLE_RATE) / Fraction(rate_hz).limit_denominator(1000)
    return np.asarray(signal.resample_poly(samples, *ratio.as_integer_ratio()), dtype=np.float32)


def latencies(mouth: Mouth, ears: Iterable[Ear], clicks: Sequence[int]) -> list[ClickReading]:
    """Return the reading of every click, at the ear that heard it first; delays in frames.

    A listener has several ears when its page plays by several audio contexts.
    """
    best = [ClickReading(each, mouth.metronome.onset(each), np.nan, 0.0) for each in clicks]
    for ear in ears:
        best = [
            min(pair, key=_lateness)
            for pair in zip(best, _readings(mouth, ear, clicks), strict=True)
        ]
    return best


def level_db(ears: Iterable[Ear], clicks_dbfs: float) -> float:
    """Return the peak level of several ears together, in dB above the emitted clicks'."""
    peak = max((float(np.abs(ear.samples).max(initial=0.0)) for ear in ears), default=0.0)
    return float(dbfs_of(peak)) - clicks_dbfs


def _lateness(reading: ClickReading) -> tuple[float, float]:
    return (reading.delay if reading.heard else np.inf, -reading.confidence)


def _readings(mouth: Mouth, ear: Ear, clicks: Sequence[int]) -> list[ClickReading]:
    """Search one recording; a delay is the difference of two times, whatever the clocks' rates."""
    origin = round((ear.time_of(0) - mouth.time_of(0)) * SAMPLE_RATE)
    found = read_clicks(
        ear.samples,
        mouth.metronome,
        clicks,
        min_delay_s=-_EARLY_S,
        max_delay_s=MAX_LATENCY_S,
        origin=origin,
    )
    return [_timed(mouth, ear, reading, origin) for reading in found]


def _timed(mouth: Mouth, ear: Ear, reading: ClickReading, origin: int) -> ClickReading:
    if not reading.heard:
        return reading
    heard_s = ear.time_of(reading.onset + reading.delay - origin)
    return replace(reading, delay=(heard_s - mouth.time_of(reading.onset)) * SAMPLE_RATE)
