"""One participant's audio connections, shaped after the browser's ``WebRTCAudioService``.

The service owns a sound card, one encoder and a connection per peer. It knows nothing of rooms or
signalling: descriptions and candidates go in and out as values, and `jamlab.mesh.session` carries
them. Everything runs on one event loop; the card's callback is the only real-time part, and it does
nothing but encode, queue, pull and add.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from jamlab.audio.card import SoundCard
from jamlab.audio.mixer import mix
from jamlab.audio.pcm import Block
from jamlab.media.encoder import FrameEncoder
from jamlab.media.playout import Playout
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.mesh.errors import DuplicatePeerError, NoLocalAudioError, UnknownPeerError
from jamlab.mesh.events import (
    ConnectionState,
    ConnectionStateChange,
    RemoteStreamEvent,
)
from jamlab.mesh.peer import PeerConnection

log = logging.getLogger(__name__)

_HISTORY = 16_384

Event = TypeVar("Event")
Description = Mapping[str, Any]
"""A session description as on the wire: ``{"type": "offer" | "answer", "sdp": str}``."""


class Listeners(list[Callable[[Event], None]]):
    """Callbacks of one kind of event; one that raises is logged and the others are called."""

    def emit(self, event: Event) -> None:
        """Call everyone."""
        for listener in tuple(self):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", event)


class WebRTCAudioService:
    """Audio between this participant and every peer.

    Parameters
    ----------
    quality : Quality
        How our sound is encoded.
    ice_servers : sequence of RTCIceServer
        STUN and TURN servers; none means host candidates only.
    flow_timeout_s : float
        A connected peer whose packets stop for so long is reported as disconnected.

    Notes
    -----
    Use it as an asynchronous context manager, or call `close`: it stops the card and closes what
    was opened.
    """

    def __init__(
        self,
        *,
        quality: Quality = LOW_LATENCY,
        ice_servers: Sequence[RTCIceServer] = (),
        flow_timeout_s: float = 2.0,
    ) -> None:
        self._encoder = FrameEncoder(quality)
        self._ice_servers = list(ice_servers)
        self._flow_timeout_s = flow_timeout_s
        self.sent_frames: deque[tuple[int, float]] = deque(maxlen=_HISTORY)
        """Capture position of each frame sent, and when, by the loop's clock in seconds."""
        self._card: SoundCard | None = None
        self._peers: dict[str, PeerConnection] = {}
        self._stream_listeners: Listeners[RemoteStreamEvent] = Listeners()
        self._state_listeners: Listeners[ConnectionStateChange] = Listeners()

    async def __aenter__(self) -> "WebRTCAudioService":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def quality(self) -> Quality:
        """How our sound is encoded."""
        return self._encoder.quality

    @property
    def peers(self) -> frozenset[str]:
        """Peers there is a connection to, whatever its state."""
        return frozenset(self._peers)

    def connection_state(self, peer_id: str) -> ConnectionState:
        """Return the state of one connection; raises `UnknownPeerError`."""
        return self._peer(peer_id).state

    def timestamp_origin(self, peer_id: str) -> int | None:
        """Return the RTP timestamp a peer sees for our capture position 0; None before a packet."""
        return self._peer(peer_id).timestamp_origin()

    def playout(self, peer_id: str) -> Playout | None:
        """Return a peer's playout buffer, None before its stream is there."""
        return self._peer(peer_id).playout

    # The browser's methods

    async def initialize_local_audio(self, card: SoundCard) -> None:
        """Start capture and playback on a card; an earlier card is stopped first."""
        if self._card is not None:
            self._card.stop()
        self._card = card
        card.start(self._exchange)

    async def create_peer_connection(self, peer_id: str) -> None:
        """Prepare a connection that will carry our sound to a peer.

        Raises
        ------
        NoLocalAudioError
            Before `initialize_local_audio`.
        DuplicatePeerError
            When there is a connection to that peer.
        """
        if self._card is None:
            raise NoLocalAudioError(
                f"cannot connect to {peer_id!r} without a sound card: call "
                "initialize_local_audio first"
            )
        if peer_id in self._peers:
            raise DuplicatePeerError(f"there is a connection to {peer_id!r}: close it first")
        connection = RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers))
        self._peers[peer_id] = PeerConnection(
            peer_id,
            connection,
            quality=self.quality,
            flow_timeout_s=self._flow_timeout_s,
            on_stream=self._stream_listeners.emit,
            on_state=self._on_state,
        )
        self._encoder.serve(len(self._peers))

    async def create_offer(self, peer_id: str) -> Description:
        """Open a connection to a peer and return the offer to send to it."""
        await self.create_peer_connection(peer_id)
        return await self._closing_on_error(peer_id, self._peers[peer_id].create_offer())

    async def handle_offer(self, peer_id: str, offer: Description) -> Description:
        """Take a peer's offer and return the answer to send to it.

        Raises
        ------
        MalformedDescriptionError
            When the offer cannot be used; the connection is closed again.
        """
        await self.create_peer_connection(peer_id)
        return await self._closing_on_error(peer_id, self._peers[peer_id].accept_offer(offer))

    async def handle_answer(self, peer_id: str, answer: Description) -> None:
        """Take a peer's answer to our offer.

        Raises
        ------
        UnknownPeerError
            When no offer was made to that peer.
        UnexpectedDescriptionError
            When the connection waits for no answer.
        MalformedDescriptionError
            When the answer cannot be used; the connection keeps waiting for one that can.
        """
        await self._peer(peer_id).accept_answer(answer)

    async def handle_ice_candidate(self, peer_id: str, candidate: Mapping[str, Any]) -> None:
        """Take a candidate of a peer's; one that comes before its description is kept for it.

        Raises
        ------
        UnknownPeerError
            When there is no connection to that peer.
        MalformedCandidateError
            When the candidate cannot be read; the connection goes on without it.
        """
        await self._peer(peer_id).add_candidate(candidate)

    def on_remote_stream(self, listener: Callable[[RemoteStreamEvent], None]) -> Callable[[], None]:
        """Call `listener` when a peer's stream is there and when it ended.

        Returns
        -------
        callable
            Call it to listen no more.
        """
        self._stream_listeners.append(listener)
        return lambda: self._stream_listeners.remove(listener)

    def on_connection_state_change(
        self, listener: Callable[[ConnectionStateChange], None]
    ) -> Callable[[], None]:
        """Call `listener` when a connection changes its state; returns how to stop that."""
        self._state_listeners.append(listener)
        return lambda: self._state_listeners.remove(listener)

    # Ends

    async def close_peer(self, peer_id: str) -> None:
        """Close one connection; raises `UnknownPeerError`."""
        await self._peer(peer_id).close()

    async def close(self) -> None:
        """Stop the card and close every connection. Closing twice is harmless."""
        if self._card is not None:
            self._card.stop()
            self._card = None
        await asyncio.gather(*(peer.close() for peer in tuple(self._peers.values())))

    # Inside

    def _peer(self, peer_id: str) -> PeerConnection:
        peer = self._peers.get(peer_id)
        if peer is None:
            raise UnknownPeerError(
                f"there is no connection to {peer_id!r}: make or accept an offer"
            )
        return peer

    async def _closing_on_error(self, peer_id: str, step: Any) -> Description:
        try:
            description: Description = await step
        except BaseException:
            await self._peers[peer_id].close()
            raise
        return description

    def _on_state(self, change: ConnectionStateChange) -> None:
        if change.state is ConnectionState.CLOSED:
            self._peers.pop(change.peer_id, None)
            self._encoder.serve(len(self._peers))
        self._state_listeners.emit(change)

    def _exchange(self, captured: Block) -> Block:
        """Send what the card captured, return what it plays: the card's callback."""
        peers = self._peers.values()
        for frame in self._encoder.push(captured):
            self.sent_frames.append((frame.position, asyncio.get_running_loop().time()))
            for peer in peers:
                peer.send(frame)
        frames = len(captured)
        return mix((peer.pull(frames) for peer in peers if peer.playout), frames)
