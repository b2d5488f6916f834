"""The task that connects to one peer: it feeds events to `Reach` and carries out its decisions.

Events and the peer's deadlines are handled one after the other, each to its end. Links to different
peers do not wait for each other.

All links share one limit on the rate of offers: each offer makes a connection, with sockets and
perhaps TURN allocations, for a peer of which nothing is known but its presence. A peer's own offers
and signals have limits, too, as have the offers of all peers that were never connected: those that
exceed them are left out, and the log says so once.
"""

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from jamlab.ice.useless_servers import ServerWatch
from jamlab.mesh.connection.candidates import LISTS
from jamlab.mesh.connection.description import read_description
from jamlab.mesh.connection.errors import MeshError
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange, LocalCandidate
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import (
    Action,
    Actions,
    Close,
    GiveUp,
    Patience,
    Phase,
    Reach,
    SendAnswer,
    SendOffer,
    TakeAnswer,
    Tell,
)
from jamlab.mesh.service import WebRTCAudioService
from jamlab.mesh.trickle import Trickle
from jamlab.pace import TokenBucket
from jamlab.signaling.messages import Signal, SignalType

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[SignalType, str, Mapping[str, Any]], Awaitable[None]]
"""Sends a signal of a type to a peer."""

Step: TypeAlias = Callable[[float], Actions]

Event: TypeAlias = Signal | ConnectionStateChange | LocalCandidate

OFFERS_PER_S, OFFERS_BURST = 2.0, 16
"""Limit on a session's offers to all peers together: average rate, and burst."""

PEER_OFFERS_PER_S, PEER_OFFERS_BURST = 0.5, 10
"""Limit on the offers of one peer that are answered."""

STRANGERS_OFFERS_PER_S, STRANGERS_OFFERS_BURST = 4.0, 32
"""Limit on the offers that are answered of all peers together that were never connected."""

COMPLAINTS_PER_S, COMPLAINTS_BURST = 0.1, 20
"""Limit on the lines of the log about one peer's signals."""

MOST_SIGNALS = 256
"""Most signals of one peer that wait to be handled."""


def offer_limits() -> tuple[TokenBucket, TokenBucket]:
    """Return a session's limits on its own offers, and on those of strangers that it answers."""
    strangers = TokenBucket(STRANGERS_OFFERS_PER_S, STRANGERS_OFFERS_BURST)
    return TokenBucket(OFFERS_PER_S, OFFERS_BURST), strangers


