"""One participant's audio connections, with the interface of the browser's ``WebRTCAudioService``.

The service owns a sound card, one encoder and a connection per peer. It has no rooms or signalling:
descriptions and candidates are arguments and return values, and `jamlab.mesh.session` transmits
them. Everything runs on one event loop; the card's callback (`jamlab.mesh.exchange`) is the only
real-time part.

aiortc has no ICE restart, so a connection that fails is replaced by another, which
`create_peer_connection` prepares. Until the new one is connected, the old one plays what it gets.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from jamlab.audio.card import SoundCard
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.media.agent.gathering import Servers
from jamlab.media.encoder import FrameEncoder
from jamlab.media.playout.delay import DEFAULT_BOUNDS, DelayBounds
from jamlab.media.playout.playout import HISTORY_S, Playout, packets_in
from jamlab.media.quality import LOW_LATENCY, MOST_PEERS, Quality
from jamlab.mesh.connection.arrivals import Arrivals
from jamlab.mesh.connection.capture import SoundChange, capture_of
from jamlab.mesh.connection.description import read_description
from jamlab.mesh.connection.errors import DuplicatePeerError, NoLocalAudioError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    IceConnectionStateChange,
    Listeners,
    LocalCandidate,
    RemoteStreamEvent,
)
from jamlab.mesh.connection.fingerprints import Identity
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.connection.peers import Peers
from jamlab.mesh.connection.readings import Reader, Reading
from jamlab.mesh.controls import Controls
from jamlab.mesh.exchange import Exchanger
from jamlab.mesh.sound_tap import Tap
from jamlab.networks.port_mapping.mapping import Mapper

Description = Mapping[str, Any]
"""A session description as sent, ``{"type": "offer" | "answer", "sdp": str}``; a peer's may also
have the field of `jamlab.mesh.connection.capture`."""


class WebRTCAudioService:
    """Audio connections between this participant and its peers.

    Parameters
    ----------
    ice : IceConfiguration
        STUN and TURN servers, and the policy; by default host candidates only.
    flow_timeout_s : float
        Time without packets after which a connected peer is reported as disconnected.
    connect_timeout_s : float
        Time limit to connect, after which a connection is reported as failed.
    history_s : float
        Least length of the history of packets; a longer measurement needs more.
    delay_bounds : DelayBounds
        The concealment that is accepted, and the largest delay of the playout buffers.
    mapper : Mapper, optional
        Maps the ports of connections at the router; by default none is mapped.

    Notes
    -----
    Use it as an asynchronous context manager, or call `close`: both stop the card and close all
    connections.

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
        delay_bounds: DelayBounds = DEFAULT_BOUNDS,
        mapper: Mapper | None = None,
    ) -> None:
        self._mapper = mapper
        self._encoder = FrameEncoder(quality)
        self.ice = ice
        self.controls = Controls()
        self._flow_timeout_s = flow_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._history_s = history_s
        self._delay_bounds = delay_bounds
        self.sent_frames: deque[tuple[int, float]] = deque(maxlen=packets_in(history_s))
        """Capture position of each Opus frame sent, and its time on the loop's clock in seconds."""
        self._card: SoundCard | None = None
        self._numbers = itertools.count(1)
        self._stream_listeners: Listeners[RemoteStreamEvent] = Listeners()
        self._state_listeners: Listeners[ConnectionStateChange] = Listeners()
        self._ice_state_listeners: Listeners[IceConnectionStateChange] = Listeners()
        self._candidate_listeners: Listeners[LocalCandidate] = Listeners()
        self._server_listeners: Listeners[tuple[Servers, Servers]] = Listeners()
        self._peers = Peers(self._stream_listeners.emit)
        self._arrivals = Arrivals(self._peers)
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
        """Quality of the sound sent; it changes without a gap when set.

        `JamSession.switch_quality` also announces the change to peers.
        """
        return self._encoder.quality

    @quality.setter
    def quality(self, quality: Quality) -> None:
        self._encoder.quality = quality

    @property
    def peers(self) -> frozenset[str]:
        """Names of the peers with a connection in any state."""
        return self._peers.names

    @property
    def audience(self) -> int:
        """Number of peers that sound is sent to, up to the most that lengthen the Opus frames."""
        return min(sum(peer.is_sent_to for peer in self._peers), MOST_PEERS)

    def connection_state(self, peer_id: str) -> ConnectionState:
        """Return the state of the connection that plays; raises `UnknownPeerError`."""
        return self._peers[peer_id].state

    def identity(self, peer_id: str) -> Identity | None:
        """Return a peer's identity; None before its DTLS handshake."""
        return self._peers[peer_id].identity

    def candidates(self, peer_id: str) -> tuple[str, str] | None:
        """Return the types of the selected pair's local and remote candidate; None before one.

        Raises `UnknownPeerError` when there is no connection to the peer.
        """
        return self._peers[peer_id].candidates

    def timestamp_origin(self, peer_id: str) -> int | None:
        """Return the RTP timestamp of our capture position 0 at a peer; None before a packet."""
        return self._peers[peer_id].timestamp_origin()

    def playout(self, peer_id: str) -> Playout | None:
        """Return a peer's playout buffer; None before its stream."""
        return self._peers[peer_id].playout

    def expect(self, peer_id: str, change: SoundChange) -> None:
        """Prepare for an announced change of a peer's sound; ignored without a connection."""
        peer = self._peers.playing(peer_id)
        if peer is not None:
            peer.capture = change.capture
            if peer.playout is not None:
                peer.playout.expect(change.frame_frames)

    async def read(self, within_s: float) -> list[Reading]:
        """Return a reading of every connection that plays; none without a card.

        Packets older than `within_s` are not read.
        """
        if self._card is None:
            return []
        reader = Reader(self._card, self._encoder, self.sent_frames)
        return await reader.read([*self._peers], within_s)

    def tap(self) -> Tap:
        """Return a new tap on the sound sent and heard; close it after use."""
        tap = Tap(self._taps.discard)
        self._taps.add(tap)
        return tap

    # The browser's methods

    async def initialize_local_audio(self, card: SoundCard, *, capture: bool = True) -> None:
        """Start playback and, if wanted, capture on a card; an earlier card is stopped first.

        Without capture the peers get silence. Errors of the card's start are passed on; the service
        has no card then.
        """
        self._stop_card()
        card.start(partial(self._exchanger, card), capture=capture)
        self._card = card

    async def create_peer_connection(
        self, peer_id: str, *, ice: IceConfiguration | None = None, replacing: bool = False
    ) -> int:
        """Prepare a connection for the next offer from or to a peer; return its number.

        If an earlier connection is closing, the call waits for its end. By default the connection
        has the service's ICE configuration. One that is `replacing` takes the place of an existing
        connection as soon as it is connected, and closes an earlier replacement that is not yet
        connected. Raises `NoLocalAudioError` before `initialize_local_audio`, and
        `DuplicatePeerError` when a connection to the peer exists and `replacing` is false.
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

        Raises `NoLocalAudioError` before `initialize_local_audio`, `DuplicatePeerError` when a
        connection to the peer exists that was not just prepared, and `PeerClosedError` when the
        connection was closed meanwhile.
        """
        peer = await self._prepared(peer_id)
        return await self._closing_on_error(peer, peer.create_offer())

    async def handle_offer(self, peer_id: str, offer: Description) -> Description:
        """Take a peer's offer and return the answer to send to it.

        Raises the errors of `create_offer` (an existing connection plays on), and
        `MalformedDescriptionError` when the offer cannot be used; its connection is closed then.
        """
        description = read_description(offer, "offer", peer_id)
        peer = await self._prepared(peer_id)
        peer.capture = capture_of(offer)
        answer = await self._closing_on_error(peer, peer.accept_offer(description))
        await self._arrivals.add_early(peer)
        return answer

    async def handle_answer(self, peer_id: str, answer: Description) -> None:
        """Take a peer's answer to our offer.

        Raises
        ------
        UnknownPeerError
            When no offer was made to the peer.
        UnexpectedDescriptionError
            When the connection does not wait for an answer; it plays on.
        MalformedDescriptionError
            When the answer cannot be used. The connection still waits for a valid one, unless this
            one was well formed and did not match our offer: then it is closed.
        PeerClosedError
            When the connection was closed meanwhile.
        """
        peer = self._peers.newest(peer_id)
        description = read_description(answer, "answer", peer_id)
        await peer.accept_answer(description)
        peer.capture = capture_of(answer)
        await self._arrivals.add_early(peer)

    async def handle_ice_candidate(self, peer_id: str, candidate: Mapping[str, Any]) -> None:
        """Add the candidates of a peer's signal; before the remote description they are kept.

        Those that state another username fragment than the peer's descriptions are of another
        attempt: they are kept, too. Raises `UnknownPeerError` when there is no connection to the
        peer, `MalformedCandidateError` when a candidate cannot be used (the connection continues
        without it), and `PeerClosedError` when the connection was closed meanwhile.
        """
        await self._arrivals.add(peer_id, candidate)

    def on_ice_candidate(self, listener: Callable[[LocalCandidate], None]) -> Callable[[], None]:
        """Add a listener to our candidates for peers; return a function to remove it."""
        return self._candidate_listeners.add(listener)

    def on_ice_servers(
        self, listener: Callable[[tuple[Servers, Servers]], None]
    ) -> Callable[[], None]:
        """Add a listener to the servers that a connection asked, and to those of no use to it."""
        return self._server_listeners.add(listener)

    def on_remote_stream(self, listener: Callable[[RemoteStreamEvent], None]) -> Callable[[], None]:
        """Add a listener to starts and ends of peers' streams; return a function to remove it."""
        return self._stream_listeners.add(listener)

    def on_connection_state_change(
        self, listener: Callable[[ConnectionStateChange], None]
    ) -> Callable[[], None]:
        """Add a listener to changes of connections' states; return a function to remove it."""
        return self._state_listeners.add(listener)

    def on_ice_connection_state_change(
        self, listener: Callable[[IceConnectionStateChange], None]
    ) -> Callable[[], None]:
        """Add a listener to changes of connections' ICE states; return a function to remove it."""
        return self._ice_state_listeners.add(listener)

    # Ends

    async def close_peer(self, peer_id: str, connection: int | None = None) -> None:
        """Close all connections to a peer, or only the one with a number, if it still exists.

        Raises `UnknownPeerError` when there is no connection to the peer.
        """
        both = self._peers[peer_id], self._peers.replacement(peer_id)
        closings = [
            peer.begin_closing() for peer in both if peer and connection in (None, peer.number)
        ]
        await asyncio.shield(asyncio.gather(*closings))

    async def close(self) -> None:
        """Stop the card and close every connection. Closing twice is harmless.

        A cancelled call stops waiting; everything closes nevertheless.
        """
        self._stop_card()
        closings = [peer.begin_closing() for peer in self._peers.all_open]
        await asyncio.shield(asyncio.gather(*closings))

    # Inside

    async def _settle(self, peer_id: str, replacing: bool) -> None:
        """Wait for closing connections, and close a replacement that is given up."""
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
            ice,
            number=number,
            quality=self.quality,
            connect_timeout_s=self._connect_timeout_s,
            flow_timeout_s=self._flow_timeout_s,
            history_s=self._history_s,
            delay_bounds=self._delay_bounds,
            on_stream=lambda event: self._peers.note_stream(number, event),
            on_state=self._on_state,
            on_ice_state=self._ice_state_listeners.emit,
            on_candidate=self._candidate_listeners.emit,
            on_servers=lambda *servers: self._server_listeners.emit(servers),
            mapper=self._mapper,
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
