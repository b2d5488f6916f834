"""Filter of the broadcasts that a participant receives.

A service broadcasts each signal to all participants in the room, and does not check its content. A
participant accepts signals that are well formed, not too long, addressed to itself, and from
another participant in the room. Presence and broadcasts are separate, so a signal may overtake the
presence of its sender: such a signal is held for a short while.
"""

import math
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from jamlab.signaling.messages import MalformedSignalError, Signal

MALFORMED = "malformed"
"""Reason to drop: not a signal, or too long a one."""

FOR_ANOTHER = "for another"
"""Reason to drop: the target is another participant, as for most broadcasts."""

OWN_NAME = "in our name"
"""Reason to drop: it claims to come from the participant itself."""

UNKNOWN_SENDER = "unknown sender"
"""Reason to drop: its sender did not join while it was held."""

MAX_HELD = 64
"""Largest number of held signals."""


class _Held(NamedTuple):
    signal: Signal
    until_s: float


class Inbox:
    """The signals to one participant; `dropped` counts dropped signals by reason.

    A signal waits at most `hold_s` for the presence of its sender.
    """

    def __init__(self, name: str, *, hold_s: float, dropped: Counter[str]) -> None:
        self._name = name
        self._hold_s = hold_s
        self._dropped = dropped
        self._held: deque[_Held] = deque()

    def receive(self, payload: object, peers: AbstractSet[str], now_s: float) -> list[Signal]:
        """Take a broadcast's payload, not validated; return the signals to deliver now."""
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
        """Return held signals whose senders are in the room now; drop those held too long."""
        heard = [held.signal for held in self._held if held.signal.sender_peer_id in peers]
        waiting = [held for held in self._held if held.signal.sender_peer_id not in peers]
        self._held = deque(held for held in waiting if held.until_s > now_s)
        self._dropped[UNKNOWN_SENDER] += len(waiting) - len(self._held)
        return heard

    def next_at_s(self) -> float:
        """Return when the next held signal is dropped; infinity when there is none."""
        return min((held.until_s for held in self._held), default=math.inf)

    def _hold(self, signal: Signal, now_s: float) -> None:
        if len(self._held) == MAX_HELD:
            self._held.popleft()
            self._dropped[UNKNOWN_SENDER] += 1
        self._held.append(_Held(signal, now_s + self._hold_s))
