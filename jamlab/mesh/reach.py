"""How to reach one peer: what to try next, whose turn it is to offer, and what the user is told.

Theory of operation
-------------------
*Ladder.* ICE nominates the first check that succeeds, so with a relay at hand a relayed path often
wins though a direct one works. An attempt is therefore direct (host and STUN candidates) or relayed
(TURN), never both: two direct ones first, then a relayed one, then both in turn for as long as the
peer is there, ever more seldom (exponential back-off with jitter). aiortc cannot restart ICE, so
every attempt is a connection of its own. A peer that has never answered is soon tried every few
minutes only: it may be no participant at all. Its first word changes that.

*Make before break.* A connection that falls silent is kept while others are tried: a cut of a few
seconds ends by itself when the path returns, and then the attempt under way is given up. So is one
that fails while the earlier connection is heard: the peer had begun it when it did not hear us.

*Turns.* Whoever was there first offers to the newcomer. Later, when a connection fails, the peer
whose name sorts first offers at once and the other one only when it has waited in vain, for it may
be the only one who noticed. If both offer all the same, the offer of the name that sorts first
stands. Attempts are numbered, so that answers and repeated offers that come late are known as such;
a browser's have no number and are taken as they come. An offer that follows another says that the
earlier attempt failed: both ends count it, and both users are told.

*Parting.* Who is said to have left but is still heard has only lost its signalling: it is dropped
when it falls silent, not before.

There is no I/O here: inputs come with the time, actions go out, and `Reach.due_s` says when `tick`
is due.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from jamlab.mesh.notices import NoticeKind


class Route(StrEnum):
    """Which paths an attempt is after."""

    DIRECT = "direct"
    RELAY = "relay"


class Phase(StrEnum):
    """Where the way to a peer stands."""

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
    """Make a connection of a peer's offer, and answer."""

    offer: Mapping[str, Any]
    route: Route | None
    """None when the offer does not say, as a browser's."""


