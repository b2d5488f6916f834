"""Reading of one click far below other sound, whose place and identity are known.

The click is sought in whitened sound, within `REACH` frames of where it is expected. Noise there
reaches `LEAST_POWER` once in a thousand clicks, and is then off by no more than the window. A click
that is further away is missing, not wrong. The time is that of the envelope's peak: at this level
the cycles of the carrier cannot be told apart.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import signal

from jamlab.audio.metronome import CHIP_FRAMES, GUARD_CHIPS, IDENTITIES
from jamlab.measure.recording.listening.search import code_of
from jamlab.measure.recording.listening.whitening import STEP, whitened

REACH = 18
"""Frames from the expected place to both ends of the window."""
LEAST_POWER = 9.0
"""Least power, 229·r², of a faint click that is read; that of noise obeys exp(-power)."""
CONTEXT = 1_600
"""Frames before and after a click that the whitening needs."""

_UPSAMPLING = 16
_OWN = 0.13  # by which a click lowers the gain where all power is its own
_LAGS = 12  # places beyond the window, for the interpolation


class FaintReading(NamedTuple):
    """One faint click."""

    off: float
    """Frames from the expected place to the click."""
    confidence: float
    amplitude: float
    """Its highest peak, full scale 1, if it arrives as it was made."""


def read_faint(
    excerpt: NDArray[np.float32], voice: int, click: int, waveform: NDArray[np.float32]
) -> FaintReading | None:
    """Read a click that is expected `CONTEXT` frames after an excerpt begins.

    `waveform` is the click at full scale.
    """
    white = whitened(excerpt)
    first = (CONTEXT + GUARD_CHIPS * CHIP_FRAMES) // STEP - REACH // STEP - _LAGS
    count = 2 * (REACH // STEP + _LAGS) + 1
    part = slice(first, first + count + 2 * (IDENTITIES - 1))
    windows = sliding_window_view(white.samples[part], 2 * IDENTITIES - 1)[:, ::2]
    likeness = windows @ code_of(voice)[:, click % IDENTITIES]
    fine = np.abs(signal.resample(likeness, count * _UPSAMPLING))
    middle = (count // 2) * _UPSAMPLING
    reach = REACH * _UPSAMPLING // STEP
    peak = middle - reach + int(np.argmax(fine[middle - reach : middle + reach + 1]))
    if abs(peak - middle) == reach:  # the flank of a peak outside
        return None
    row = round(peak / _UPSAMPLING)
    energy = float(np.sum(np.square(np.abs(windows[row]))))
    power = fine[peak] ** 2 / max(energy, 1e-9)
    if power < LEAST_POWER:
        return None
    gain = float(white.gains[part][row : row + 2 * IDENTITIES - 1 : 2].sum())
    before, at, after = fine[peak - 1 : peak + 2]
    vertex = 0.5 * (before - after) / (before - 2 * at + after)
    off = float(peak - middle + vertex) * STEP / _UPSAMPLING
    share = min(1.0, float(power) / IDENTITIES)
    scale = 2 * IDENTITIES**0.5 / float(np.linalg.norm(waveform)) * (1 + _OWN * share)
    return FaintReading(off, share**0.5, scale * float(at) / gain)
