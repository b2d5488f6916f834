"""Connection strategy for one peer: direct and relayed attempts, turns to offer, notices.

Theory of operation
-------------------
*Ladder.* aioice nominates the first candidate pair whose check succeeds, so with a relay a relayed
pair is often selected although a direct one works. An attempt is therefore direct (host and STUN
candidates) or relayed (TURN), never both: first two direct attempts, then a relayed one, then both
in turn while the peer is in the room, at growing intervals (exponential backoff with jitter).
aiortc cannot restart ICE, so every attempt is a new connection. A peer that never answers is soon
tried only every few minutes, because it may not be a participant at all; its first signal ends
that.

*Make before break.* A connection that becomes silent is kept during further attempts. A break of a
few seconds ends by itself when the path returns, and then the attempt under way is given up. An
attempt that fails while the earlier connection is heard is given up, too: the peer had started it
when it did not hear us.

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


class Route(StrEnum):
    """Kind of the candidates that an attempt uses."""

    DIRECT = "direct"
    RELAY = "relay"


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
    route: Route


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """Make a connection for a peer's offer, and answer."""

    offer: Mapping[str, Any]
    route: Route | None
    """None when the offer states no route, as a browser's."""


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
    answer_s: float = 15.0
    """Time limit from the start of an attempt to its answer.

    Each end may wait 5 s for its servers, one end after the other, and the answering end may just
    have started an offer of its own.
    """
    direct_s: float = 5.0
    """Time limit for the ICE checks of a direct attempt, from the answer on."""
    relay_s: float = 10.0
    """Time limit for the ICE checks of a relayed attempt."""
    farewell_s: float = 1.0
    """Wait for `PeerLeft` after the peer closed its connection."""
    rest_s: float = 0.5
    """Wait before the second attempt; doubled with every further one."""
    longest_rest_s: float = 8.0
    """Longest wait before an attempt, for a peer that answers."""
    longest_silence_s: float = 300.0
    """Longest wait before an attempt, for a peer that does not answer."""


_DOUBTED = 5
"""Successive attempts without an answer after which a peer is tried less often."""


class Reach:
    """Connection strategy for one peer.

    `routes` are those that our ICE configuration allows: both, or one of them. `rng` is the source
    of the jitter of rests; `attempt` is the highest number of ours that the peer may have seen.
    """

    def __init__(
        self,
        own: str,
        peer: str,
        routes: tuple[Route, ...],
        rng: random.Random,
        patience: Patience | None = None,
        attempt: int = 0,
    ) -> None:
        self.phase = Phase.GONE
        self.due_s = math.inf
        """Time of the next `tick`; infinity for none."""
        self.attempt = attempt
        self.route: Route | None = None
        """Route of the attempt under way; None when the peer did not state one."""
        self._first = own < peer
        self._routes = routes
        self._rng = rng
        self._patience = patience or Patience()
        self._ours = False
        self._answered = False
        self._failures = 0
        self._unanswered = 0  # attempts of ours since the peer's last signal
        self._heard_attempt = 0
        self._last_notice: NoticeKind | None = None
        self._heard = False  # whether packets come over the connection that plays

    # Presence in the room

    def meet(self, ours: bool, now_s: float) -> Actions:
        """Note that the peer is in the room, and whether it is our turn to offer."""
        if self.phase is Phase.PARTING:
            self.phase, self._heard_attempt = Phase.CONNECTED, 0  # it had only lost signalling
            return []
        if self.phase is not Phase.GONE:
            return []
        self._failures, self._heard_attempt, self._last_notice = 0, 0, None
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
        notices = [] if attempt is None else self._give_up_theirs()
        self._ours, self.route = False, route_of(offer)
        self._wait(Phase.TRYING, self._patience.answer_s + self._checks_s, now_s)
        return [*notices, SendAnswer(offer, self.route)]

    def hear_answer(self, answer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an answer from the peer."""
        expected = self.phase is Phase.TRYING and self._ours and not self._answered
        if not expected or number_of(answer) not in (None, self.attempt):
            return []
        self._answered, self._unanswered = True, 0
        self._wait(Phase.TRYING, self._checks_s, now_s)
        return [TakeAnswer(answer)]

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
        self._failures = 1
        return self._rest(0.0, now_s)

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
        return self.failed(now_s) if self.phase is Phase.TRYING else self._try(now_s)

    # Inside

    @property
    def _checks_s(self) -> float:
        direct = self.route is Route.DIRECT
        return self._patience.direct_s if direct else self._patience.relay_s

    @property
    def _head_start_s(self) -> float:
        """Our delay of an offer after the peer's turn."""
        return 0.0 if self._first else self._patience.offer_s

    def _try(self, now_s: float) -> Actions:
        self.attempt += 1
        self._ours, self._answered, self.route = True, False, self._next_route()
        self._wait(Phase.TRYING, self._patience.answer_s, now_s)
        return [SendOffer(self.attempt, self.route)]

    def _give_up_theirs(self) -> Actions:
        """Count the peer's earlier attempt as failed, because the peer has made another."""
        if self.phase is not Phase.TRYING or self._ours:
            return []
        self._failures += 1
        return self._tell(self._trouble())

    def _next_route(self) -> Route:
        relay = self._failures >= 2 and self._failures % 2 == 0
        wanted = Route.RELAY if relay else Route.DIRECT
        return wanted if wanted in self._routes else self._routes[0]

    def _rest(self, rest_s: float, now_s: float) -> Actions:
        self._wait(Phase.RESTING, rest_s + self._head_start_s, now_s)
        return self._tell(self._trouble())

    def _rest_s(self) -> float:
        count, longest_s = self._failures, self._patience.longest_rest_s
        if self._unanswered >= _DOUBTED:
            count, longest_s = self._unanswered, self._patience.longest_silence_s
        doubled_s = math.ldexp(self._patience.rest_s, min(count - 1, 16))
        return min(doubled_s, longest_s) * self._rng.uniform(0.5, 1.0)

    def _trouble(self) -> NoticeKind:
        if self._failures == 1:
            return NoticeKind.RETRYING
        if self._failures == 2 and self._routes == (Route.DIRECT, Route.RELAY):
            return NoticeKind.RELAYING
        return NoticeKind.NO_AUDIO

    def _arrive(self, now_s: float) -> Actions:
        self._failures, self._heard = 0, True
        self._wait(Phase.CONNECTED, math.inf, now_s)
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


def route_of(description: Mapping[str, Any]) -> Route | None:
    """Return the route in a description; None when it has none."""
    route = description.get("route")
    return Route(route) if isinstance(route, str) and route in set(Route) else None
