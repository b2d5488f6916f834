"""Traffic shaper: the queue of packets in one direction of a link, without timers.

`jamlab.networks.model.link.Link` computes when a packet leaves, and the shaper holds it until then.
The caller provides the time, so simulated and kernel networks share one link model.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from jamlab.networks.model.link import Link, LinkConfig

KEPT = 100_000
"""Number of latest packets whose lateness is kept."""


@dataclass(frozen=True, slots=True)
class DirectionReport:
    """Packet counts of one direction of a link, and the lateness of its packets.

    Lateness is the time from a packet's scheduled departure to the actual one: the delay that the
    carrier process adds to the link's own.
    """

    sent: int
    lost: int
    """Packets lost by the link model."""
    dropped: int
    """Packets dropped by the link's queue."""
    duplicated: int
    reordered: int
    refused: int
    """Packets that left the link, but were refused by the far end."""
    late_median_s: float
    """NaN when no packet has left."""
    late_p99_s: float
    late_max_s: float


class Shaper:
    """One direction of a link, with its packets in transit."""

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        self._link = Link(config, rng)
        self._on_the_way: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._late_s: deque[float] = deque(maxlen=KEPT)
        self.refused = 0
        """Packets that the far end refused; the caller counts them."""

    def enter(self, packet: bytes, now_s: float) -> None:
        """Take a packet, headers included; `now_s` must not decrease."""
        for leaves_s in self._link.transit(len(packet), now_s):
            # The number keeps packets that leave at the same time in order.
            heapq.heappush(self._on_the_way, (leaves_s, self._number, packet))
            self._number += 1

    @property
    def next_s(self) -> float:
        """When the next packet leaves; infinity when there is none."""
        return self._on_the_way[0][0] if self._on_the_way else math.inf

    def leaving(self, now_s: float) -> Iterator[bytes]:
        """Yield the packets that have to leave by now, in order."""
        while self._on_the_way and self._on_the_way[0][0] <= now_s:
            leaves_s, _, packet = heapq.heappop(self._on_the_way)
            self._late_s.append(now_s - leaves_s)
            yield packet

    def report(self) -> DirectionReport:
        """Return counts and lateness so far."""
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
    """Return a quantile of ordered values without interpolation; NaN of an empty list.

    It is the inverse of the empirical distribution function: definition 1 of R. J. Hyndman and
    Y. Fan, "Sample quantiles in statistical packages", 1996.
    """
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
