"""Ballistics of level meters: peak, peak hold, RMS and clip indication of a stream of samples.

Three readings per channel, all in dBFS (AES17), each by its standard:

===== ==================================================================================
peak  Sample peak, as IEC 60268-18's digital peak meter: it rises at once, and returns by
      20 dB in 1.7 s (its range is 1.4 to 2.0 s).
hold  The highest peak, kept for 1.5 s (IEC 60268-18: 1.0 s ± 0.5 s) and then returning
      as the peak does, unless a higher one comes.
RMS   Exponential time weighting F of IEC 61672-1, a time constant of 125 ms. It falls by
      34.7 dB/s.
===== ==================================================================================

*Clip* means true clipping, not a high level: `CLIP_FRAMES` consecutive samples at or beyond full
scale. One sample at full scale is a waveform that just fits; three in a row are a flat top. The
indication stays until it is reset. Sound that was clipped before an encoder leaves the decoder with
rounded tops, so the sender's own meter shows clipping, and a receiver's meter shows it only where
the decoded sound reaches full scale as well.

The state is a few numbers per channel and no time: the clock is the number of frames read. Both
decays are powers of one factor per frame, so a block's effect is its samples times a row of
weights, and the result does not depend on how the sound is cut into blocks. The held peak is the
exception: it is compared at a block's end, so while it returns, a lower peak may replace it up to
one block late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.levels import dbfs_of
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE

RETURN_DB_S = 20 / 1.7

HOLD_S = 1.5

TIME_CONSTANT_S = 0.125
"""Time constant of the RMS reading: time weighting F."""

CLIP_FRAMES = 3
"""Consecutive samples at full scale that count as clipping."""

FULL_SCALE = 32767 / 32768
"""Amplitude from which a sample counts as full scale: the highest 16-bit sample."""

_RETURN = 10 ** (-RETURN_DB_S / 20 / SAMPLE_RATE)
_FORGET = float(np.exp(-1 / (TIME_CONSTANT_S * SAMPLE_RATE)))
_HOLD_FRAMES = int(HOLD_S * SAMPLE_RATE)

Sound: TypeAlias = NDArray[np.float32]
"""The sound of several participants: ``(participants, frames, CHANNELS)``."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Readings of the meters; every array has the shape ``(participants, CHANNELS)``."""

    peak_dbfs: NDArray[np.float64]
    rms_dbfs: NDArray[np.float64]
    hold_dbfs: NDArray[np.float64]
    clipped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gauge:
    """Unweighted measures of the last sound read; arrays of shape ``(participants, CHANNELS)``."""

    frames: int
    peaks: NDArray[np.float32]
    """Highest magnitude of a sample."""
    squares: NDArray[np.float32]
    """Sum of the squares of all samples."""


