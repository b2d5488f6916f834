"""The task that connects to one peer: it feeds events to `Reach` and carries out its decisions.

Events and the peer's deadlines are handled one after the other, each to its end. Links to different
peers do not wait for each other.

All links share one limit on the rate of offers: each offer makes a connection, with sockets and
perhaps TURN allocations, for a peer of which nothing is known but its presence.
"""

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.useless_servers import ServerWatch
from jamlab.mesh.connection.description import read_description
from jamlab.mesh.connection.errors import MeshError
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import (
    Action,
    Actions,
    Close,
    GiveUp,
    Patience,
    Phase,
    Reach,
    Route,
    SendAnswer,
    SendOffer,
    TakeAnswer,
    Tell,
)
from jamlab.mesh.service import WebRTCAudioService
from jamlab.signaling.messages import Signal, SignalType
from jamlab.signaling.pace import TokenBucket

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[SignalType, str, Mapping[str, Any]], Awaitable[None]]
"""Sends a signal of a type to a peer."""

Step: TypeAlias = Callable[[float], Actions]

OFFERS_PER_S, OFFERS_BURST = 2.0, 16
"""Limit on a session's offers to all peers together: average rate, and burst."""


class PeerLink:
    """The link to one peer: all attempts to connect to it, and the connection that results.

    `tell` shows a notice about a peer to the user, `servers` checks our descriptions for servers
    that do not work, `rng` is the source of the jitter of rests, and `offers` limits the offers of
    all links together. `attempt` is the highest attempt number of ours that the peer may have seen.
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
    ) -> None:
        self.peer = peer
        self.reach = Reach(own, peer, routes_of(service.ice), rng, patience, attempt)
        self._offers = offers or TokenBucket(OFFERS_PER_S, OFFERS_BURST)
        self._service = service
        self._send = send
        self._tell = tell
        self._servers = servers
        self._queue: asyncio.Queue[Step | Signal | ConnectionStateChange] = asyncio.Queue()
        self._under_way: int | None = None
        self._playing: int | None = None

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

    def hear(self, event: Signal | ConnectionStateChange) -> None:
        """Take a signal from the peer, or a state change of a connection to it."""
        self._queue.put_nowait(event)

    # Handling

    async def run(self) -> None:
        """Handle events until the peer has left and all connections to it are closed."""
        is_gone = False
        while not is_gone:
            step = await self._next_step()
            try:
                await self._take(step)
            except MeshError as error:
                log.warning("about %s: %s", self.peer, error)
            except Exception:
                log.exception("an event of %s could not be handled", self.peer)
            is_gone = self.reach.phase is Phase.GONE and self._queue.empty()

    async def _next_step(self) -> Step | Signal | ConnectionStateChange:
        """Return the next event, or the step that is due at the deadline without one."""
        now_s = asyncio.get_running_loop().time()
        within_s = self.reach.due_s - now_s
        try:
            async with asyncio.timeout(within_s if within_s < math.inf else None):
                return await self._queue.get()
        except TimeoutError:
            return self._tick

    def _meet(self, ours: bool, now_s: float) -> Actions:
        may_offer = ours and self.reach.phase is Phase.GONE and self._offers.take(1, now_s)
        return self.reach.meet(may_offer, now_s)

    def _tick(self, now_s: float) -> Actions:
        """Do what is due, but put an offer off while it would exceed the limit on offers."""
        if self.reach.will_offer and now_s >= self.reach.due_s and not self._offers.take(1, now_s):
            return self.reach.put_off(self._offers.wait_s(1, now_s), now_s)
        return self.reach.tick(now_s)

    async def _take(self, event: Step | Signal | ConnectionStateChange) -> None:
        if isinstance(event, Signal) and event.type is SignalType.ICE_CANDIDATE:
            await self._service.handle_ice_candidate(self.peer, event.data)
            return
        actions = deque(self._actions(event, asyncio.get_running_loop().time()))
        while actions:
            actions.extend(await self._try_to_do(actions.popleft()))

    def _actions(self, event: Step | Signal | ConnectionStateChange, now_s: float) -> Actions:
        match event:
            case Signal(SignalType.OFFER, _, _, data):
                read_description(data, "offer", self.peer)  # a bad one must not count as an attempt
                return self.reach.hear_offer(data, now_s)
            case Signal(_, _, _, data):
                read_description(data, "answer", self.peer)
                return self.reach.hear_answer(data, now_s)
            case ConnectionStateChange():
                return self._follow(event, now_s)
            case _:
                return event(now_s)

    def _follow(self, change: ConnectionStateChange, now_s: float) -> Actions:
        """Translate a connection's state change into an input of `Reach`."""
        if change.connection == self._under_way:
            if change.state is ConnectionState.CONNECTED:
                self._playing, self._under_way = change.connection, None
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
            log.warning("about %s: %s", self.peer, error)
            return self.reach.failed(asyncio.get_running_loop().time())
        return []

    async def _do(self, action: Action) -> None:
        match action:
            case SendOffer(attempt, route):
                ice = offering(self._service.ice, route)
                await self._connect(ice)
                offer = await self._service.create_offer(self.peer)
                self._servers.note(ice, offer["sdp"])
                about = {"attempt": attempt, "route": route.value}
                await self._send(SignalType.OFFER, self.peer, {**offer, **about})
            case SendAnswer(offer, route):
                ice = answering(self._service.ice, route)
                await self._connect(ice)
                answer = await self._service.handle_offer(self.peer, offer)
                if "a=candidate:" in offer["sdp"]:  # without one, aioice gathers no candidates
                    self._servers.note(ice, answer["sdp"])
                about = {"attempt": offer["attempt"]} if "attempt" in offer else {}
                await self._send(SignalType.ANSWER, self.peer, {**answer, **about})
            case TakeAnswer(answer):
                await self._service.handle_answer(self.peer, answer)
            case GiveUp():
                if self._under_way is not None:
                    await self._close(self._under_way)
                self._under_way = None
            case Close():
                await self._close()
                self._under_way = self._playing = None
            case Tell(kind):
                self._tell(kind, self.peer)

    async def _connect(self, ice: IceConfiguration) -> None:
        """Prepare a connection that replaces the existing one once it is established."""
        self._under_way = None
        self._under_way = await self._service.create_peer_connection(
            self.peer, ice=ice, replacing=True
        )

    async def _close(self, connection: int | None = None) -> None:
        if self.peer in self._service.peers:
            await self._service.close_peer(self.peer, connection)


def routes_of(ice: IceConfiguration) -> tuple[Route, ...]:
    """Return the routes that a configuration allows."""
    if ice.policy == "relay":
        return (Route.RELAY,)
    return (Route.DIRECT, Route.RELAY) if ice.has_turn else (Route.DIRECT,)


def offering(ice: IceConfiguration, route: Route) -> IceConfiguration:
    """Return the part of a configuration that an offer along a route uses."""
    return ice.relayed() if route is Route.RELAY else answering(ice, route)


def answering(ice: IceConfiguration, route: Route | None) -> IceConfiguration:
    """Return the part of a configuration that the answer to an offer along a route uses.

    It is the direct part for an offer along the direct route, and everything for other offers: a
    relayed offer can be reached only at the peer's relay, and a browser's states no route.
    """
    return ice.without_relay() if route is Route.DIRECT and ice.policy == "all" else ice
