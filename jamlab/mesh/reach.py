"""Connection strategy for one peer: attempts, turns to offer, notices.

Theory of operation
-------------------
*Attempts.* An attempt is one connection, whose ICE agent tries everything at once and prefers
direct paths (`jamlab.media.agent`). It has a time limit; another follows while the peer is in the
room, at growing intervals (exponential backoff with jitter). aiortc cannot restart ICE, so every
attempt is a new connection. A peer that never answers is soon tried only every few minutes, because
it may not be a participant at all; its first signal ends that.

*Notices.* The user is told of failed attempts, but not in the first seconds: an early failure, such
as that of two attempts that cross, is over before it matters.

*Make before break.* A connection that becomes silent is kept during further attempts. A break of a
few seconds ends by itself when the path returns, and then the attempt under way is given up. An
attempt that fails while the earlier connection is heard is given up, too: the peer had started it
when it did not hear us.

*Cures.* A new connection in the place of a silent one may cure nothing: it is soon silent again. So
the failures before it are forgotten, and the user is told of further cures, only when a connection
has lasted for a while.

*Turns.* A participant in the room offers to the newcomer. Later, when a connection fails, the peer
whose name sorts first offers at once, and the other one only after waiting in vain, because it may
be the only one that noticed the failure. If both offer, the offer of the name that sorts first is
used. Attempts are numbered, so that late answers and repeated offers are recognised; those of a
browser have no number and are always taken. An offer that follows another means that the earlier
attempt failed: both ends count it, and both users get a notice.

*Parting.* A peer that has left the room but is still heard may have lost only its signalling: its
connection is closed when it becomes silent, not before.

There is no I/O here: inputs come with the time, actions go out, and `Reach.due_s` is the time for
the next `tick`.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from jamlab.mesh.notices import NoticeKind


class Phase(StrEnum):
    """State of the link to a peer."""

    AWAITING = "awaiting an offer"
    TRYING = "trying"
    CONNECTED = "connected"
    RESTING = "resting"
    PARTING = "parting"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SendOffer:
    """Make a connection and offer it to the peer."""

    attempt: int


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """Make a connection for a peer's offer, and answer."""

    offer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TakeAnswer:
    """Apply the answer to the attempt under way."""

    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Close the attempt under way; the connection that plays remains."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close all connections to the peer."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Show a notice to the user."""

    kind: NoticeKind


Action: TypeAlias = SendOffer | SendAnswer | TakeAnswer | GiveUp | Close | Tell
Actions: TypeAlias = list[Action]


@dataclass(frozen=True)
class Patience:
    """Time limits and waits of the connection strategy."""

    offer_s: float = 3.0
    """Wait for an offer when it is the peer's turn."""
    answer_s: float = 10.0
    """Time limit from the start of an attempt to its answer, which busy signalling may delay."""
    checks_s: float = 10.0
    """Time limit from the answer on to the connection."""
    candidate_s: float = 5.0
    """Least time to the limit after a candidate: a TURN server may answer late."""
    quiet_s: float = 5.0
    """Time from the first sight of a peer in which the user is not told of a failed attempt."""
    farewell_s: float = 1.0
    """Wait for `PeerLeft` after the peer closed its connection."""
    rest_s: float = 0.5
    """Wait before the second attempt; doubled with every further one."""
    longest_rest_s: float = 8.0
    """Longest wait before an attempt, for a peer that answers."""
    steady_s: float = 10.0
    """Time that a connection has to last to count as a cure."""
    longest_silence_s: float = 300.0
    """Longest wait before an attempt, for a peer that does not answer."""


_DOUBTED = 5
"""Successive attempts without an answer after which a peer is tried less often."""