class PeerLink:
    """The link to one peer: all attempts to connect to it, and the connection that results.

    `tell` shows a notice about a peer to the user, `servers` knows the servers that do not work,
    `rng` is the source of the jitter of rests; `offers` limits the offers of all links together,
    and `strangers_offers` those of all peers that were never connected. `attempt` is the highest
    attempt number of ours that the peer may have seen.
    """

    def __init__(
        self,
        own: str,
        peer: str,
        service: WebRTCAudioService,
        send: Send,
        tell: Callable[[NoticeKind, str], None],
        servers: ServerWatch,
        rng: random.Random,
        patience: Patience | None = None,
        offers: TokenBucket | None = None,
        attempt: int = 0,
        strangers_offers: TokenBucket | None = None,
    ) -> None:
        self.peer = peer
        self.reach = Reach(own, peer, rng, patience, attempt)
        limits = offer_limits()
        self._offers = offers or limits[0]
        self._service = service
        self._send = send
        self._tell = tell
        self._servers = servers
        self._trickle = Trickle()
        self._queue: asyncio.Queue[Step | Event] = asyncio.Queue()
        self._signals = 0  # in the queue
        self._peer_offers = TokenBucket(PEER_OFFERS_PER_S, PEER_OFFERS_BURST)
        self._strangers_offers = strangers_offers or limits[1]
        self._was_connected = False
        self._complaints = TokenBucket(COMPLAINTS_PER_S, COMPLAINTS_BURST)
        self._refused: set[str] = set()  # reasons that the log has
        self._under_way: int | None = None
        self._playing: int | None = None
        self._complaint = ""

    # Events

    def meet(self, ours: bool) -> None:
        """Note that the peer is in the room, and whether it is our turn to offer.

        Beyond the limit on offers, the link waits for the peer's offer instead.
        """
        self._queue.put_nowait(lambda now_s: self._meet(ours, now_s))

    def restore(self) -> None:
        """Note that our signals reach the room again."""
        self._queue.put_nowait(self.reach.restored)

    def leave(self) -> None:
        """Note that the peer is no longer in the room."""
        self._queue.put_nowait(self.reach.leave)

    def hear(self, event: Event) -> None:
        """Take a signal from the peer, or a state change or candidate of a connection to it."""
        if isinstance(event, Signal):
            if self._signals >= MOST_SIGNALS:
                self._refuse(f"more than {MOST_SIGNALS} signals wait: further ones are dropped")
                return
            self._signals += 1
        self._queue.put_nowait(event)

    def _refuse(self, reason: str) -> None:
        """Log once why a signal of the peer is ignored."""
        if reason not in self._refused:
            self._refused.add(reason)
            log.warning("about %s: %s", self.peer, reason)

    # Handling

    async def run(self) -> None:
        """Handle events until the peer has left and all connections to it are closed."""
        is_gone = False
        while not is_gone:
            step = await self._next_step()
            try:
                await self._take(step)
            except MeshError as error:
                self._complain(error)
            except Exception:
                log.exception("an event of %s could not be handled", self.peer)
            is_gone = self.reach.phase is Phase.GONE and self._queue.empty()

    def _complain(self, error: Exception) -> None:
        """Log a new error of the peer's, and not too many: they must not fill the disk."""
        repeated, self._complaint = str(error) == self._complaint, str(error)
        if not repeated and self._complaints.take(1, asyncio.get_running_loop().time()):
            log.warning("about %s: %s", self.peer, error)

    async def _next_step(self) -> Step | Event:
        """Return the next event, or the step that is due at the deadline without one."""
        now_s = asyncio.get_running_loop().time()
        within_s = min(self.reach.due_s, self._trickle.due_s) - now_s
        try:
            async with asyncio.timeout(within_s if within_s < math.inf else None):
                event = await self._queue.get()
        except TimeoutError:
            return self._tick
        self._signals -= isinstance(event, Signal)
        return event

    def _meet(self, ours: bool, now_s: float) -> Actions:
        may_offer = ours and self.reach.phase is Phase.GONE and self._offers.take(1, now_s)
        return self.reach.meet(may_offer, now_s)

    def _tick(self, now_s: float) -> Actions:
        """Do what is due, but put an offer off while it would exceed the limit on offers."""
        if self.reach.will_offer and now_s >= self.reach.due_s and not self._offers.take(1, now_s):
            return self.reach.put_off(self._offers.wait_s(1, now_s), now_s)
        return self.reach.tick(now_s)

    async def _take(self, event: Step | Event) -> None:
        if isinstance(event, Signal) and event.type is SignalType.ICE_CANDIDATE:
            self.reach.hear_candidate(asyncio.get_running_loop().time())
            await self._service.handle_ice_candidate(self.peer, event.data)
            return
        actions = deque(self._actions(event, asyncio.get_running_loop().time()))
        while actions:
            actions.extend(await self._try_to_do(actions.popleft()))
        for candidates in self._trickle.take(asyncio.get_running_loop().time()):
            await self._send(SignalType.ICE_CANDIDATE, self.peer, candidates)

    def _actions(self, event: Step | Event, now_s: float) -> Actions:
        match event:
            case LocalCandidate(_, candidate, connection):
                self._trickle.add(connection, candidate, now_s)
                return self.reach.hear_candidate(now_s) if candidate["candidate"] else []
            case Signal(SignalType.OFFER, _, _, data):
                read_description(data, "offer", self.peer)  # a bad one must not count as an attempt
                return self._hear_offer(data, now_s)
            case Signal(_, _, _, data):
                read_description(data, "answer", self.peer)
                return self.reach.hear_answer(data, now_s)
            case ConnectionStateChange():
                return self._follow(event, now_s)
            case _:
                return event(now_s)

    def _hear_offer(self, offer: Mapping[str, Any], now_s: float) -> Actions:
        """Take an offer, unless the peer has made too many: each costs a connection."""
        if not self._peer_offers.take(1, now_s):
            self._refuse(
                f"more than {PEER_OFFERS_BURST} offers at once, or one in "
                f"{1 / PEER_OFFERS_PER_S:g} s: further ones are not answered"
            )
            return []
        if not self._was_connected and not self._strangers_offers.take(1, now_s):
            self._refuse("too many offers of peers that were never connected: not answered now")
            return []
        return self.reach.hear_offer(offer, now_s)

    def _follow(self, change: ConnectionStateChange, now_s: float) -> Actions:
        """Translate a connection's state change into an input of `Reach`."""
        if change.connection == self._under_way:
            if change.state is ConnectionState.CONNECTED:
                if self._playing is not None:  # it replaces one that was lost
                    self._servers.forget()
                self._playing, self._under_way = change.connection, None
                self._was_connected = True
                self._trickle.settle()
                return self.reach.connected(now_s)
            over = change.state in (ConnectionState.FAILED, ConnectionState.CLOSED)
            return self.reach.failed(now_s) if over else []
        if change.connection != self._playing:
            return []
        if change.state is ConnectionState.CONNECTED:
            self._servers.forget()
        meanings: dict[ConnectionState, Step] = {
            ConnectionState.CONNECTED: self.reach.resumed,
            ConnectionState.DISCONNECTED: self.reach.silent,
            ConnectionState.FAILED: self.reach.silent,
            ConnectionState.CLOSED: self.reach.closed,
        }
        return meanings[change.state](now_s) if change.state in meanings else []

    # Actions

    async def _try_to_do(self, action: Action) -> Actions:
        """Carry out an action; if it fails, the attempt it belongs to has failed."""
        try:
            await self._do(action)
        except (MeshError, OSError) as error:
            self._complain(error)
            return self.reach.failed(asyncio.get_running_loop().time())
        return []

    async def _do(self, action: Action) -> None:
        match action:
            case SendOffer(attempt):
                await self._connect()
                offer = await self._service.create_offer(self.peer)
                about = {"attempt": attempt, LISTS: True}
                await self._send(SignalType.OFFER, self.peer, {**offer, **about})
            case SendAnswer(offer):
                await self._connect()
                answer = await self._service.handle_offer(self.peer, offer)
                about = {"attempt": offer["attempt"]} if "attempt" in offer else {}
                await self._send(SignalType.ANSWER, self.peer, {**answer, **about, LISTS: True})
                self._trickle.describe(offer, asyncio.get_running_loop().time())
            case TakeAnswer(answer):
                await self._service.handle_answer(self.peer, answer)
                self._trickle.describe(answer, asyncio.get_running_loop().time())
            case GiveUp():
                if self._under_way is not None:
                    await self._close(self._under_way)
                self._under_way = None
            case Close():
                await self._close()
                self._under_way = self._playing = None
            case Tell(kind):
                self._tell(kind, self.peer)

    async def _connect(self) -> None:
        """Prepare a connection that replaces the existing one once it is established."""
        self._under_way = None
        self._under_way = await self._service.create_peer_connection(self.peer, replacing=True)
        self._trickle.begin(self._under_way)

    async def _close(self, connection: int | None = None) -> None:
        if self.peer in self._service.peers:
            await self._service.close_peer(self.peer, connection)
