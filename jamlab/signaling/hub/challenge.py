"""Liveness check of the holder of a name when another client joins under that name.

The applicant waits while the holder is pinged::

    join ──▶ is the name free? ──yes──▶ admitted ◀──┐
                  │ no                              │
                  ▼                                 │ name given up, holder's socket lost,
            holder is pinged ───────────────────────┤ or no pong in time: its socket is closed
                  │                                 │
                  ▼ pong                            │
               refused                further applicants wait for the same pong

So a participant whose network died gets its name back, and a live one keeps it.
"""

import math
from dataclasses import dataclass, field

from jamlab.signaling.hub.phoenix import Message
from jamlab.signaling.hub.room import Socket
from jamlab.signaling.hub.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Applicant:
    """A pending join."""

    socket: Socket
    join: Message
    asked: Subscription
    key: str


@dataclass(slots=True)
class _Challenge:
    deadline_s: float
    applicants: list[Applicant] = field(default_factory=list)


class Challenges:
    """The pinged holders of names, and the applicants that wait `patience_s` for their pongs."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._challenges: dict[Socket, _Challenge] = {}

    def add(self, bearer: Socket, applicant: Applicant, now_s: float) -> bool:
        """Add an applicant for a holder's name; return whether the holder must be pinged now."""
        is_new = bearer not in self._challenges
        if is_new:
            self._challenges[bearer] = _Challenge(now_s + self._patience_s)
        self._challenges[bearer].applicants.append(applicant)
        return is_new

    def waiting(self, socket: Socket) -> int:
        """Return the number of names that a socket waits for."""
        challenges = self._challenges.values()
        return sum(a.socket is socket for c in challenges for a in c.applicants)

    def answer(self, bearer: Socket) -> list[Applicant]:
        """Note a holder's pong; return the applicants that are refused by it."""
        challenge = self._challenges.pop(bearer, None)
        return challenge.applicants if challenge else []

    def release(self, bearer: Socket) -> list[Applicant]:
        """Remove and return the applicants for names that the holder no longer has."""
        if bearer not in self._challenges:
            return []
        names = bearer.names
        applicants = self._challenges[bearer].applicants
        self._keep(bearer, [a for a in applicants if (a.join.topic, a.key) in names])
        return [a for a in applicants if (a.join.topic, a.key) not in names]

    def withdraw(self, socket: Socket, topic: str | None = None) -> None:
        """Remove a socket's applications in a room, or in all."""
        for bearer, challenge in list(self._challenges.items()):
            others = [
                a
                for a in challenge.applicants
                if a.socket is not socket or topic not in (None, a.join.topic)
            ]
            self._keep(bearer, others)

    def overdue(self, now_s: float) -> Socket | None:
        """Return a holder that has not answered in time, if any."""
        overdue = (b for b, c in self._challenges.items() if c.deadline_s <= now_s)
        return next(overdue, None)

    def next_at_s(self) -> float:
        """Return the next deadline of a pong; infinity for none."""
        return min((c.deadline_s for c in self._challenges.values()), default=math.inf)

    def _keep(self, bearer: Socket, applicants: list[Applicant]) -> None:
        if applicants:
            self._challenges[bearer].applicants = applicants
        else:
            del self._challenges[bearer]
