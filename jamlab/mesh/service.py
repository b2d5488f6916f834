"""One participant's audio connections, shaped after the browser's ``WebRTCAudioService``.

The service owns a sound card, one encoder and a connection per peer. It knows nothing of rooms or
signalling: descriptions and candidates go in and out as values, and `jamlab.mesh.session` carries
them. Everything runs on one event loop; the card's callback is the only real-time part, and it does
nothing but encode, queue, pull and add.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from jamlab.audio.card import SoundCard
from jamlab.audio.mixer import mix
from jamlab.audio.pcm import Block, silence
from jamlab.media.encoder import FrameEncoder
from jamlab.media.playout import Playout
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.mesh.description import read_candidate, read_description
from jamlab.mesh.errors import DuplicatePeerError, NoLocalAudioError, UnknownPeerError
from jamlab.mesh.events import (
    ConnectionState,
    ConnectionStateChange,
    Listeners,
    RemoteStreamEvent,
)
from jamlab.mesh.peer import PeerConnection

_HISTORY = 16_384

Description = Mapping[str, Any]
"""A session description as on the wire: ``{"type": "offer" | "answer", "sdp": str}``."""


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
    connect_timeout_s : float
        A connection that is not made in so long is reported as failed.

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
        connect_timeout_s: float = 30.0,
    ) -> None:
        self._encoder = FrameEncoder(quality)
        self._ice_servers = list(ice_servers)
        self._flow_timeout_s = flow_timeout_s
        self._connect_timeout_s = connect_timeout_s
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
        """Start capture and playback on a card; an earlier card is stopped first.

        Raises whatever the card raises when it cannot start; there is no local audio then.
        """
        self._stop_card()
        card.start(self._exchange)
        self._card = card

    async def create_peer_connection(self, peer_id: str) -> None:
        """Prepare a connection that will carry our sound to a peer.

        An offer made or taken later uses it. A connection that is just closing is waited for.

        Raises
        ------
        NoLocalAudioError
            Before `initialize_local_audio`.
        DuplicatePeerError
            When there is a connection to that peer.
        """
        while (existing := self._peers.get(peer_id)) and existing.closing:
            await existing.close()
        if self._card is None:
            raise NoLocalAudioError(
                f"cannot connect to {peer_id!r} without a sound card: call "
                "initialize_local_audio first"
            )
        if existing is not None:
            raise DuplicatePeerError(f"there is a connection to {peer_id!r}: close it first")
        self._peers[peer_id] = self._new_connection(peer_id)
        self._encoder.serve(len(self._peers))

    async def create_offer(self, peer_id: str) -> Description:
        """Open a connection to a peer and return the offer to send to it.

        Raises
        ------
        NoLocalAudioError
            Before `initialize_local_audio`.
        DuplicatePeerError
            When there is a connection to that peer, beyond `create_peer_connection`.
        PeerClosedError
            When the connection was closed meanwhile.
        """
        peer = await self._prepared(peer_id)
        return await self._closing_on_error(peer, peer.create_offer())

    async def handle_offer(self, peer_id: str, offer: Description) -> Description:
        """Take a peer's offer and return the answer to send to it.

        Raises
        ------
        MalformedDescriptionError
            When the offer cannot be used; there is no connection then.
        NoLocalAudioError
            Before `initialize_local_audio`.
        DuplicatePeerError
            When there is a connection to that peer; it plays on.
        PeerClosedError
            When the connection was closed meanwhile.
        """
        description = read_description(offer, "offer", peer_id)
        peer = await self._prepared(peer_id)
        return await self._closing_on_error(peer, peer.accept_offer(description))

    async def handle_answer(self, peer_id: str, answer: Description) -> None:
        """Take a peer's answer to our offer.

        Raises
        ------
        UnknownPeerError
            When no offer was made to that peer.
        UnexpectedDescriptionError
            When the connection waits for no answer; it plays on.
        MalformedDescriptionError
            When the answer cannot be used. The connection waits on for one that can, unless this
            one was well formed but did not fit our offer: then it is closed.
        PeerClosedError
            When the connection was closed meanwhile.
        """
        peer = self._peer(peer_id)
        await peer.accept_answer(read_description(answer, "answer", peer_id))

    async def handle_ice_candidate(self, peer_id: str, candidate: Mapping[str, Any]) -> None:
        """Take a candidate of a peer's; one that comes before its description is kept for it.

        Raises
        ------
        UnknownPeerError
            When there is no connection to that peer.
        MalformedCandidateError
            When the candidate cannot be used; the connection goes on without it.
        PeerClosedError
            When the connection was closed meanwhile.
        """
        peer = self._peer(peer_id)
        await peer.add_candidate(read_candidate(candidate, peer_id))

    def on_remote_stream(self, listener: Callable[[RemoteStreamEvent], None]) -> Callable[[], None]:
        """Call `listener` when a peer's stream is there and when it ended.

        Returns
        -------
        callable
            Call it to listen no more.
        """
        return self._stream_listeners.add(listener)

    def on_connection_state_change(
        self, listener: Callable[[ConnectionStateChange], None]
    ) -> Callable[[], None]:
        """Call `listener` when a connection changes its state; returns how to stop that."""
        return self._state_listeners.add(listener)

    # Ends

    async def close_peer(self, peer_id: str) -> None:
        """Close one connection; raises `UnknownPeerError`."""
        await self._peer(peer_id).close()

    async def close(self) -> None:
        """Stop the card and close every connection. Closing twice is harmless.

        Cancelled, it stops waiting; everything closes nevertheless.
        """
        self._stop_card()
        closings = [peer.begin_closing() for peer in self._peers.values()]
        await asyncio.shield(asyncio.gather(*closings))

    # Inside

    def _peer(self, peer_id: str) -> PeerConnection:
        peer = self._peers.get(peer_id)
        if peer is None:
            raise UnknownPeerError(
                f"there is no connection to {peer_id!r}: make or accept an offer"
            )
        return peer

    async def _prepared(self, peer_id: str) -> PeerConnection:
        peer = self._peers.get(peer_id)
        if peer is None or peer.closing or not peer.prepared:
            await self.create_peer_connection(peer_id)
        return self._peers[peer_id]

    def _new_connection(self, peer_id: str) -> PeerConnection:
        return PeerConnection(
            peer_id,
            RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers)),
            quality=self.quality,
            connect_timeout_s=self._connect_timeout_s,
            flow_timeout_s=self._flow_timeout_s,
            on_stream=self._stream_listeners.emit,
            on_state=self._on_state,
        )

    async def _closing_on_error(
        self, peer: PeerConnection, step: Awaitable[Description]
    ) -> Description:
        try:
            return await step
        except BaseException:
            await peer.close()
            raise

    def _stop_card(self) -> None:
        if self._card is not None:
            self._card.stop()
            self._card = None

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
        playing = [peer.playout for peer in peers if peer.playout is not None]
        if self._card is not None and self._card.too_late:
            for playout in playing:
                playout.miss(frames)
            return silence(frames)
        return mix((playout.pull(frames) for playout in playing), frames)
