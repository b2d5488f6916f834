"""Sines as test signals: sources that play them, and fits of their level and SINAD.

A recording is fitted with sines of known frequencies and a constant, by least squares (the
three-parameter fit of IEEE Std 1057, for several sines at once). The fitted amplitudes are the
levels; the residual is noise and distortion. The ratio of the sines to it is SINAD, whose inverse
is the THD+N of AES17 with an ideal notch filter.

The frequencies must be exactly those that were played: with card clocks 100 ppm apart, a sine of
1 kHz turns by 0.06 radians in 100 ms, which alone keeps SINAD below 35 dB. Virtual cards share a
clock.
A splice or a gap spoils the fit of its window, so recordings are fitted window by window, and the
median counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.card import Source
from jamlab.audio.levels import amplitude_of, dbfs_of
from jamlab.audio.pcm import SAMPLE_RATE, Block, silence

AES17_HZ = 997.0
"""AES17's frequency for tests of level and distortion; prime, so that sample values vary."""

_LEAST_RESIDUAL = amplitude_of(-180.0)  # rounding: a perfect sine's residual is not exactly 0


@dataclass(frozen=True, slots=True)
class SineFit:
    """The fit of sines to a stretch of one channel."""

    levels_dbfs: tuple[float, ...]
    """Level of each sine."""
    sinad_db: float
    """RMS of all sines together over the RMS of the residual."""


def fit_sines(samples: NDArray[np.floating], frequencies_hz: Sequence[float]) -> SineFit:
    """Fit sines of known frequencies to a stretch of one channel, at 48 kHz and full scale ±1.

    The frequencies are different, above 0 and below 24 kHz. Raises ValueError when the stretch is
    too short for the fit, or is not a single channel.
    """
    _check(samples, frequencies_hz)
    signals = _signals(len(samples), frequencies_hz)
    wanted = samples.astype(np.float64)
    found = np.linalg.lstsq(signals, wanted, rcond=None)[0]
    residual = np.sqrt(np.mean(np.square(wanted - signals @ found)))
    amplitudes = np.hypot(found[1::2], found[2::2])
    signal = np.sqrt(np.sum(np.square(amplitudes)) / 2)
    ratio = max(float(signal), _LEAST_RESIDUAL) / max(float(residual), _LEAST_RESIDUAL)
    return SineFit(tuple(dbfs_of(amplitudes).tolist()), float(20 * np.log10(ratio)))


def _signals(frames: int, frequencies_hz: Sequence[float]) -> NDArray[np.float64]:
    """Return the fit's basis, a column each: a constant, and sine and cosine of each frequency."""
    times_s = np.arange(frames) / SAMPLE_RATE
    columns = [np.ones(frames)]
    for frequency_hz in frequencies_hz:
        phase = 2 * np.pi * frequency_hz * times_s
        columns += [np.cos(phase), np.sin(phase)]
    return np.stack(columns, axis=1)


def _check(samples: NDArray[np.floating], frequencies_hz: Sequence[float]) -> None:
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}: pass one channel, e.g. block[:, 0]")
    distinct = {hz for hz in frequencies_hz if 0 < hz < SAMPLE_RATE / 2}
    if not distinct or len(distinct) < len(frequencies_hz):
        raise ValueError(
            f"frequencies are {list(frequencies_hz)} Hz: give each once, above 0 and below 24000"
        )
    ends_hz = sorted({0.0, *distinct})
    nearest_hz = min(b - a for a, b in pairwise(ends_hz))
    if len(samples) * nearest_hz < SAMPLE_RATE:
        raise ValueError(
            f"{len(samples)} frames cannot tell sines {nearest_hz:g} Hz apart from each other: "
            f"give at least {int(SAMPLE_RATE / nearest_hz) + 1}"
        )


def windows(block: Block, frames: int) -> list[Block]:
    """Cut a recording into windows of a number of frames; the rest is dropped."""
    return [block[start : start + frames] for start in range(0, len(block) - frames + 1, frames)]


def tone(frequencies_hz: Sequence[float], level_dbfs: float) -> Source:
    """Return a source of a steady sine in each channel, left and right, at one level.

    Examples
    --------
    >>> source = tone((440.0, 660.0), -6.0)
    >>> source(0, 48_000).shape
    (48000, 2)
    """
    amplitude = amplitude_of(level_dbfs)

    def source(start: int, frames: int) -> Block:
        turns = np.outer(np.arange(start, start + frames), frequencies_hz) / SAMPLE_RATE
        return np.asarray(amplitude * np.sin(2 * np.pi * turns), dtype=np.float32)

    return source


@dataclass(frozen=True)
class Steps:
    """A source with a sine in each channel at one level after another, then silence.

    Frequencies and levels are pairs, left and right. The first step begins at the frame `begin`.
    """

    levels_dbfs: Sequence[tuple[float, float]]
    frequencies_hz: tuple[float, float]
    step_frames: int
    begin: int = 0

    @property
    def end(self) -> int:
        """Frame after the last step."""
        return self.begin + len(self.levels_dbfs) * self.step_frames

    def source(self, start: int, frames: int) -> Block:
        """Return a block of the signal; a `Source`."""
        steps = (np.arange(start, start + frames) - self.begin) // self.step_frames
        heard = (steps >= 0) & (steps < len(self.levels_dbfs))
        if not heard.any():
            return silence(frames)
        gains = 10 ** (np.asarray(self.levels_dbfs) / 20)
        gain = np.where(heard[:, None], gains[np.clip(steps, 0, len(gains) - 1)], 0.0)
        played: Block = tone(self.frequencies_hz, 0.0)(start, frames) * gain.astype(np.float32)
        return played

    def inner(self, step: int) -> tuple[int, int]:
        """Return the first frame of the middle half of a step, and its length in frames."""
        quarter = self.step_frames // 4
        return self.begin + step * self.step_frames + quarter, 2 * quarter
