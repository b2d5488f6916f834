"""Estimate of the clock drift between the sender's sound card and ours, from packet arrival times.

Theory of operation
-------------------
A packet's *lateness* is our card's frame count at its arrival, minus its position. It is a
constant, plus the packet's waiting times on the network and here, minus the drift of the two cards,
the only part that grows without end: 10 ppm are half a frame every second. So the drift is the
slope of the lateness, and the rest is noise, of a sort that least squares or a loop filter
(F. Adriaensen, "Using a DLL to filter time", LAC 2005; "Controlling adaptive resampling", LAC 2012)
would follow. Three rules keep it out:

- Of every time slot the lower quartile of the lateness is kept: queues only add to it, and a
  stalled loop reduces it for few packets.
- Slope and confidence interval are those of Theil (1950) and Sen (JASA 63, 1968): ranks of the
  slopes between all pairs of slots, which a quarter of the slots cannot move, however far off.
- The estimate moves no further than to the nearer end of the interval. It begins at 0, so it stays
  0 until the observations exclude that, and a step of the delay, which widens the interval while it
  passes through the window, changes nothing.

There are at most `_SLOTS` slots. When all are full, neighbours are merged, so that the first
estimate exists after a second or two and later ones cover minutes.

A network delay that grows as evenly for as long cannot be distinguished from a drift. A playout
buffer has to follow that, too.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE

MAX_DRIFT = 500e-6
"""Largest drift between two cards (MAXFREQ of RFC 5905, appendix A)."""

_SLOTS = 64
_FIRST_SLOT = SAMPLE_RATE // 10
_LONGEST_SLOT = 32 * _FIRST_SLOT
_LEAST_SLOTS = 12
_QUANTILE = 0.25
_DEVIATIONS = 4.0


class DriftEstimator:
    """Estimator of how much faster the sender's card runs than ours."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new sender."""
        self.drift = 0.0
        """Frames the sender's card gains for each frame of ours; 0 until 0 is excluded."""
        self.known = False
        """Whether there were enough observations for an interval."""
        self._length = _FIRST_SLOT
        self._slot: int | None = None
        self._lateness: list[float] = []  # of the packets of this slot
        self._kept: list[tuple[float, float]] = []  # middle of each slot and its lateness, frames

    @property
    def watched_frames(self) -> float:
        """Frames of our card since the oldest slot kept."""
        return self._kept[-1][0] - self._kept[0][0] if self._kept else 0.0

    @property
    def gained(self) -> float:
        """Frames the sender's card has gained on ours since the oldest slot kept."""
        return self.drift * self.watched_frames

    def observe(self, card_frames: float, position: int) -> bool:
        """Take a packet and our card's count then; return whether `drift` may have changed."""
        closed = False
        if self._slot is None or card_frames >= (self._slot + 1) * self._length:
            closed = self._close_slot()
            self._slot = int(card_frames // self._length)
        self._lateness.append(card_frames - position)
        return closed

    def _close_slot(self) -> bool:
        if self._slot is None or not self._lateness:
            return False
        ranked = sorted(self._lateness)
        middle = (self._slot + 0.5) * self._length
        self._kept.append((middle, ranked[int(_QUANTILE * (len(ranked) - 1))]))
        self._lateness.clear()
        self._estimate()
        if len(self._kept) == _SLOTS:
            self._make_room()
        return True

    def _make_room(self) -> None:
        """Merge neighbouring slots, or drop the oldest when slots have their greatest length."""
        if self._length == _LONGEST_SLOT:
            del self._kept[0]
            return
        self._length *= 2
        pairs = zip(self._kept[::2], self._kept[1::2], strict=True)
        self._kept = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs]

    def _estimate(self) -> None:
        if len(self._kept) < _LEAST_SLOTS:
            return
        shallowest, steepest = slope_interval(np.array(self._kept), _DEVIATIONS)
        least, most = max(-steepest, -MAX_DRIFT), min(-shallowest, MAX_DRIFT)
        if least <= most:  # else the slope is not a drift of two clocks
            self.drift = min(max(self.drift, least), most)
            self.known = True


def slope_interval(points: NDArray[np.float64], deviations: float) -> tuple[float, float]:
    """Return a confidence interval of the slope of a line through points, by ranks.

    Points are rows of an increasing abscissa and an ordinate; `deviations` is half of the
    interval's width, in standard deviations of Kendall's S. The interval is infinite where
    points are too few (P. K. Sen, "Estimates of the regression coefficient based on Kendall's
    tau", JASA 63, 1968, §3).
    """
    n = len(points)
    first, second = _pairs(n)
    run, rise = (points[second] - points[first]).T
    slopes = np.sort(rise / run)
    half = deviations * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    below = math.floor((len(slopes) - 1 - half) / 2)
    if below < 0:
        return -math.inf, math.inf
    return float(slopes[below]), float(slopes[-1 - below])


@cache
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of every pair of n points."""
    first, second = np.triu_indices(n, 1)
    return first, second
