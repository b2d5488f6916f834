"""Queue of a participant's outgoing signals.

A signal is sent when its target is present and the service's rate limit allows it. Until then it is
kept in order, for at most `KEEP_S`; after that its target has given the attempt up. A signal that
is not confirmed when the connection is lost is sent again, so signals arrive in order and, around a
loss, perhaps twice.

The limit counts events of all participants together, and a broadcast in a room of n is n events:
one in, n - 1 out. No participant knows the traffic of the others, so each keeps to the n-th part of
the limit: against the whole limit its signal costs n times n.
"""

import math
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from jamlab.pace import TokenBucket
from jamlab.signaling.messages import Signal

KEEP_S = 30.0
"""Longest time for which a signal is kept."""

MAX_KEPT = 256
"""Largest number of kept signals; beyond it the oldest is dropped."""

BURST_S = 2.0
"""Burst, in seconds of the rate limit: the answers of a newcomer in a room of six."""

TOO_OLD = "kept too long"
"""Reason to drop: it could not be sent in time."""

TOO_MANY = "too many kept"
"""Reason to drop: too many newer signals were queued."""

NOBODY = "for nobody"
"""Reason to drop: its target is not in the room."""

REFUSED = "refused"
"""Reason to drop: the service refused or did not acknowledge it."""


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A queued signal."""

    signal: Signal
    put_at_s: float


class Outbox:
    """The signals from one participant; `dropped` counts dropped signals by reason.

    `events_per_s` is the service's limit for all participants together.
    """

    def __init__(self, *, events_per_s: float, dropped: Counter[str]) -> None:
        self._bucket = TokenBucket(events_per_s, BURST_S * events_per_s)
        self._dropped = dropped
        self._kept: deque[Letter] = deque()
        self._unconfirmed: dict[Letter, None] = {}
        self._next_at_s = math.inf

    def put(self, signal: Signal, now_s: float) -> None:
        """Queue a signal."""
        if len(self._kept) == MAX_KEPT:
            self._kept.popleft()
            self._dropped[TOO_MANY] += 1
        self._kept.append(Letter(signal, now_s))

    def take(
        self, present: AbstractSet[str], peers: AbstractSet[str], now_s: float
    ) -> Letter | None:
        """Return the next signal to send now, if any; it counts as sent.

        Only `present` peers can receive a signal now; signals to the other `peers` are kept.
        """
        self._forget(peers, now_s)
        self._next_at_s = min((x.put_at_s + KEEP_S for x in self._kept), default=math.inf)
        letter = next((x for x in self._kept if x.signal.target_peer_id in present), None)
        if letter is None:
            return None
        cost = (len(present) + 1) ** 2
        if not self._bucket.take(cost, now_s):
            self._next_at_s = min(self._next_at_s, now_s + self._bucket.wait_s(cost, now_s))
            return None
        self._kept.remove(letter)
        self._unconfirmed[letter] = None
        return letter

    def next_at_s(self) -> float:
        """Return when to call `take` again after it returned None, if nothing else changes."""
        return self._next_at_s

    def drop(self, name: str) -> None:
        """Drop the signals to a peer that left; they mean nothing to a new one of the same name."""
        kept = deque(x for x in self._kept if x.signal.target_peer_id != name)
        self._dropped[NOBODY] += len(self._kept) - len(kept)
        self._kept = kept

    def confirm(self, letter: Letter) -> None:
        """Note that the service has acknowledged a signal."""
        self._unconfirmed.pop(letter, None)

    def refuse(self, letter: Letter) -> None:
        """Note that the service has refused a signal; it is not sent again."""
        if letter in self._unconfirmed:
            del self._unconfirmed[letter]
            self._dropped[REFUSED] += 1

    def lose(self) -> None:
        """Note the loss of the connection; unconfirmed signals are sent again, first."""
        self._kept.extendleft(reversed(self._unconfirmed))
        self._unconfirmed.clear()

    def _forget(self, peers: AbstractSet[str], now_s: float) -> None:
        kept: deque[Letter] = deque()
        for letter in self._kept:
            if letter.put_at_s + KEEP_S <= now_s:
                self._dropped[TOO_OLD] += 1
            elif letter.signal.target_peer_id not in peers:
                self._dropped[NOBODY] += 1
            else:
                kept.append(letter)
        self._kept = kept
