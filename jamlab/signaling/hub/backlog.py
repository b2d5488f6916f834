"""Accounting of the unsent messages to one client of a hub, by sender.

A slow client must not be dropped because another client sends fast. So each sender has a share of
the client's buffer, and further messages are withheld from that client. The hub's own messages,
which a client needs, are counted separately. A sender without unsent messages may always send one
as long as a signal, so other senders cannot use up its share.
"""

from collections import Counter, deque

from jamlab.signaling.hub.limits import Limits

OWN = 0
"""The hub's number as a sender; clients' numbers begin at 1."""


class Backlog:
    """Unsent messages to one client, within a hub's limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queued: deque[tuple[int, int]] = deque()  # sender, and length in bytes
        self._waiting: Counter[int] = Counter()
        self._total = 0

    @property
    def is_too_long(self) -> bool:
        """Whether too many bytes of the hub's own messages are unsent."""
        return self._waiting[OWN] > self._limits.unsent_bytes

    def drain(self, unsent_bytes: int) -> None:
        """Note that only the last `unsent_bytes` are still unsent."""
        while self._queued and self._total - self._queued[0][1] >= unsent_bytes:
            sender, length = self._queued.popleft()
            self._total -= length
            self._waiting[sender] -= length
            if not self._waiting[sender]:
                del self._waiting[sender]

    def takes(self, sender: int, length: int) -> bool:
        """Return whether a message from another client may be added."""
        limits, waiting = self._limits, self._waiting[sender]
        if waiting and waiting + length > limits.sender_unsent_bytes:
            return False
        others = self._total - self._waiting[OWN]
        fits = others + length <= limits.unsent_bytes
        return fits or (not waiting and length <= limits.signal_bytes)

    def add(self, sender: int, length: int) -> None:
        """Add an unsent message."""
        self._queued.append((sender, length))
        self._waiting[sender] += length
        self._total += length
