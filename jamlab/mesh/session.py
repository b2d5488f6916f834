"""A jam session: one participant in a room, connected to everybody else in it.

Those already there offer to the newcomer, the newcomer answers. A room that tells two who come at
the same time of each other would have both offer; then the offer of the name that sorts first
stands, and the other participant gives its own up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from aiortc import RTCIceServer

from jamlab.audio.card import SoundCard
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.mesh.errors import MeshError
from jamlab.mesh.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.service import Description, WebRTCAudioService
from jamlab.signaling.channel import Channel, Membership
from jamlab.signaling.messages import ChannelEvent, PeerJoined, PeerLeft, Signal, SignalType

log = logging.getLogger(__name__)


class JamSession:
    """One participant's part in a session; an asynchronous context manager, entered once.

    Parameters
    ----------
    name : str
        The participant's name in the room.
    channel : Channel
        The room.
    card : SoundCard
        What it plays through.
    quality : Quality
        How its sound is encoded.
    ice_servers : sequence of RTCIceServer
        STUN and TURN servers; none means host candidates only.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        card: SoundCard,
        *,
        quality: Quality = LOW_LATENCY,
        ice_servers: Sequence[RTCIceServer] = (),
    ) -> None:
        self.name = name
        self.card = card
        self.service = WebRTCAudioService(quality=quality, ice_servers=ice_servers)
        self._channel = channel
        self._membership: Membership | None = None
        self._waiting: dict[str, deque[ChannelEvent]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.service.on_connection_state_change(self._note_change)

    async def __aenter__(self) -> "JamSession":
        if self._membership is not None or self._leaving is not None:
            raise RuntimeError(f"{self.name!r} has been in its session: make a new JamSession")
        try:
            await self.service.initialize_local_audio(self.card)
            self._membership = await self._channel.join(self.name)
        except BaseException:
            await self.leave()
            raise
        self._start(self._listen(self._membership))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Go out of the room and close everything. Leaving twice is harmless.

        Cancelled, it stops waiting; everything closes nevertheless.
        """
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        await asyncio.shield(self._leaving)

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until there is a working connection to everybody in the room.

        Raises
        ------
        TimeoutError
            Names those who are missing.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._missing():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            missing = ", ".join(sorted(self._missing()))
            raise TimeoutError(
                f"{self.name!r} has no connection to {missing} after {timeout_s:g} s"
            ) from None

    def _missing(self) -> frozenset[str]:
        peers = self._membership.peers if self._membership else frozenset()
        connected = {
            peer
            for peer in self.service.peers
            if self.service.connection_state(peer) is ConnectionState.CONNECTED
        }
        return frozenset(peers - connected)

    def _note_change(self, change: ConnectionStateChange) -> None:
        self._changed.set()

    async def _leave(self) -> None:
        try:
            if self._membership is not None:
                await self._membership.leave()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.service.close()

    # Signals: those of one peer in order, those of different peers side by side

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
            log.exception("%s hears no more of its room", self.name)

    def _sort(self, membership: Membership, event: ChannelEvent) -> None:
        peer_id = event.sender_peer_id if isinstance(event, Signal) else event.peer_id
        if peer_id in self._waiting:
            self._waiting[peer_id].append(event)
        else:
            self._waiting[peer_id] = deque([event])
            self._start(self._attend(membership, peer_id))

    async def _attend(self, membership: Membership, peer_id: str) -> None:
        """Handle what waits from one peer, until nothing does."""
        waiting = self._waiting[peer_id]
        try:
            while waiting:
                await self._handle(membership, waiting.popleft())
        finally:
            del self._waiting[peer_id]

    async def _handle(self, membership: Membership, event: ChannelEvent) -> None:
        """Handle one event; whatever is wrong with it concerns one peer only."""
        try:
            await self._dispatch(membership, event)
        except MeshError as error:
            log.warning("%s: %s", self.name, error)
        except Exception:
            log.exception("%s could not handle %s", self.name, event)

    async def _dispatch(self, membership: Membership, event: ChannelEvent) -> None:
        match event:
            case PeerJoined(peer_id):
                offer = await self.service.create_offer(peer_id)
                await self._send(membership, SignalType.OFFER, peer_id, offer)
            case PeerLeft(peer_id):
                await self._forget(peer_id)
            case Signal(SignalType.OFFER, peer_id, _, data):
                await self._give_way(peer_id)
                answer = await self.service.handle_offer(peer_id, data)
                await self._send(membership, SignalType.ANSWER, peer_id, answer)
            case Signal(SignalType.ANSWER, peer_id, _, data):
                await self.service.handle_answer(peer_id, data)
            case Signal(SignalType.ICE_CANDIDATE, peer_id, _, data):
                await self.service.handle_ice_candidate(peer_id, data)

    async def _send(
        self, membership: Membership, kind: SignalType, peer_id: str, data: Description
    ) -> None:
        """Send a description; one that did not get out leaves no connection waiting for more."""
        try:
            await membership.send(Signal(kind, self.name, peer_id, data))
        except BaseException:
            await self._forget(peer_id)
            raise

    async def _give_way(self, peer_id: str) -> None:
        """Give up an unanswered offer of ours to a peer that offers too and sorts first."""
        offered = peer_id in self.service.peers and (
            self.service.connection_state(peer_id) is ConnectionState.NEW
        )
        if offered and peer_id < self.name:
            await self._forget(peer_id)

    async def _forget(self, peer_id: str) -> None:
        if peer_id in self.service.peers:
            await self.service.close_peer(peer_id)
