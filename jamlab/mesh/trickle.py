"""Our candidates of one attempt on their way to the peer, in as few signals as it understands.

Every signal counts against the limits of the signalling service, and most candidates are found at
almost the same time: those of `BATCH_S` go together, to a peer that takes several in one signal. To
another, such as a browser, each goes alone, and an empty one at their end. The peer's description
tells which it is, so nothing is sent before that. A peer that takes several gets all of them again
while the attempt is not connected, in case a signal was lost.

There is no I/O here: `Trickle.due_s` is the time for the next `take`.
"""

import math
from collections.abc import Mapping
from typing import Any

from jamlab.mesh.connection.candidates import LISTS, CandidateInit

BATCH_S = 0.05
"""Time for which candidates are collected."""

AGAIN_S = (0.4, 1.2, 2.8, 6.0)
"""Times after the peer's description at which all candidates are sent again."""


class Trickle:
    """The candidates of the attempt under way, on the connection of a number."""

    def __init__(self) -> None:
        self._connection: int | None = None
        self._takes_lists: bool | None = None  # None before the peer's description
        self._all: list[CandidateInit] = []
        self._sent = 0
        self._batch_s = math.inf
        self._again_s: list[float] = []

    @property
    def due_s(self) -> float:
        """Time of the next `take`; infinity for none."""
        return min(self._batch_s, *self._again_s[:1], math.inf)

    def begin(self, connection: int | None) -> None:
        """Begin an attempt, and forget the candidates of the one before."""
        self._connection, self._takes_lists = connection, None
        self._all, self._sent, self._batch_s, self._again_s = [], 0, math.inf, []

    def describe(self, description: Mapping[str, Any], now_s: float) -> None:
        """Note that the peer's description is here, and ours on its way."""
        self._takes_lists = description.get(LISTS) is True
        self._batch_s = now_s if self._all else math.inf
        self._again_s = [now_s + again_s for again_s in AGAIN_S] if self._takes_lists else []

    def settle(self) -> None:
        """Note that the attempt is connected; candidates that come now are still sent."""
        self._again_s = []

    def add(self, connection: int, candidate: CandidateInit, now_s: float) -> None:
        """Add a candidate of a connection, or their end; ignored for another attempt."""
        if connection != self._connection:
            return
        self._all.append(candidate)
        if self._takes_lists is not None:
            self._batch_s = min(self._batch_s, now_s + BATCH_S)

    def take(self, now_s: float) -> list[dict[str, Any]]:
        """Return the data of the signals to send now."""
        if now_s < self.due_s:
            return []
        again = bool(self._again_s) and self._again_s[0] <= now_s
        self._again_s = [at_s for at_s in self._again_s if at_s > now_s]
        new, self._sent = self._all[self._sent :], len(self._all)
        self._batch_s = math.inf
        if not self._takes_lists:
            return [dict(candidate) for candidate in new]
        told = [dict(each) for each in (self._all if again else new) if each["candidate"]]
        return [{"candidates": told}] if told else []
