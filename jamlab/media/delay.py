"""How long packets must wait: the smallest delay that is early enough for nearly all of them.

Each packet's *needed* delay is known once it has arrived (see `jamlab.media.playout`). The target
is a high quantile of the recent ones, plus a margin. A quantile, not the maximum, because a rare
scheduling spike of 10 ms must not be paid for with 10 ms by every packet that follows; and not mean
plus some deviations, because network delays have no second moment worth the name (NetEq does the
same, with a histogram).
"""

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE

_RECOMPUTE_EVERY = 16


class DelayEstimator:
    """Watch what delay packets needed, and say what delay the next should have.

    Parameters
    ----------
    late_share : float
        Share of packets that may be too late for the target.
    window : int
        Number of packets remembered.
    settle : int
        Number of packets to see before the starting allowance is given up.
    start_frames : int
        Allowance at the start, when the jitter is unknown, in frames.
    margin_frames : int
        Added to the quantile, and the least surplus worth removing, in frames.
    """

    def __init__(
        self,
        *,
        late_share: float = 1 / 2000,
        window: int = 4000,
        settle: int = 100,
        start_frames: int = SAMPLE_RATE // 100,
        margin_frames: int = 16,
    ) -> None:
        self._late_share = late_share
        self._settle = settle
        self._start = start_frames
        self._margin = margin_frames
        self._needed: NDArray[np.int64] = np.zeros(window, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new stream."""
        self._count = 0
        self._target: int | None = None
        self._last_removal: int | None = None

    def observe(self, needed_frames: int) -> None:
        """Take the delay one packet needed."""
        self._needed[self._count % len(self._needed)] = needed_frames
        self._count += 1
        exceeded = self._target is None or needed_frames > self._target
        if exceeded or self._count % _RECOMPUTE_EVERY == 0:
            self._target = self._compute()

    @property
    def target_frames(self) -> int:
        """The delay packets should have, in the unit and origin of what was observed.

        Raises
        ------
        ValueError
            Before the first observation.
        """
        if self._target is None:
            raise ValueError("no packet was observed yet, so there is no target delay")
        return self._target

    def _compute(self) -> int:
        seen = self._needed[: min(self._count, len(self._needed))]
        rank = len(seen) - 1 - int(len(seen) * self._late_share)
        allowance = self._margin if self._count >= self._settle else self._start
        return int(np.partition(seen, rank)[rank]) + allowance

    def correction(self, now_frames: int, delay_frames: int) -> int:
        """Return by how much to change the delay now: positive to wait longer, in frames.

        Too short a delay is to be mended at once, for packets are missing their deadline; too long
        a one costs nothing but itself, so surplus goes in small steps, ten a second at the most.

        Parameters
        ----------
        now_frames : int
            The card's frame count.
        delay_frames : int
            The delay in force.
        """
        missing = self.target_frames - delay_frames
        if missing >= 0:
            return missing
        recent = (
            self._last_removal is not None and now_frames - self._last_removal < SAMPLE_RATE // 10
        )
        if recent or -missing <= self._margin:
            return 0
        self._last_removal = now_frames
        return missing