@dataclass(frozen=True, slots=True)
class TakeAnswer:
    """Go on with the attempt under way."""

    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Close the attempt under way; what plays plays on."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close everything there is to this peer."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the user."""

    kind: NoticeKind


Action: TypeAlias = SendOffer | SendAnswer | TakeAnswer | GiveUp | Close | Tell
Actions: TypeAlias = list[Action]


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    offer_s: float = 3.0
    """For the offer of somebody who was there first, or whose turn it is."""
    answer_s: float = 15.0
    """From the first step of an attempt to its answer.

    Each end may wait 5 s for its servers, one after the other, and the one that answers may just
    have begun an offer of its own.
    """
    direct_s: float = 5.0
    """For the checks of a direct attempt, from the answer on."""
    relay_s: float = 10.0
    """For those of a relayed one."""
    farewell_s: float = 1.0
    """For the word that a peer which closed its connection has left."""
    rest_s: float = 0.5
    """Before the second attempt; doubled with every further one."""
    longest_rest_s: float = 8.0
    """Before any, to a peer that answers."""
    longest_silence_s: float = 300.0
    """Before any, to a peer that does not."""


_DOUBTED = 5
"""Attempts in a row without an answer after which a peer is tried more seldom than others."""


class Reach:
    """The way to one peer.

    Parameters
    ----------
    own, peer : str
        Both names.
    routes : tuple of Route
        What our ICE configuration has: both, or only one of them.
    rng : random.Random
        Source of the jitter of rests.
    patience : Patience
        How long to wait for what.
    attempt : int
        The latest number that the peer may have heard of an attempt of ours.
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
        """When `tick` is due; infinite when it never is."""
        self.attempt = attempt
        """Number of our latest attempt."""
        self.route: Route | None = None
        """Of the attempt under way; None when the peer does not say."""
        self._first = own < peer
        self._routes = routes
        self._rng = rng
        self._patience = patience or Patience()
        self._ours = False
        self._answered = False
        self._failures = 0
        self._unanswered = 0  # attempts of ours since the peer's last word
        self._heard_attempt = 0
        self._told: NoticeKind | None = None
        self._heard = False  # whether the connection that plays is

    # Who is there

    def meet(self, ours: bool, now_s: float) -> Actions:
        """Take note that the peer is in the room, and whether it is our turn to offer."""
        if self.phase is Phase.PARTING:
            self.phase, self._heard_attempt = Phase.CONNECTED, 0  # it had only lost its signalling
            return []
        if self.phase is not Phase.GONE:
            return []
        self._failures, self._heard_attempt, self._told = 0, 0, None
        return (
            self._try(now_s) if ours else self._wait(Phase.AWAITING, self._patience.offer_s, now_s)
        )

    def leave(self, now_s: float) -> Actions:
        """Take note that the peer is no longer in the room."""
        if self.phase is Phase.CONNECTED:
            return self._wait(Phase.PARTING, math.inf, now_s)
        return self._part(now_s)

    # What the peer says

    def hear_offer(self, offer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an offer of the peer's."""
        attempt = number_of(offer)
        stale = attempt is not None and attempt <= self._heard_attempt
        ours_stands = self.phase is Phase.TRYING and self._ours and self._first
        if self.phase is Phase.GONE or stale or ours_stands:
            return []
        self._heard_attempt, self._unanswered = attempt or self._heard_attempt, 0
        told = [] if attempt is None else self._give_up_theirs()
        self._ours, self.route = False, route_of(offer)
        self._wait(Phase.TRYING, self._patience.answer_s + self._checks_s, now_s)
        return [*told, SendAnswer(offer, self.route)]

    def hear_answer(self, answer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an answer of the peer's."""
        expected = self.phase is Phase.TRYING and self._ours and not self._answered
        if not expected or number_of(answer) not in (None, self.attempt):
            return []
        self._answered, self._unanswered = True, 0
        self._wait(Phase.TRYING, self._checks_s, now_s)
        return [TakeAnswer(answer)]

    # What the connections do

    def connected(self, now_s: float) -> Actions:
        """Take note that the attempt under way has connected."""
        return [] if self.phase is Phase.GONE else self._arrive(now_s)

    def resumed(self, now_s: float) -> Actions:
        """Take note that the connection that had fallen silent is heard again."""
        if self.phase in (Phase.GONE, Phase.CONNECTED, Phase.PARTING):
            return []
        under_way: Actions = [GiveUp()] if self.phase is Phase.TRYING else []
        return under_way + self._arrive(now_s)

    def silent(self, now_s: float) -> Actions:
        """Take note that nothing more comes over the connection that plays."""
        self._heard = False
        if self.phase is Phase.PARTING:
            return self._part(now_s)
        if self.phase is not Phase.CONNECTED:
            return []
        self._failures = 1
        return self._rest(0.0, now_s)

    def closed(self, now_s: float) -> Actions:
        """Take note that the connection that plays was closed: its peer may be about to leave."""
        self._heard = False
        if self.phase is Phase.PARTING:
            return self._part(now_s)
        if self.phase is Phase.CONNECTED:
            self._wait(Phase.RESTING, self._patience.farewell_s + self._head_start_s, now_s)
        return []

    def failed(self, now_s: float) -> Actions:
        """Take note that the attempt under way has failed."""
        if self.phase is not Phase.TRYING:
            return []
        if self._heard:
            return [GiveUp(), *self._arrive(now_s)]
        self._failures += 1
        self._unanswered += self._ours and not self._answered
        return [GiveUp(), *self._rest(self._rest_s(), now_s)]

    def restored(self, now_s: float) -> Actions:
        """Take note that our signals reach the room again: an answer can come."""
        self._unanswered = 0
        if self.phase is Phase.RESTING:
            self.due_s = min(self.due_s, now_s + self._patience.longest_rest_s)
        return []

    @property
    def will_offer(self) -> bool:
        """Whether what is due next is an offer of ours."""
        return self.phase in (Phase.AWAITING, Phase.RESTING)

    def put_off(self, for_s: float, now_s: float) -> Actions:
        """Let what is due be due later."""
        self.due_s = now_s + for_s
        return []

    def tick(self, now_s: float) -> Actions:
        """Do what is due; nothing when nothing is."""
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
        """How much later than the peer we offer."""
        return 0.0 if self._first else self._patience.offer_s

    def _try(self, now_s: float) -> Actions:
        self.attempt += 1
        self._ours, self._answered, self.route = True, False, self._next_route()
        self._wait(Phase.TRYING, self._patience.answer_s, now_s)
        return [SendOffer(self.attempt, self.route)]

    def _give_up_theirs(self) -> Actions:
        """Count an attempt of the peer's that it follows with another: to us it failed as well."""
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
        return self._tell(NoticeKind.RESTORED) if self._told else []

    def _part(self, now_s: float) -> Actions:
        self._heard = False
        self._wait(Phase.GONE, math.inf, now_s)
        return [Close()]

    def _tell(self, kind: NoticeKind) -> Actions:
        """Tell what was not told last."""
        if kind is self._told:
            return []
        self._told = None if kind is NoticeKind.RESTORED else kind
        return [Tell(kind)]

    def _wait(self, phase: Phase, for_s: float, now_s: float) -> Actions:
        self.phase, self.due_s = phase, now_s + for_s
        return []


def number_of(description: Mapping[str, Any]) -> int | None:
    """Return the number of the attempt a description belongs to, None when it does not say."""
    number = description.get("attempt")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def route_of(description: Mapping[str, Any]) -> Route | None:
    """Return the route a description is for, None when it does not say."""
    route = description.get("route")
    return Route(route) if isinstance(route, str) and route in set(Route) else None