class Reach:
    """Connection strategy for one peer.

    `rng` is the source of the jitter of rests; `attempt` is the highest number of ours that the
    peer may have seen.
    """

    def __init__(
        self,
        own: str,
        peer: str,
        rng: random.Random,
        patience: Patience | None = None,
        attempt: int = 0,
    ) -> None:
        self.phase = Phase.GONE
        self.due_s = math.inf
        """Time of the next `tick`; infinity for none."""
        self.attempt = attempt
        self._first = own < peer
        self._rng = rng
        self._patience = patience or Patience()
        self._ours = False
        self._answered = False
        self._failures = 0
        self._relapses = 0  # connections in a row that replaced a silent one and did not last
        self._cured_s = -math.inf  # time at which a connection replaced a silent one
        self._unanswered = 0  # attempts of ours since the peer's last signal
        self._heard_attempt = 0
        self._last_notice: NoticeKind | None = None
        self._heard = False  # whether packets come over the connection that plays
        self._quiet_until_s = -math.inf

    # Presence in the room

    def meet(self, ours: bool, now_s: float) -> Actions:
        """Note that the peer is in the room, and whether it is our turn to offer."""
        if self.phase is Phase.PARTING:
            self.phase, self._heard_attempt = Phase.CONNECTED, 0  # it had only lost signalling
            return []
        if self.phase is not Phase.GONE:
            return []
        self._failures, self._heard_attempt, self._last_notice = 0, 0, None
        self._relapses, self._cured_s = 0, -math.inf
        self._quiet_until_s = now_s + self._patience.quiet_s
        return (
            self._try(now_s) if ours else self._wait(Phase.AWAITING, self._patience.offer_s, now_s)
        )

    def leave(self, now_s: float) -> Actions:
        """Note that the peer is no longer in the room."""
        if self.phase is Phase.CONNECTED:
            return self._wait(Phase.PARTING, math.inf, now_s)
        return self._part(now_s)

    # Signals of the peer

    def hear_offer(self, offer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an offer from the peer."""
        attempt = number_of(offer)
        stale = attempt is not None and attempt <= self._heard_attempt
        ours_stands = self.phase is Phase.TRYING and self._ours and self._first
        if self.phase is Phase.GONE or stale or ours_stands:
            return []
        self._heard_attempt, self._unanswered = attempt or self._heard_attempt, 0
        notices = [] if attempt is None else self._give_up_theirs(now_s)
        self._ours = False
        self._wait(Phase.TRYING, self._patience.answer_s + self._patience.checks_s, now_s)
        return [*notices, SendAnswer(offer)]

    def hear_answer(self, answer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an answer from the peer."""
        expected = self.phase is Phase.TRYING and self._ours and not self._answered
        if not expected or number_of(answer) not in (None, self.attempt):
            return []
        self._answered, self._unanswered = True, 0
        self._wait(Phase.TRYING, self._patience.checks_s, now_s)
        return [TakeAnswer(answer)]

    def hear_candidate(self, now_s: float) -> Actions:
        """Note a candidate, ours or the peer's: it may be the one that connects."""
        if self.phase is Phase.TRYING and (self._answered or not self._ours):
            self.due_s = max(self.due_s, now_s + self._patience.candidate_s)
        return []

    # States of the connections

    def connected(self, now_s: float) -> Actions:
        """Note that the attempt under way has connected."""
        return [] if self.phase is Phase.GONE else self._arrive(now_s)

    def resumed(self, now_s: float) -> Actions:
        """Note that packets come again over the connection that was silent."""
        if self.phase in (Phase.GONE, Phase.CONNECTED, Phase.PARTING):
            return []
        under_way: Actions = [GiveUp()] if self.phase is Phase.TRYING else []
        return under_way + self._arrive(now_s)

    def silent(self, now_s: float) -> Actions:
        """Note that the connection that plays has become silent."""
        self._heard = False
        if self.phase is Phase.PARTING:
            return self._part(now_s)
        if self.phase is not Phase.CONNECTED:
            return []
        relapsed = now_s < self._cured_s + self._patience.steady_s
        self._relapses = self._relapses + 1 if relapsed else 0
        self._failures = 1 + self._relapses
        return self._rest(self._rest_s() if relapsed else 0.0, now_s)

    def closed(self, now_s: float) -> Actions:
        """Note that the connection that plays was closed: the peer may be about to leave."""
        self._heard = False
        if self.phase is Phase.PARTING:
            return self._part(now_s)
        if self.phase is Phase.CONNECTED:
            self._wait(Phase.RESTING, self._patience.farewell_s + self._head_start_s, now_s)
        return []

    def failed(self, now_s: float) -> Actions:
        """Note that the attempt under way has failed."""
        if self.phase is not Phase.TRYING:
            return []
        if self._heard:
            return [GiveUp(), *self._arrive(now_s)]
        self._failures += 1
        self._unanswered += self._ours and not self._answered
        return [GiveUp(), *self._rest(self._rest_s(), now_s)]

    def restored(self, now_s: float) -> Actions:
        """Note that our signals reach the room again, so that an answer can come."""
        self._unanswered = 0
        if self.phase is Phase.RESTING:
            self.due_s = min(self.due_s, now_s + self._patience.longest_rest_s)
        return []

    @property
    def will_offer(self) -> bool:
        """Whether the next action due is an offer."""
        return self.phase in (Phase.AWAITING, Phase.RESTING)

    def put_off(self, for_s: float, now_s: float) -> Actions:
        """Postpone the next `tick`."""
        self.due_s = now_s + for_s
        return []

    def tick(self, now_s: float) -> Actions:
        """Do what is due at a time, if anything."""
        if now_s < self.due_s:
            return []
        if self.phase is Phase.CONNECTED:
            self._wait(Phase.CONNECTED, math.inf, now_s)
            return self._tell_cure()
        return self.failed(now_s) if self.phase is Phase.TRYING else self._try(now_s)

    # Inside

    @property
    def _head_start_s(self) -> float:
        """Our delay of an offer after the peer's turn."""
        return 0.0 if self._first else self._patience.offer_s

    def _try(self, now_s: float) -> Actions:
        self.attempt += 1
        self._ours, self._answered = True, False
        self._wait(Phase.TRYING, self._patience.answer_s, now_s)
        return [SendOffer(self.attempt)]

    def _give_up_theirs(self, now_s: float) -> Actions:
        """Count the peer's earlier attempt as failed, because the peer has made another."""
        if self.phase is not Phase.TRYING or self._ours:
            return []
        self._failures += 1
        return self._tell_trouble(now_s)

    def _rest(self, rest_s: float, now_s: float) -> Actions:
        self._wait(Phase.RESTING, rest_s + self._head_start_s, now_s)
        return self._tell_trouble(now_s)

    def _rest_s(self) -> float:
        count, longest_s = self._failures, self._patience.longest_rest_s
        if self._unanswered >= _DOUBTED:
            count, longest_s = self._unanswered, self._patience.longest_silence_s
        doubled_s = math.ldexp(self._patience.rest_s, min(count - 1, 16))
        return min(doubled_s, longest_s) * self._rng.uniform(0.5, 1.0)

    def _tell_trouble(self, now_s: float) -> Actions:
        """Show a notice about the failures so far, but not in the first seconds."""
        if now_s < self._quiet_until_s:
            return []
        first = self._failures == 1 or self._last_notice is None
        return self._tell(NoticeKind.RETRYING if first else NoticeKind.NO_AUDIO)

    def _arrive(self, now_s: float) -> Actions:
        cures = self._quiet_until_s == -math.inf  # there was a connection before
        self._cured_s = now_s if cures else self._cured_s
        self._failures, self._heard, self._quiet_until_s = 0, True, -math.inf
        steady_s = self._patience.steady_s if self._relapses else math.inf
        self._wait(Phase.CONNECTED, steady_s, now_s)
        return [] if self._relapses else self._tell_cure()

    def _tell_cure(self) -> Actions:
        return self._tell(NoticeKind.RESTORED) if self._last_notice else []

    def _part(self, now_s: float) -> Actions:
        self._heard = False
        self._wait(Phase.GONE, math.inf, now_s)
        return [Close()]

    def _tell(self, kind: NoticeKind) -> Actions:
        """Show a notice, unless it is the same as the last."""
        if kind is self._last_notice:
            return []
        self._last_notice = None if kind is NoticeKind.RESTORED else kind
        return [Tell(kind)]

    def _wait(self, phase: Phase, for_s: float, now_s: float) -> Actions:
        self.phase, self.due_s = phase, now_s + for_s
        return []


def number_of(description: Mapping[str, Any]) -> int | None:
    """Return the attempt number in a description; None when it has none."""
    number = description.get("attempt")
    return number if isinstance(number, int) and not isinstance(number, bool) else None
