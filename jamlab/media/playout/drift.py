"""How much faster than our sound card the sender's runs, told from when packets come.

Theory of operation
-------------------
A packet's *lateness* is what our card had counted when it came, less its position. It is a
constant, plus what the packet waited for on the network and here, less the drift of the two cards,
which alone goes on and on: 10 ppm are half a frame every second. So the drift is the slope of the
lateness, and all else is noise, of a sort that least squares or a loop filter (F. Adriaensen,
"Using a DLL to filter time", LAC 2005; "Controlling adaptive resampling", LAC 2012) would follow.
Three things keep it out:

- Of every slot of time the lower quartile of the lateness is kept: queues only ever add to it, and
  what a loop that stood still takes off concerns few packets.
- Slope and confidence interval are those of Theil (1950) and Sen (JASA 63, 1968): ranks of the
  slopes between all pairs of slots, which a quarter of the slots cannot move, however far off.
- The drift held is moved no further than to the nearer end of the interval. It begins as none, so
  it stays none until the readings exclude that, and a step of the delay, which widens the interval
  while it passes through the window, changes nothing.

There are `_SLOTS` slots at the most. When all are full, neighbours are made one, so that the first
estimate is there after a second or two and later ones look back on minutes.

What cannot be told apart is a drift and a delay of the network that creeps as evenly for as long.
To follow that is what a buffer has to do anyway.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE

MAX_DRIFT = 500e-6
"""No two cards are further apart (MAXFREQ of RFC 5905, appendix A, is that of clocks)."""

_SLOTS = 64
_FIRST_SLOT = SAMPLE_RATE // 10
_LONGEST_SLOT = 32 * _FIRST_SLOT
_LEAST_SLOTS = 12
_QUANTILE = 0.25
_DEVIATIONS = 4.0


class DriftEstimator:
    """Watches how late packets come, and says how much faster the sender's card runs than ours."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new sender."""
        self.drift = 0.0
        """Frames the sender's card gains on ours with each of ours; 0 until that is excluded."""
        self.known = False
        """Whether there were readings enough to exclude anything."""
        self._length = _FIRST_SLOT
        self._slot: int | None = None
        self._lateness: list[float] = []  # of the packets of this slot
        self._kept: list[tuple[float, float]] = []  # middle of each slot and its lateness, frames

    @property
    def watched_frames(self) -> float:
        """Frames our card has counted since the oldest packet remembered."""
        return self._kept[-1][0] - self._kept[0][0] if self._kept else 0.0

    @property
    def gained(self) -> float:
        """Frames the sender's card has gained on ours since the oldest packet remembered."""
        return self.drift * self.watched_frames

    def observe(self, card_frames: float, position: int) -> bool:
        """Take one packet; returns whether `drift` may have changed.

        Parameters
        ----------
        card_frames : float
            Frames our card had counted when it came.
        position : int
            Position of its first sample.
        """
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
        """Make two slots one, or forget the oldest when they are long enough."""
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
        if least <= most:  # else it is no drift of two clocks
            self.drift = min(max(self.drift, least), most)
            self.known = True


def slope_interval(points: NDArray[np.float64], deviations: float) -> tuple[float, float]:
    """Return a confidence interval of the slope of a line through points, by ranks.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Abscissa, which increases, and ordinate of each.
    deviations : float
        Half of the interval's width, in standard deviations of Kendall's S.

    Returns
    -------
    least, most : float
        The interval (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
        JASA 63, 1968, §3); infinite where points are too few.
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
    """Return the two members of every pair of n."""
    first, second = np.triu_indices(n, 1)
    return first, second
