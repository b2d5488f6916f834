"""Who gets a name that is taken.

Whoever asks for it waits, while its bearer is asked for a sign of life::

    join ──▶ is the name free? ──yes──▶ admitted ◀──┐
                  │ no                              │
                  ▼                                 │ name given up, bearer's socket lost,
            bearer is pinged ───────────────────────┤ or no answer in time: its socket is closed
                  │                                 │
                  ▼ it answers                      │
               refused                 who asks meanwhile waits for the same answer

So a member whose network died gets the name back, and nobody else gets it.
"""

import math
from dataclasses import dataclass, field

from jamlab.signaling.hub.phoenix import Message
from jamlab.signaling.hub.room import Socket
from jamlab.signaling.hub.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who asked to be let in."""

    socket: Socket
    join: Message
    asked: Subscription
    key: str


@dataclass(slots=True)
class _Challenge:
    deadline_s: float
    applicants: list[Applicant] = field(default_factory=list)


class Challenges:
    """The bearers who are asked for a sign of life, and those who wait for it.

    Parameters
    ----------
    patience_s : float
        How long a bearer has to answer.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._challenges: dict[Socket, _Challenge] = {}

    def add(self, bearer: Socket, applicant: Applicant, now_s: float) -> bool:
        """Have somebody wait for a bearer; returns whether the bearer has to be asked now."""
        is_new = bearer not in self._challenges
        if is_new:
            self._challenges[bearer] = _Challenge(now_s + self._patience_s)
        self._challenges[bearer].applicants.append(applicant)
        return is_new

    def waiting(self, socket: Socket) -> int:
        """Return for how many names a socket waits."""
        challenges = self._challenges.values()
        return sum(a.socket is socket for c in challenges for a in c.applicants)

    def answer(self, bearer: Socket) -> list[Applicant]:
        """Note a sign of life; returns who has waited in vain."""
        challenge = self._challenges.pop(bearer, None)
        return challenge.applicants if challenge else []

    def release(self, bearer: Socket) -> list[Applicant]:
        """Return, and forget, those who wait for a name that is the bearer's no longer."""
        if bearer not in self._challenges:
            return []
        names = bearer.names
        applicants = self._challenges[bearer].applicants
        self._keep(bearer, [a for a in applicants if (a.join.topic, a.key) in names])
        return [a for a in applicants if (a.join.topic, a.key) not in names]

    def withdraw(self, socket: Socket, topic: str | None = None) -> None:
        """Forget that a socket waits for a name in a room, or in any."""
        for bearer, challenge in list(self._challenges.items()):
            others = [
                a
                for a in challenge.applicants
                if a.socket is not socket or topic not in (None, a.join.topic)
            ]
            self._keep(bearer, others)

    def overdue(self, now_s: float) -> Socket | None:
        """Return a bearer who did not answer in time, if there is one."""
        overdue = (b for b, c in self._challenges.items() if c.deadline_s <= now_s)
        return next(overdue, None)

    def next_at_s(self) -> float:
        """Return when the next bearer's time is up, infinity for none."""
        return min((c.deadline_s for c in self._challenges.values()), default=math.inf)

    def _keep(self, bearer: Socket, applicants: list[Applicant]) -> None:
        if applicants:
            self._challenges[bearer].applicants = applicants
        else:
            del self._challenges[bearer]
