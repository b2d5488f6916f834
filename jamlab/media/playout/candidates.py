"""Candidate depths of a playout buffer, all judged on the live stream; the best one is played.

Theory of operation
-------------------
A candidate is a rule: *the depth that all but a share of the needs in a memory would have met*. No
single rule suits every network. Where the delay changes slowly, a short memory has the least mean
delay; where stalls come out of the blue, nothing but a long memory, or accepting them, helps. So
all rules run at once on the packets that arrive, as several buffers do in Jamulus (V. Fischer,
"Case Study: Performing Band Rehearsals on the Internet With Jamulus", 2015): each candidate's depth
is fixed before a slot's packets are known, and packets that need more would have been concealed.

Played is the candidate of the least mean depth among those that keep the accepted share. It must
keep it with one concealed packet more than it had (Laplace's rule of succession), so that one which
was merely not yet tried is not chosen. While none does, the safest is played: the most that the
longest memory knows.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jamlab.media.playout.needs import NeedHistograms

MEMORIES_S = 0.5, 2.0, 8.0, 32.0
SHARES = np.array([1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1])
JUDGED_S = 30.0
"""Memory in which candidates are compared."""
LATEST = 50
"""Slots of the last second, in which a card's stop is found, and of which the least need counts."""


class Candidates:
    """Candidate depths, and the choice among them.

    Parameters
    ----------
    accepted_share : float
        Share of packets that may be concealed because they are late.
    slot_s : float
        Length of a slot, of which each call of `observe` has the needs.
    most_frames : int
        Largest depth above the least need, without the margin.
    margin_frames : int
        Addition to every depth: a delay that increases by no more from slot to slot is followed.
    """

    def __init__(
        self, accepted_share: float, slot_s: float, most_frames: int, margin_frames: int
    ) -> None:
        self._accepted_share = accepted_share
        self._most, self._margin = most_frames, margin_frames
        self._histograms = NeedHistograms([memory / slot_s for memory in MEMORIES_S], most_frames)
        self._fading = float(np.exp(-slot_s / JUDGED_S))
        self.reset()

    def reset(self) -> None:
        """Forget all needs and judgements."""
        count = len(MEMORIES_S) * len(SHARES)
        self._histograms.reset()
        self._depths: NDArray[np.int64] | None = None
        self._sums = np.zeros((2, count))  # both fade in one step
        self._concealed, self._depth_sums = self._sums
        self._packets = 0.0
        self._latest: deque[tuple[int, Sequence[int]]] = deque(maxlen=LATEST)  # least need first
        self.least_frames: int | None = None
        """Least need of the last second; None before the first slot."""

    def shift(self, frames: int) -> None:
        """Change the needs observed so far, and the depths that follow from them."""
        self._histograms.shift(frames)
        latest = ((least + frames, [n + frames for n in needs]) for least, needs in self._latest)
        self._latest = deque(latest, LATEST)
        if self._depths is not None and self.least_frames is not None:
            self._depths = self._depths + frames
            self.least_frames += frames

    def lower(self, frames: int) -> None:
        """Lower all needs observed before a stop of the card, which is found within a second.

        Needs of the last second that are nearer to the newest than to those before are from after
        the stop, and stay.
        """
        latest = [*self._latest]
        self.shift(-frames)
        self._latest.clear()
        for least, needs in latest:
            after = least <= latest[-1][0] + frames / 2
            self._learn(needs if after else [need - frames for need in needs])

    def observe(self, needs: Sequence[int]) -> None:
        """Judge all candidates by the needs of a slot, then let them learn those."""
        if self._depths is not None and self.least_frames is not None:
            self._judge(np.asarray(needs), self._depths, self.least_frames)
        self._learn(needs)

    def _learn(self, needs: Sequence[int]) -> None:
        self._latest.append((min(needs), needs))
        self._histograms.observe(needs)
        self.least_frames = min(self._latest)[0]
        depths = self._histograms.depths(SHARES).ravel()
        self._depths = np.minimum(depths, self.least_frames + self._most) + self._margin

    @property
    def step_frames(self) -> int:
        """Resolution of the depths."""
        return self._histograms.width

    def _judge(self, needs: NDArray[np.int64], depths: NDArray[np.int64], least: int) -> None:
        self._sums *= self._fading
        self._packets = self._packets * self._fading + len(needs)
        self._concealed += (needs[:, np.newaxis] > depths).sum(axis=0)
        self._depth_sums += (depths - least) * len(needs)  # above the least: a shift changes none

    @property
    def depth_frames(self) -> int | None:
        """Depth of the candidate to play; None before the first slot."""
        if self._depths is None:
            return None
        keeps = self._concealed <= self._accepted_share * self._packets - 1
        best = np.where(keeps, self._depth_sums, np.inf).argmin()
        return int(self._depths[best if keeps[best] else _SAFEST])


_SAFEST = (len(MEMORIES_S) - 1) * len(SHARES)
