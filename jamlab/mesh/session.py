"""A jam session: one participant in a room, connected to all other participants in it.

The session listens to its room and keeps a `jamlab.mesh.link.PeerLink` for each peer. Each link
connects on its own: a failure between two participants does not affect others.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

from jamlab.audio.card import CardChange, MicrophoneUnavailableError, SoundCard, VirtualCard
from jamlab.audio.permission import REQUIRED
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.ice.useless_servers import ServerWatch
from jamlab.media.playout.delay import DEFAULT_BOUNDS, DelayBounds
from jamlab.media.playout.playout import HISTORY_S
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.mesh.connection.capture import Capture, SoundChange
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    Listeners,
    LocalCandidate,
    PeerReport,
)
from jamlab.mesh.connection.fingerprints import KnownPeers
from jamlab.mesh.equal import keep_equal
from jamlab.mesh.figures import PeerFigures
from jamlab.mesh.link import PeerLink, offer_limits
from jamlab.mesh.notices import Notice, NoticeBoard, NoticeKind
from jamlab.mesh.reach import Patience
from jamlab.mesh.service import WebRTCAudioService
from jamlab.mesh.watch import FiguresWatch
from jamlab.networks.port_mapping.mapping import Mapper
from jamlab.signaling.channel import Channel, Membership
from jamlab.signaling.messages import (
    ChannelEvent,
    PeerJoined,
    PeerLeft,
    Signal,
    SignalingLost,
    SignalingRestored,
    SignalType,
)

log = logging.getLogger(__name__)

Signaling: TypeAlias = Callable[[str], Channel]
"""Returns the channel of the room with a name."""

ANNOUNCED_S = 0.5
"""Time from the announcement of a quality to the switch, for its delivery and the preparation."""


class JamSession:
    """One participant's session; an asynchronous context manager, entered once.

    Parameters
    ----------
    signaling : callable
        Returns the channel of the room with a name.
    card : SoundCard, optional
        The sound card; by default a virtual card with a silent microphone.
    ice : IceConfiguration
        STUN and TURN servers; by default host candidates only.
    patience : Patience, optional
        Time limits and waits of the connection strategy.
    rng : random.Random, optional
        Source of the jitter between attempts.
    history_s : float
        Least length of the history of packets.
    delay_bounds : DelayBounds
        The concealment that is accepted, and the largest delay of the playout buffers.
    mapper : Mapper, optional
        Maps our ports at the router, in a context that encloses the session's; by default none.
    equal_latency : bool
        Hear every peer as late as the slowest path of the session (`jamlab.mesh.equal`).

    Examples
    --------
    >>> import asyncio
    >>> from jamlab import MemoryChannel
    >>> async def play() -> frozenset[str]:
    ...     room = MemoryChannel()
    ...     async with JamSession("jam", "ada", signaling=lambda _: room):
    ...         async with JamSession("jam", "bob", signaling=lambda _: room) as bob:
    ...             await bob.wait_connected(30)
    ...             return bob.members
    >>> sorted(asyncio.run(play()))
    ['ada']
    """

    def __init__(
        self,
        room: str,
        name: str,
        *,
        signaling: Signaling,
        card: SoundCard | None = None,
        quality: Quality = LOW_LATENCY,
        ice: IceConfiguration = HOST_ONLY,
        patience: Patience | None = None,
        rng: random.Random | None = None,
        figures_every_s: float = 1.0,
        history_s: float = HISTORY_S,
        delay_bounds: DelayBounds = DEFAULT_BOUNDS,
        mapper: Mapper | None = None,
        equal_latency: bool = False,
    ) -> None:
        self.room, self.name = room, name
        self.card = card or VirtualCard()
        self.service = WebRTCAudioService(
            quality=quality,
            ice=ice,
            history_s=history_s,
            delay_bounds=delay_bounds,
            mapper=mapper,
        )
        self.microphone_problem = ""
        """Why nothing is captured, as a sentence; empty when the card captures."""
        self.board = NoticeBoard()
        """The notices that still apply, for displays that are opened later."""
        self._quality = quality  # as announced to peers, just before the switch
        self._channel = signaling(room)
        self._membership: Membership | None = None
        self._patience = patience
        self._equal_latency = equal_latency
        self._rng = rng or random.Random()
        self._links: dict[str, PeerLink] = {}
        self._offers, self._strangers_offers = offer_limits()
        self._last_attempt = 0  # of ended links: a peer that returns knows their numbers
        self._known = KnownPeers()
        self._present: set[str] = set()  # peers in the room or heard
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._notice_listeners: Listeners[Notice] = Listeners()
        self._watch = FiguresWatch(self.service, self._tell, figures_every_s)
        self._servers = ServerWatch(
            lambda reason: self._tell(NoticeKind.SERVERS_USELESS, reason=reason),
            lambda: self._tell(NoticeKind.SERVERS_BACK),
            lambda: self.board.end(NoticeKind.SERVERS_USELESS),
        )
        self._report_listeners: Listeners[PeerReport] = Listeners()
        self._departure_listeners: Listeners[str] = Listeners()
        self.service.on_connection_state_change(self._follow)
        self.service.on_ice_candidate(self._trickle)
        self.service.on_ice_servers(lambda servers: self._servers.note(*servers))

    async def __aenter__(self) -> "JamSession":
        if self._membership is not None or self._leaving is not None:
            raise RuntimeError(f"{self.name!r} entered its session before: make a new JamSession")
        try:
            await self.start_card()
            self._membership = await self._channel.join(self.name)
        except BaseException:
            await self.leave()
            raise
        for peer_id in self._membership.peers:
            self._link(peer_id).meet(ours=False)
        self._start(self._listen(self._membership))
        self._start(self._watch.run())
        if self._equal_latency:
            self._start(keep_equal(self))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Leave the room and close everything. Leaving twice is harmless.

        A cancelled call stops waiting; everything closes nevertheless.
        """
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        await asyncio.shield(self._leaving)

    @property
    def members(self) -> frozenset[str]:
        """Names of the other participants in the room, connected or not; none before we join."""
        return self._membership.peers if self._membership else frozenset()

    async def wait_connected(self, timeout_s: float, *peers: str) -> None:
        """Wait until all peers in the room, and all named ones, are connected.

        The named ones may not be in the room yet. Raises `TimeoutError`, which names the missing
        peers, after the time limit.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._missing(peers):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            missing = ", ".join(sorted(self._missing(peers)))
            raise TimeoutError(
                f"{self.name!r} has no connection to {missing} after {timeout_s:g} s"
            ) from None

    def on_notice(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Add a listener to notices to the user; return a function to remove it."""
        return self._notice_listeners.add(listener)

    def on_departure(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Add a listener to peers that have left and are silent; return a function to remove it."""
        return self._departure_listeners.add(listener)

    def on_figures(self, listener: Callable[[PeerFigures], None]) -> Callable[[], None]:
        """Add a listener to the live figures of each peer; return a function to remove it."""
        return self._watch.listeners.add(listener)

    @property
    def figures(self) -> tuple[PeerFigures, ...]:
        """The live figures of all peers so far, in order; of long sessions the latest."""
        return tuple(self._watch.history)

    def on_report(self, listener: Callable[[PeerReport], None]) -> Callable[[], None]:
        """Add a listener to reports from peers; return a function to remove it."""
        return self._report_listeners.add(listener)

    async def report(self, peer_id: str, data: Mapping[str, Any]) -> None:
        """Send a report to a peer; it is dropped when the peer has left.

        Raises `MalformedSignalError` when it is too long for a signal, or not JSON, and
        `RuntimeError` before the session is entered.
        """
        if self._membership is None:
            raise RuntimeError(f"{self.name!r} is not in its session: enter it before reporting")
        Signal(SignalType.REPORT, self.name, peer_id, data).check_length()
        await self._send(SignalType.REPORT, peer_id, data)

    async def switch_quality(self, quality: Quality) -> None:
        """Announce another quality to the peers, and switch half a second later, without a gap.

        At a peer that gets the announcement too late, longer frames come late at first.
        """
        self._quality = quality
        change = SoundChange(self._capture, quality.frame_for(self.service.audience)).to_data()
        for peer_id in self.members:
            await self._send(SignalType.REPORT, peer_id, change)
        await asyncio.sleep(ANNOUNCED_S)
        self.service.quality = quality

    async def start_card(self) -> None:
        """Start or restart the card, with capture if possible and permitted.

        Without a microphone the session only listens, and shows a notice. Call it again after a
        change of the permission.
        """
        self.card.on_change = self._note_card
        for kind in NoticeKind.CARD_LOST, NoticeKind.MICROPHONE:
            self.board.end(kind)  # shown again if it still applies
        try:
            await self.service.initialize_local_audio(self.card)
            self.microphone_problem = ""
        except MicrophoneUnavailableError as error:
            self.microphone_problem = str(error)
            await self.service.initialize_local_audio(self.card, capture=False)
            self._tell(NoticeKind.MICROPHONE, reason=str(error).removeprefix(f"{REQUIRED}: "))

    # Inside

    @property
    def _capture(self) -> Capture:
        return Capture.of(self.card, self._quality)

    def _note_report(self, report: PeerReport) -> None:
        if (change := SoundChange.from_data(report.data)) is None:
            self._report_listeners.emit(report)
        else:
            self.service.expect(report.peer_id, change)

    def _note_card(self, change: CardChange) -> None:
        kind = NoticeKind.CARD_BACK if change.there else NoticeKind.CARD_LOST
        self._tell(kind, reason="" if change.there else change.reason)

    def _missing(self, named: Iterable[str]) -> frozenset[str]:
        state = self.service.connection_state
        connected = {p for p in self.service.peers if state(p) is ConnectionState.CONNECTED}
        return self.members.union(named) - connected

    def _tell(self, kind: NoticeKind, peer_id: str = "", reason: str = "") -> None:
        notice = Notice(kind, asyncio.get_running_loop().time(), peer_id, reason)
        self.board.note(notice)
        self._notice_listeners.emit(notice)

    def _follow(self, change: ConnectionStateChange) -> None:
        self._changed.set()
        self._note_heard(change.peer_id)
        self._forget_gone(change.peer_id)
        if change.state is ConnectionState.CONNECTED:
            self._recognise(change.peer_id)
        if change.peer_id in self._links:
            self._links[change.peer_id].hear(change)

    def _note_heard(self, peer_id: str) -> None:
        """Tell the room whether a peer is heard; one that it takes for gone then has left."""
        room, service = self._membership, self.service
        state = service.connection_state(peer_id) if peer_id in service.peers else None
        if room is None or state in (ConnectionState.NEW, ConnectionState.CONNECTING):
            return
        if peer_id in room.peers:
            room.note_heard(peer_id, state is ConnectionState.CONNECTED)
            if peer_id not in room.peers and peer_id in self._links:
                self._links[peer_id].leave()

    def _trickle(self, candidate: LocalCandidate) -> None:
        if candidate.peer_id in self._links:
            self._links[candidate.peer_id].hear(candidate)

    def _recognise(self, peer_id: str) -> None:
        """Show a notice when a peer's key differs from the one its name had before."""
        identity = self.service.identity(peer_id)
        if identity is not None and self._known.note(peer_id, identity):
            self._tell(NoticeKind.NEW_KEY, peer_id)

    def _forget_gone(self, peer_id: str) -> None:
        """Drop notices and figures of a peer that is neither in the room nor connected."""
        if peer_id in self.members | self.service.peers:
            return
        self.board.forget(peer_id)
        self._watch.forget(peer_id)
        if peer_id in self._present:
            self._present.discard(peer_id)
            self._departure_listeners.emit(peer_id)

    async def _leave(self) -> None:
        try:
            if self._membership is not None:
                await self._membership.leave()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.service.close()

    # The room

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, membership: Membership) -> None:
        try:
            async for event in membership.events():
                self._changed.set()
                self._sort(membership, event)
        except Exception:
            log.exception("%s gets no more events of its room", self.name)

    def _sort(self, membership: Membership, event: ChannelEvent) -> None:
        match event:
            case PeerJoined(peer_id):
                self._tell(NoticeKind.JOINED, peer_id)
                self._link(peer_id).meet(ours=True)
            case PeerLeft(peer_id) if peer_id in self._links:
                self._links[peer_id].leave()
                self._forget_gone(peer_id)
            case Signal(SignalType.REPORT, peer_id, _, data) if peer_id in membership.peers:
                self._note_report(PeerReport(peer_id, data))
            case Signal(_, peer_id) if peer_id in membership.peers:
                self._link(peer_id).hear(event)
            case SignalingLost():
                self._tell(NoticeKind.SIGNALING_LOST)
            case SignalingRestored():
                self._tell(NoticeKind.SIGNALING_RESTORED)
                for link in self._links.values():
                    link.restore()
            case Signal(kind, peer_id):
                log.warning("%s ignores %s of %r, not in the room", self.name, kind, peer_id)

    def _link(self, peer_id: str) -> PeerLink:
        """Return the link to a peer; it ends when the peer has left and is silent."""
        if peer_id not in self._links:
            link = PeerLink(
                *(self.name, peer_id, self.service, self._send, self._tell, self._servers),
                *(self._rng, self._patience, self._offers),
                *(self._last_attempt, self._strangers_offers),
            )
            self._links[peer_id] = link
            self._start(self._work(link))
        self._present.add(peer_id)
        return self._links[peer_id]

    async def _work(self, link: PeerLink) -> None:
        """Run a link; remove it at its end in the same turn of the loop, so no signal is lost."""
        await link.run()
        self._last_attempt = max(self._last_attempt, link.reach.attempt)
        del self._links[link.peer]

    async def _send(self, kind: SignalType, peer_id: str, data: Mapping[str, Any]) -> None:
        assert self._membership is not None
        if kind in (SignalType.OFFER, SignalType.ANSWER):
            data = {**data, "capture": self._capture.to_dict()}
        await self._membership.send(Signal(kind, self.name, peer_id, data))
