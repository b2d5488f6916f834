"""What a member has to say, kept until it may and can be said.

A signal goes out when its target is there to hear it and the service's limit allows. Until then it
is kept in its place, for `KEEP_S` at most; after that its target has given the attempt up. One that
the service has not confirmed when the connection is lost is said again, so signals arrive in order
and, round a loss, perhaps twice.

The limit counts events of all members together, and a broadcast in a room of n is n events: one
in, n - 1 out. Nobody knows what the others are about to say, so each member keeps to its share, a
n-th of the limit: against the whole limit its signal costs n times n.
"""

import math
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from jamlab.signaling.messages import Signal
from jamlab.signaling.pace import TokenBucket

KEEP_S = 30.0
"""How long a signal is worth sending, in seconds."""

MAX_KEPT = 256
"""How many signals are kept; beyond that the oldest makes room."""

BURST_S = 2.0
"""How many seconds' worth of events may go out at once: a newcomer's answers in a room of six."""

TOO_OLD = "kept too long"
"""Reason to drop: it could not be sent in time."""

TOO_MANY = "too many kept"
"""Reason to drop: newer ones took its place."""

NOBODY = "for nobody"
"""Reason to drop: its target is not in the room."""

REFUSED = "refused"
"""Reason to drop: the service said no to it, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A signal on its way."""

    signal: Signal
    put_at_s: float


class Outbox:
    """What one member sends.

    Parameters
    ----------
    events_per_s : float
        The service's limit for all members together.
    dropped : Counter
        Where to count what is dropped, by reason.
    """

    def __init__(self, *, events_per_s: float, dropped: Counter[str]) -> None:
        self._bucket = TokenBucket(events_per_s, BURST_S * events_per_s)
        self._dropped = dropped
        self._kept: deque[Letter] = deque()
        self._unconfirmed: dict[Letter, None] = {}
        self._next_at_s = math.inf

    def put(self, signal: Signal, now_s: float) -> None:
        """Take a signal to send."""
        if len(self._kept) == MAX_KEPT:
            self._kept.popleft()
            self._dropped[TOO_MANY] += 1
        self._kept.append(Letter(signal, now_s))

    def take(
        self, present: AbstractSet[str], peers: AbstractSet[str], now_s: float
    ) -> Letter | None:
        """Return what is to be sent now, if anything is; it counts as sent.

        Parameters
        ----------
        present : set of str
            Who can hear it; those of `peers` who cannot are waited for.
        peers : set of str
            Who is in the room.
        now_s : float
            The time.
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
        """Return when to `take` again, if nothing else changes before, after there was nothing."""
        return self._next_at_s

    def drop(self, name: str) -> None:
        """Forget what was for somebody who left; another of the same name would not understand."""
        kept = deque(x for x in self._kept if x.signal.target_peer_id != name)
        self._dropped[NOBODY] += len(self._kept) - len(kept)
        self._kept = kept

    def confirm(self, letter: Letter) -> None:
        """Note that the service has passed a signal on."""
        self._unconfirmed.pop(letter, None)

    def refuse(self, letter: Letter) -> None:
        """Note that the service has not; saying it again would be refused again."""
        if letter in self._unconfirmed:
            del self._unconfirmed[letter]
            self._dropped[REFUSED] += 1

    def lose(self) -> None:
        """Note that the connection is lost: what was not confirmed is sent again, first."""
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
