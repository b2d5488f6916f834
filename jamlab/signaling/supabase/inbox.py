"""Which broadcasts reach a member of a room.

A service broadcasts a signal to everybody in the room, and lets anybody in it say anything. A
member hears what is well formed, not too long, for itself, and from somebody else who is there.
Presence and broadcasts travel apart, so a signal may overtake the news that its sender came: it
is held for a short while.
"""

import math
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from jamlab.signaling.messages import MalformedSignalError, Signal

MALFORMED = "malformed"
"""Reason to drop: not a signal, or too long a one."""

FOR_ANOTHER = "for another"
"""Reason to drop: somebody else is its target; every broadcast is one for all but one member."""

OWN_NAME = "in our name"
"""Reason to drop: it claims to come from the member itself."""

UNKNOWN_SENDER = "unknown sender"
"""Reason to drop: nobody of that name came while it was held."""

MAX_HELD = 64
"""How many signals from senders yet unknown are held."""


class _Held(NamedTuple):
    signal: Signal
    until_s: float


class Inbox:
    """What one member is sent.

    Parameters
    ----------
    name : str
        The member's own name.
    hold_s : float
        How long a signal waits for the news of its sender.
    dropped : Counter
        Where to count what is dropped, by reason.
    """

    def __init__(self, name: str, *, hold_s: float, dropped: Counter[str]) -> None:
        self._name = name
        self._hold_s = hold_s
        self._dropped = dropped
        self._held: deque[_Held] = deque()

    def receive(self, payload: object, peers: AbstractSet[str], now_s: float) -> list[Signal]:
        """Take a broadcast's payload, and return what there is to hear.

        Parameters
        ----------
        payload : object
            Anything.
        peers : set of str
            Who is in the room.
        now_s : float
            The time.
        """
        try:
            signal = Signal.from_payload(payload)
        except MalformedSignalError:
            self._dropped[MALFORMED] += 1
            return []
        if signal.target_peer_id != self._name:
            self._dropped[FOR_ANOTHER] += 1
        elif signal.sender_peer_id == self._name:
            self._dropped[OWN_NAME] += 1
        else:
            self._hold(signal, now_s)
        return self.release(peers, now_s)

    def release(self, peers: AbstractSet[str], now_s: float) -> list[Signal]:
        """Return the signals held of those who are in the room now; forget those held too long."""
        heard = [held.signal for held in self._held if held.signal.sender_peer_id in peers]
        waiting = [held for held in self._held if held.signal.sender_peer_id not in peers]
        self._held = deque(held for held in waiting if held.until_s > now_s)
        self._dropped[UNKNOWN_SENDER] += len(waiting) - len(self._held)
        return heard

    def next_at_s(self) -> float:
        """Return when a held signal will be forgotten; infinity when there is none."""
        return min((held.until_s for held in self._held), default=math.inf)

    def _hold(self, signal: Signal, now_s: float) -> None:
        if len(self._held) == MAX_HELD:
            self._held.popleft()
            self._dropped[UNKNOWN_SENDER] += 1
        self._held.append(_Held(signal, now_s + self._hold_s))
