"""History of the participants' levels: one line per second and participant."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.ballistics import Gauge
from jamlab.audio.levels import dbfs_of
from jamlab.audio.pcm import SAMPLE_RATE

INTERVAL_S = 1.0
"""Shortest interval of a line; it ends with the block that completes it."""

KEPT = 4 * 3600
"""Latest lines that are kept: four hours of one participant, half an hour of eight."""


@dataclass(frozen=True, slots=True)
class PastLevel:
    """Levels of one participant over one interval; each is that of the louder channel."""

    at_s: float
    """End of the interval, in seconds of sound since the start of the history."""
    name: str
    peak_dbfs: float
    rms_dbfs: float
    """RMS over the interval, unweighted (AES17)."""


@dataclass
class _Sum:
    frames: int = 0
    peak: float = 0.0
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))


class LevelHistory:
    """The levels of a session's participants over time."""

    def __init__(self) -> None:
        self.lines: deque[PastLevel] = deque(maxlen=KEPT)
        self._sums: dict[str, _Sum] = {}
        self._frames = 0
        self._began = 0

    def note(self, names: tuple[str, ...], gauge: Gauge) -> None:
        """Add sound by its measures, a row per name."""
        if not gauge.frames:
            return
        peaks = gauge.peaks.max(axis=1).tolist() if names else []
        for name, peak, squares in zip(names, peaks, gauge.squares, strict=True):
            total = self._sums.setdefault(name, _Sum())
            total.frames += gauge.frames
            total.peak = max(total.peak, peak)
            total.squares += squares
        self._frames += gauge.frames
        if self._frames - self._began >= INTERVAL_S * SAMPLE_RATE:
            self._end()

    def _end(self) -> None:
        for name, total in self._sums.items():
            rms = np.sqrt(2 * total.squares.max() / total.frames)
            line = PastLevel(
                self._frames / SAMPLE_RATE, name, float(dbfs_of(total.peak)), float(dbfs_of(rms))
            )
            self.lines.append(line)
        self._sums.clear()
        self._began = self._frames
