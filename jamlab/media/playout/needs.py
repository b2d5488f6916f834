"""Histograms of the delays that packets needed lately, each with a memory of its own.

Every histogram forgets exponentially: a need counts for 1/e of a new one after the histogram's
memory. The short memories follow a network whose delay changes from second to second, the long ones
know how often it stalls. Which of them serves best is for `jamlab.media.playout.candidates` to
judge.

Needs count from an arbitrary origin (see `jamlab.media.playout.playout`), so the bins begin near
the first need and move down when a smaller one comes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST_WIDTH = 8
_BINS = 448
_ROOM = 64
"""Bins kept free below the first need: needs decrease while a network calms down."""
_FIRST_BEGIN = np.zeros((1, 1))  # of the first row in the sequence of all


class NeedHistograms:
    """Histograms of needs, and the depths that all but given shares of them would have met.

    Parameters
    ----------
    memories : Sequence[float]
        Memory of each histogram, in slots; a slot is a call of `observe`.
    range_frames : int
        Largest need, above the first, that is told from larger ones.
    """

    def __init__(self, memories: Sequence[float], range_frames: int) -> None:
        self.width = max(_LEAST_WIDTH, -(-range_frames // (_BINS - _ROOM)))
        """Width of a bin, in frames."""
        bins = _ROOM + -(-range_frames // self.width) + 1
        self._fading = np.exp(-1 / np.asarray(memories, float))[:, np.newaxis]
        self._weights: NDArray[np.float64] = np.zeros((len(memories), bins))  # largest needs first
        self._origin: int | None = None

    def reset(self) -> None:
        """Forget all needs."""
        self._weights[:] = 0
        self._origin = None

    def shift(self, frames: int) -> None:
        """Change all needs observed so far by a number of frames."""
        if self._origin is not None:
            self._origin += frames

    def observe(self, needs: Sequence[int]) -> None:
        """Take the needs of one slot, of which there is at least one."""
        self._make_room(min(needs))
        assert self._origin is not None
        self._weights *= self._fading
        last = self._weights.shape[1] - 1
        for need in needs:
            self._weights[:, max(last - (need - self._origin) // self.width, 0)] += 1

    def _make_room(self, least: int) -> None:
        """Place the bins below the least need; those beyond the largest bin stay in it."""
        if self._origin is None:
            self._origin = least - _ROOM * self.width
        if least >= self._origin:
            return
        moved = -(-(self._origin - least) // self.width) + _ROOM // 2
        self._origin -= moved * self.width
        overflow = self._weights[:, :moved].sum(axis=1)
        kept = self._weights[:, moved:]
        room = np.zeros((len(kept), self._weights.shape[1] - kept.shape[1]))
        self._weights = np.concatenate((kept, room), axis=1)
        self._weights[:, 0] += overflow

    def depths(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the least depths that all but the given shares of needs would have met, in frames.

        The shape is ``(memories, shares)``.
        """
        assert self._origin is not None
        # All rows are one ascending sequence, for a single search.
        memories, bins = self._weights.shape
        beyond = self._weights.ravel().cumsum()
        ends = beyond[bins - 1 :: bins, np.newaxis]
        begins = np.concatenate((_FIRST_BEGIN, ends[:-1]))
        allowed = beyond.searchsorted(begins + (ends - begins) * shares, side="right")
        met: NDArray[np.int64] = np.arange(1, memories + 1)[:, np.newaxis] * bins - allowed
        return self._origin + met * self.width