class Ballistics:
    """Level meters of several participants whose sound has one card's clock.

    `names` is in the order of rows; `last` has the measures of the last sound read.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names: tuple[str, ...] = ()
        self.last: Gauge
        self._allot(0)
        self.follow(names)

    def follow(self, names: Sequence[str]) -> None:
        """Change the participants; those who stay keep their readings, new ones start silent."""
        before = [self.names.index(name) if name in self.names else -1 for name in names]
        was = self._peak, self._square, self._hold, self._held, self._run, self._clipped
        self.names = tuple(names)
        self._allot(len(names))
        now = self._peak, self._square, self._hold, self._held, self._run, self._clipped
        for new, old in zip(now, was, strict=True):
            for row, row_before in enumerate(before):
                if row_before >= 0:
                    new[row] = old[row_before]

    def read(self, sound: Sound) -> Levels:
        """Read sound, a row per name, and return the levels at its end.

        Without frames no reading changes. NaN and infinite samples count as silence.
        """
        if sound.shape[1]:
            self._move(np.abs(np.ascontiguousarray(sound.transpose(0, 2, 1))))
        else:
            self.last = Gauge(0, self.last.peaks, self.last.squares)
        amplitudes = np.stack((self._peak, np.sqrt(2 * self._square), self._hold))
        peak_dbfs, rms_dbfs, hold_dbfs = dbfs_of(amplitudes)
        return Levels(peak_dbfs, rms_dbfs, hold_dbfs, self._clipped.copy())

    def reset(self, name: str | None = None) -> None:
        """Reset the held peaks and clips of one participant, or of all."""
        rows = [name in (None, known) for known in self.names]
        self._clipped[rows] = False
        self._run[rows] = 0
        self._hold[rows] = self._peak[rows]
        self._held[rows] = 0

    def _allot(self, participants: int) -> None:
        shape = participants, CHANNELS
        self._peak = np.zeros(shape)
        self._square = np.zeros(shape)
        self._hold = np.zeros(shape)
        self._held = np.zeros(shape, dtype=np.int64)  # frames since the held peak
        self._run = np.zeros(shape, dtype=np.int64)  # samples at full scale that end the sound
        self._clipped = np.zeros(shape, dtype=np.bool_)
        nothing = np.zeros(shape, dtype=np.float32)
        self.last = Gauge(0, nothing, nothing)

    def _move(self, magnitude: Sound) -> None:
        frames = magnitude.shape[2]
        highest = magnitude.max(axis=2)
        if not np.isfinite(highest).all():  # one NaN would stay in the readings for ever
            magnitude = np.nan_to_num(magnitude, nan=0.0, posinf=0.0)
            highest = magnitude.max(axis=2)
        returned, weights = _weights(frames)
        self._peak = np.maximum(self._peak * _RETURN**frames, (magnitude * returned).max(axis=2))
        sums = (np.square(magnitude).reshape(-1, frames) @ weights).reshape(*highest.shape, 2)
        self._square = self._square * _FORGET**frames + sums[..., 0]
        self.last = Gauge(frames, highest, sums[..., 1])
        self._move_hold(highest, frames - 1 - magnitude.argmax(axis=2), frames)
        self._note_clips(magnitude, highest >= FULL_SCALE)

    def _move_hold(self, highest: NDArray[Any], since: NDArray[np.intp], frames: int) -> None:
        """Hold the block's highest peak, or keep the peak held so far if that is higher."""
        due = self._held + frames
        fallen = np.clip(due - np.maximum(self._held, _HOLD_FRAMES), 0, frames)
        self._hold *= _RETURN**fallen
        higher = highest >= self._hold
        self._hold = np.where(higher, highest, self._hold)
        self._held = np.where(higher, since, due)

    def _note_clips(self, magnitude: Sound, reached: NDArray[np.bool_]) -> None:
        """Count runs of samples at full scale in the channels that reached it."""
        before, self._run = self._run, np.zeros_like(self._run)
        for place in zip(*np.nonzero(reached), strict=True):
            longest, last = _runs(magnitude[place] >= FULL_SCALE, int(before[place]))
            self._clipped[place] |= longest >= CLIP_FRAMES
            self._run[place] = last


@lru_cache(maxsize=64)
def _weights(frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weight of each sample of a block at the block's end: as a peak, and as a square.

    The squares' weights have a second column of ones, for the unweighted sum.
    """
    ages = np.arange(frames - 1, -1, -1)
    squares = np.stack([(1 - _FORGET) * _FORGET**ages, np.ones(frames)], axis=1)
    return (_RETURN**ages).astype(np.float32), squares.astype(np.float32)


def _runs(full: NDArray[np.bool_], before: int) -> tuple[int, int]:
    """Return the longest run at full scale, which may continue one of `before`, and the last."""
    edges = np.diff(np.concatenate(([False], full, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lengths = ends - begins
    if begins[0] == 0:
        lengths[0] += before
    return int(lengths.max()), int(lengths[-1]) if full[-1] else 0
