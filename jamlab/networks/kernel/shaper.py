"""Packets on their way through one direction of a link: in at one time, out at others.

`jamlab.networks.model.link.Link` says when a packet leaves; here it is kept until then. Whoever
asks tells the time, so the simulated internet's link and the one that carries a kernel's packets
are the same, and this runs on any clock.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from jamlab.networks.model.link import Link, LinkConfig

KEPT = 100_000
"""Of so many packets, the last ones, it is known how late they were."""


@dataclass(frozen=True, slots=True)
class DirectionReport:
    """What became of the packets of one direction of a link, and what its carrier added.

    Late is the time between when a packet was to leave and when it did: what the carrier adds to
    the link's own delay.
    """

    sent: int
    """Packets that went in."""
    lost: int
    """Of these, lost on the way, as the link does."""
    dropped: int
    """Of these, dropped by the link's queue."""
    duplicated: int
    reordered: int
    refused: int
    """Packets that left, and that the far end did not take."""
    late_median_s: float
    """NaN when none has left."""
    late_p99_s: float
    late_max_s: float


class Shaper:
    """One direction of a link, with the packets on it.

    Parameters
    ----------
    config : LinkConfig
        What it does.
    rng : random.Random
        Source of everything random.
    """

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        self._link = Link(config, rng)
        self._on_the_way: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._late_s: deque[float] = deque(maxlen=KEPT)
        self.refused = 0
        """Packets the far end did not take."""

    def enter(self, packet: bytes, now_s: float) -> None:
        """Take a packet, headers included, not before the one before."""
        for leaves_s in self._link.transit(len(packet), now_s):
            # Packets that leave at the same time leave in the order they came.
            heapq.heappush(self._on_the_way, (leaves_s, self._number, packet))
            self._number += 1

    @property
    def next_s(self) -> float:
        """When the next packet leaves; infinity when none is on its way."""
        return self._on_the_way[0][0] if self._on_the_way else math.inf

    def leaving(self, now_s: float) -> Iterator[bytes]:
        """Yield the packets that have to leave by now, in their order; never one too early."""
        while self._on_the_way and self._on_the_way[0][0] <= now_s:
            leaves_s, _, packet = heapq.heappop(self._on_the_way)
            self._late_s.append(now_s - leaves_s)
            yield packet

    def report(self) -> DirectionReport:
        """Return what became of everything so far."""
        link, late_s = self._link, sorted(self._late_s)
        return DirectionReport(
            link.sent,
            link.lost,
            link.dropped,
            link.duplicated,
            link.reordered,
            self.refused,
            *(quantile(late_s, share) for share in (0.5, 0.99, 1.0)),
        )


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below or at which a share of ordered values is; NaN of none.

    No value in between is made up (the inverse of the distribution function: definition 1 of
    R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996).
    """
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
