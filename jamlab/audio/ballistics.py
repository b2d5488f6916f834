"""How a level meter moves: what it shows of the sound that went past, whenever it is asked.

Three readings per channel, all in dBFS (AES17), each by its standard:

===== ==================================================================================
peak  Sample peak, as IEC 60268-18's digital peak meter: it rises at once, and returns by
      20 dB in 1.7 s (its range is 1.4 to 2.0 s).
hold  The highest peak, kept for 1.5 s (IEC 60268-18: 1.0 s ± 0.5 s) and then returning
      as the peak does, unless a higher one comes.
RMS   Exponential time weighting F of IEC 61672-1, a time constant of 125 ms. It falls by
      34.7 dB/s.
===== ==================================================================================

*Clip* is true clipping, not a high level: `CLIP_FRAMES` consecutive samples at or beyond full
scale. One sample there is a waveform that just fits; three in a row are a flat top. It stays until
it is reset. A sound that was clipped before an encoder comes out of the decoder with round
shoulders, so the meter of who clips tells it, and others' only where full scale is reached there as
well.

The state is a handful of numbers per channel and no time: the clock is the number of frames read.
Both decays are powers of one factor per frame, so a block's effect is its samples times a row of
weights, and the result does not depend on how the sound is cut into blocks; but the held peak is
compared at a block's end, so while it returns, a lower one may take over up to a block late.
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
"""How fast a peak returns: 20 dB in 1.7 s."""

HOLD_S = 1.5
"""How long the highest peak is held."""

TIME_CONSTANT_S = 0.125
"""Of the RMS: time weighting F."""

CLIP_FRAMES = 3
"""So many consecutive samples at full scale have been clipped."""

FULL_SCALE = 32767 / 32768
"""The highest sample of 16 bits, at which a sample counts as one of full scale."""

_RETURN = 10 ** (-RETURN_DB_S / 20 / SAMPLE_RATE)
_FORGET = float(np.exp(-1 / (TIME_CONSTANT_S * SAMPLE_RATE)))
_HOLD_FRAMES = int(HOLD_S * SAMPLE_RATE)

Sound: TypeAlias = NDArray[np.float32]
"""The sound of several participants: ``(participants, frames, CHANNELS)``."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the meters show; every array is of shape ``(participants, CHANNELS)``."""

    peak_dbfs: NDArray[np.float64]
    rms_dbfs: NDArray[np.float64]
    hold_dbfs: NDArray[np.float64]
    clipped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gauge:
    """The sound read last, unweighted; arrays of shape ``(participants, CHANNELS)``."""

    frames: int
    peaks: NDArray[np.float32]
    """Highest magnitude of a sample."""
    squares: NDArray[np.float32]
    """Sum of the squares of all samples."""


class Ballistics:
    """The meters of several participants, who hear or are heard on one card.

    Attributes
    ----------
    names : tuple of str
        Whose, in the order of rows.
    last : Gauge
        The sound read last.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names: tuple[str, ...] = ()
        self.last: Gauge
        self._allot(0)
        self.follow(names)

    def follow(self, names: Sequence[str]) -> None:
        """Be the meters of these from now on; who was there goes on, who is new is silent."""
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
        """Let sound go past, and return what the meters show at its end.

        Parameters
        ----------
        sound : ndarray, shape (participants, frames, CHANNELS)
            A row per name. Without frames, nothing has moved. Samples that are no numbers count as
            silence.
        """
        if sound.shape[1]:
            self._move(np.abs(np.ascontiguousarray(sound.transpose(0, 2, 1))))
        else:
            self.last = Gauge(0, self.last.peaks, self.last.squares)
        amplitudes = np.stack((self._peak, np.sqrt(2 * self._square), self._hold))
        peak_dbfs, rms_dbfs, hold_dbfs = dbfs_of(amplitudes)
        return Levels(peak_dbfs, rms_dbfs, hold_dbfs, self._clipped.copy())

    def reset(self, name: str | None = None) -> None:
        """Forget the held peaks and clips, of one participant or of all."""
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
        self._run = np.zeros(shape, dtype=np.int64)  # samples at full scale up to now
        self._clipped = np.zeros(shape, dtype=np.bool_)
        nothing = np.zeros(shape, dtype=np.float32)
        self.last = Gauge(0, nothing, nothing)

    def _move(self, magnitude: Sound) -> None:
        frames = magnitude.shape[2]
        highest = magnitude.max(axis=2)
        if not np.isfinite(highest).all():  # or one bad sample would be shown for ever
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
        """Hold the block's highest peak from where it was, or go on with the one there is."""
        due = self._held + frames
        fallen = np.clip(due - np.maximum(self._held, _HOLD_FRAMES), 0, frames)
        self._hold *= _RETURN**fallen
        higher = highest >= self._hold
        self._hold = np.where(higher, highest, self._hold)
        self._held = np.where(higher, since, due)

    def _note_clips(self, magnitude: Sound, reached: NDArray[np.bool_]) -> None:
        """Follow runs of samples at full scale in the channels that reached it."""
        before, self._run = self._run, np.zeros_like(self._run)
        for place in zip(*np.nonzero(reached), strict=True):
            longest, last = _runs(magnitude[place] >= FULL_SCALE, int(before[place]))
            self._clipped[place] |= longest >= CLIP_FRAMES
            self._run[place] = last


@lru_cache(maxsize=64)
def _weights(frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what is left of each sample of a block at its end: of a peak, and of a square.

    The squares' weights have a second column of ones, for the sum without forgetting.
    """
    ages = np.arange(frames - 1, -1, -1)
    squares = np.stack([(1 - _FORGET) * _FORGET**ages, np.ones(frames)], axis=1)
    return (_RETURN**ages).astype(np.float32), squares.astype(np.float32)


def _runs(full: NDArray[np.bool_], before: int) -> tuple[int, int]:
    """Return the longest run of samples at full scale, and the one that goes on at the end.

    A run at the beginning goes on from `before`.
    """
    edges = np.diff(np.concatenate(([False], full, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lengths = ends - begins
    if begins[0] == 0:
        lengths[0] += before
    return int(lengths.max()), int(lengths[-1]) if full[-1] else 0
