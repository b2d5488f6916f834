"""One participant's audio connections, shaped after the browser's ``WebRTCAudioService``.

The service owns a sound card, one encoder and a connection per peer. It knows nothing of rooms or
signalling: descriptions and candidates go in and out as values, and `jamlab.mesh.session` carries
them. Everything runs on one event loop; the card's callback (`jamlab.mesh.exchange`) is the only
real-time part.

aiortc has no ICE restart, so a connection that fails is replaced by another, which
`create_peer_connection` prepares. Until that one stands, the old one plays what still comes.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aiortc import RTCPeerConnection

from jamlab.audio.card import SoundCard
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.media.encoder import FrameEncoder
from jamlab.media.playout.playout import HISTORY_S, Playout, packets_in
from jamlab.media.quality import LOW_LATENCY, MOST_PEERS, Quality
from jamlab.mesh.connection.capture import SoundChange, capture_of
from jamlab.mesh.connection.description import read_candidate, read_description
from jamlab.mesh.connection.errors import DuplicatePeerError, NoLocalAudioError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    IceConnectionStateChange,
    Listeners,
    RemoteStreamEvent,
)
from jamlab.mesh.connection.fingerprints import Identity
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.connection.peers import Peers
from jamlab.mesh.connection.readings import Reader, Reading
from jamlab.mesh.controls import Controls
from jamlab.mesh.exchange import Exchanger
from jamlab.mesh.sound_tap import Tap

Description = Mapping[str, Any]
"""A session description as on the wire, ``{"type": "offer" | "answer", "sdp": str}``; a peer's may
also have what `jamlab.mesh.connection.capture` is about."""


class WebRTCAudioService:
    """Audio between this participant and every peer.

    Parameters
    ----------
    quality : Quality
        How our sound is encoded.
    ice : IceConfiguration
        STUN and TURN servers, and which paths are wanted; host candidates only by default.
    flow_timeout_s : float
        A connected peer whose packets stop for so long is reported as disconnected.
    connect_timeout_s : float
        A connection that is not made in so long is reported as failed.
    history_s : float
        How long it is remembered what became of packets, at least: who measures for longer asks for
        more.

    Notes
    -----
    Use it as an asynchronous context manager, or call `close`: it stops the card and closes what
    was opened.

    Examples
    --------
    >>> import asyncio
    >>> from jamlab import VirtualCard
    >>> async def offer() -> str:
    ...     async with WebRTCAudioService() as service:
    ...         await service.initialize_local_audio(VirtualCard())
    ...         description = await service.create_offer("bob")
    ...         return description["type"]
    >>> asyncio.run(offer())
    'offer'
    """

    def __init__(
        self,
        *,
        quality: Quality = LOW_LATENCY,
        ice: IceConfiguration = HOST_ONLY,
        flow_timeout_s: float = 2.0,
        connect_timeout_s: float = 30.0,
        history_s: float = HISTORY_S,
    ) -> None:
        self._encoder = FrameEncoder(quality)
        self.ice = ice
        self.controls = Controls()
        """Mute, and the gain of each peer."""
        self._flow_timeout_s = flow_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._history_s = history_s
        self.sent_frames: deque[tuple[int, float]] = deque(maxlen=packets_in(history_s))
        """Capture position of each frame sent, and when, by the loop's clock in seconds."""
        self._card: SoundCard | None = None
        self._numbers = itertools.count(1)
        self._stream_listeners: Listeners[RemoteStreamEvent] = Listeners()
        self._state_listeners: Listeners[ConnectionStateChange] = Listeners()
        self._ice_state_listeners: Listeners[IceConnectionStateChange] = Listeners()
        self._peers = Peers(self._stream_listeners.emit)
        self._taps: set[Tap] = set()
        self._exchanger = Exchanger(
            self._peers, self._encoder, self.controls, self.sent_frames, self._taps
        )

    async def __aenter__(self) -> "WebRTCAudioService":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def quality(self) -> Quality:
        """How our sound is encoded; another that is set takes over without a gap.

        See `JamSession.switch_quality` for what peers are told.
        """
        return self._encoder.quality

    @quality.setter
    def quality(self, quality: Quality) -> None:
        self._encoder.quality = quality

    @property
    def peers(self) -> frozenset[str]:
        """Peers there is a connection to, whatever its state."""
        return self._peers.names

    @property
    def audience(self) -> int:
        """Peers our sound goes to, as far as they lengthen its frames: who only asks does not."""
        return min(sum(peer.is_sent_to for peer in self._peers), MOST_PEERS)

    def connection_state(self, peer_id: str) -> ConnectionState:
        """Return the state of the connection that plays; raises `UnknownPeerError`."""
        return self._peers[peer_id].state

    def identity(self, peer_id: str) -> Identity | None:
        """Return by what a peer that plays is known; None before its handshake."""
        return self._peers[peer_id].identity

    def timestamp_origin(self, peer_id: str) -> int | None:
        """Return the RTP timestamp a peer sees for our capture position 0; None before a packet."""
        return self._peers[peer_id].timestamp_origin()

    def playout(self, peer_id: str) -> Playout | None:
        """Return a peer's playout buffer, None before its stream is there."""
        return self._peers[peer_id].playout

    def expect(self, peer_id: str, change: SoundChange) -> None:
        """Prepare for a change of a peer's sound that it has announced; of nobody in silence."""
        peer = self._peers.playing(peer_id)
        if peer is not None:
            peer.capture = change.capture
            if peer.playout is not None:
                peer.playout.expect(change.frame_frames)

    async def read(self, within_s: float) -> list[Reading]:
        """Return what there is to read off every connection that plays; nothing without a card.

        Parameters
        ----------
        within_s : float
            Packets that came earlier than that are not looked at.
        """
        if self._card is None:
            return []
        reader = Reader(self._card, self._encoder, self.sent_frames)
        return await reader.read([*self._peers], within_s)

    def tap(self) -> Tap:
        """Keep what is sent and heard from now on for whoever takes it; close it when done."""
        tap = Tap(self._taps.discard)
        self._taps.add(tap)
        return tap

    # The browser's methods

    async def initialize_local_audio(self, card: SoundCard, *, capture: bool = True) -> None:
        """Start playback and, if wanted, capture on a card; an earlier card is stopped first.

        Without capture our peers get silence. Raises whatever the card raises when it cannot start;
        there is no local audio then.
        """
        self._stop_card()
        card.start(partial(self._exchanger, card), capture=capture)
        self._card = card

    async def create_peer_connection(
        self, peer_id: str, *, ice: IceConfiguration | None = None, replacing: bool = False
    ) -> int:
        """Prepare a connection that will carry our sound to a peer; returns its number.

        An offer made or taken later uses it. A connection that is just closing is waited for.

        Parameters
        ----------
        peer_id : str
            The peer's name.
        ice : IceConfiguration, optional
            Servers and paths of this connection, when they are not the service's.
        replacing : bool
            Take the place of the connection there is, if any, as soon as this one stands. An
            earlier replacement that does not yet stand is given up.

        Raises
        ------
        NoLocalAudioError
            Before `initialize_local_audio`.
        DuplicatePeerError
            When there is a connection to that peer, and none to be replaced.
        """
        await self._settle(peer_id, replacing)
        if self._card is None:
            raise NoLocalAudioError(
                f"cannot connect to {peer_id!r} without a sound card: call "
                "initialize_local_audio first"
            )
        if self._peers.playing(peer_id) is not None and not replacing:
            raise DuplicatePeerError(f"there is a connection to {peer_id!r}: close it first")
        made = self._new_connection(peer_id, ice or self.ice)
        self._peers.add(made)
        return made.number

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
        peer.capture = capture_of(offer)
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
        peer = self._peers.newest(peer_id)
        description = read_description(answer, "answer", peer_id)
        await peer.accept_answer(description)
        peer.capture = capture_of(answer)

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
        peer = self._peers.newest(peer_id)
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

    def on_ice_connection_state_change(
        self, listener: Callable[[IceConnectionStateChange], None]
    ) -> Callable[[], None]:
        """Call `listener` when the ICE agent of a connection changes its state; as the others."""
        return self._ice_state_listeners.add(listener)

    # Ends

    async def close_peer(self, peer_id: str, connection: int | None = None) -> None:
        """Close what there is to a peer, or only the connection of a number, if it is still there.

        Raises
        ------
        UnknownPeerError
            When there is no connection to that peer.
        """
        both = self._peers[peer_id], self._peers.replacement(peer_id)
        closings = [
            peer.begin_closing() for peer in both if peer and connection in (None, peer.number)
        ]
        await asyncio.shield(asyncio.gather(*closings))

    async def close(self) -> None:
        """Stop the card and close every connection. Closing twice is harmless.

        Cancelled, it stops waiting; everything closes nevertheless.
        """
        self._stop_card()
        closings = [peer.begin_closing() for peer in self._peers.everybody]
        await asyncio.shield(asyncio.gather(*closings))

    # Inside

    async def _settle(self, peer_id: str, replacing: bool) -> None:
        """Wait until what is closing is closed, a replacement that is given up among it."""
        while True:
            pending = self._peers.replacement(peer_id)
            given_up = pending is not None and replacing
            pending = pending or self._peers.playing(peer_id)
            if pending is None or not (given_up or pending.closing):
                return
            await pending.close()

    async def _prepared(self, peer_id: str) -> PeerConnection:
        peer = self._peers.replacement(peer_id) or self._peers.playing(peer_id)
        if peer is None or peer.closing or not peer.prepared:
            await self.create_peer_connection(peer_id)
        return self._peers.newest(peer_id)

    def _new_connection(self, peer_id: str, ice: IceConfiguration) -> PeerConnection:
        number = next(self._numbers)
        return PeerConnection(
            peer_id,
            RTCPeerConnection(ice.rtc_configuration),
            number=number,
            quality=self.quality,
            connect_timeout_s=self._connect_timeout_s,
            flow_timeout_s=self._flow_timeout_s,
            history_s=self._history_s,
            on_stream=lambda event: self._peers.note_stream(number, event),
            on_state=self._on_state,
            on_ice_state=self._ice_state_listeners.emit,
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
        self._peers.note_state(change)
        self._encoder.serve(self.audience)
        self._state_listeners.emit(change)
