"""Messages that wait for one client of a hub, counted by sender.

Whoever reads slowly is not to lose its place because somebody else sends fast. So each sender has
a share of what may wait for a client, and what goes beyond that is withheld from that client; the
hub's own words, which a client cannot do without, are not counted with it. One message that can be
a signal is always taken of a sender of whom nothing waits: others cannot use up its share.
"""

from collections import Counter, deque

from jamlab.signaling.hub.limits import Limits

OWN = 0
"""Stands for the hub among senders, whose numbers begin at 1."""


class Backlog:
    """What waits for one client.

    Parameters
    ----------
    limits : Limits
        How much may.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queued: deque[tuple[int, int]] = deque()  # whose, and how many bytes
        self._waiting: Counter[int] = Counter()
        self._total = 0

    @property
    def is_too_long(self) -> bool:
        """Whether the client has not read too much of what the hub itself says."""
        return self._waiting[OWN] > self._limits.unsent_bytes

    def drain(self, unsent_bytes: int) -> None:
        """Note that only so many bytes wait still: those that came last."""
        while self._queued and self._total - self._queued[0][1] >= unsent_bytes:
            sender, length = self._queued.popleft()
            self._total -= length
            self._waiting[sender] -= length
            if not self._waiting[sender]:
                del self._waiting[sender]

    def takes(self, sender: int, length: int) -> bool:
        """Return whether a message of another client's may be added."""
        limits, waiting = self._limits, self._waiting[sender]
        if waiting and waiting + length > limits.sender_unsent_bytes:
            return False
        others = self._total - self._waiting[OWN]
        fits = others + length <= limits.unsent_bytes
        return fits or (not waiting and length <= limits.signal_bytes)

    def add(self, sender: int, length: int) -> None:
        """Note that a message waits."""
        self._queued.append((sender, length))
        self._waiting[sender] += length
        self._total += length
