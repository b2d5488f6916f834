"""A channel as noise-like as it can be made: what clicks far below music are sought in.

Music has its power in few partials and below 1 kHz; a click has its own evenly in its whole band.
Each cell of a short-time spectrum is divided by the magnitude round it, so that no partial and no
drum hides the rest. The gain is real and the same on both sides of a frame, so a click keeps its
phases and its time. Of the windows and means that were tried, these gain most over chords, drums,
sweeps and noise together: a cell is 5.3 ms and 47 Hz, a mean covers 5 by 3 of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft, ndimage

from jamlab.audio.metronome import CHIP_FRAMES, chip_spectrum
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.listening.search import REACH_HZ, mixed_down

STEP = CHIP_FRAMES // 2
"""Frames from sample to sample."""

_LENGTH = 256
_HOP = _LENGTH // 4
_MEAN = (5, 3)
_FLOOR = 1e-4  # of a frame's mean power: cells below it are rounding errors of loud neighbours
_SILENCE = 1e-8  # power of a cell at -100 dBFS
_WINDOW = np.hanning(_LENGTH + 1)[:_LENGTH].astype(np.float32)
_OFFSETS_HZ = fft.fftfreq(_LENGTH, STEP / SAMPLE_RATE)
_SHAPE = (np.abs(_OFFSETS_HZ) <= REACH_HZ) * chip_spectrum(_OFFSETS_HZ).astype(np.float32)
_OVERLAP = float(np.square(_WINDOW).sum()) / _HOP


@dataclass(frozen=True, slots=True)
class Whitened:
    """A channel in the clicks' band, two samples a chip, filtered by the chip's spectrum."""

    samples: NDArray[np.complex64]
    """Sample m is at frame 4·m."""
    gains: NDArray[np.float32]
    """What a click's amplitude was multiplied by at each sample."""


def whitened(sound: NDArray[np.float32]) -> Whitened:
    """Whiten a channel at 48 kHz."""
    mixed = mixed_down(sound, matched=False)
    frames = sliding_window_view(np.pad(mixed, (_LENGTH, 2 * _LENGTH)), _LENGTH)[::_HOP]
    cells = fft.fft(frames * _WINDOW, axis=1, overwrite_x=True)
    gains = _gains(cells)
    cells *= gains
    parts = np.asarray(fft.ifft(cells, axis=1, overwrite_x=True), np.complex64)
    parts *= _WINDOW
    total = np.float32(np.square(_SHAPE).sum())
    mean = np.outer((gains * _SHAPE).sum(axis=1) / total, np.square(_WINDOW))
    kept = slice(_LENGTH, _LENGTH + len(mixed))
    added = [_added(each)[kept] / _OVERLAP for each in (parts, mean.astype(np.float32))]
    return Whitened(added[0].astype(np.complex64), added[1].real.astype(np.float32))


def _gains(cells: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return the gain of each cell, with the chip's spectrum."""
    power = cells.real**2 + cells.imag**2
    around = ndimage.uniform_filter(power, _MEAN, mode=("nearest", "wrap"))
    floor = _FLOOR * around[:, _SHAPE > 0].mean(axis=1, keepdims=True) + _SILENCE
    return np.asarray(_SHAPE / np.sqrt(np.maximum(around, floor)), np.float32)


def _added(parts: NDArray[np.complex64] | NDArray[np.float32]) -> NDArray[np.complex64]:
    """Add parts that overlap, each `_HOP` after the last."""
    quarters = _LENGTH // _HOP
    total = np.zeros((len(parts) + quarters) * _HOP, np.complex64)
    for first in range(quarters):
        row = parts[first::quarters].reshape(-1)
        total[first * _HOP : first * _HOP + len(row)] += row
    return total
