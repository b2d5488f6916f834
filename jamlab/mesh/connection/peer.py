"""The connection to one peer: an aiortc peer connection, our track into it, its playout out of it.

Theory of operation
-------------------
*Closing* is one task, whoever asks first: our user, a peer that closed its end, or lost consent. It
says `CLOSED` when everything is released, never before.

*Flow.* aiortc knows no state ``disconnected`` and notices a dead peer only when ICE consent has
failed for half a minute (RFC 7675), so the packets received are watched here. Time is counted in
slices in which our own loop ran, so that a loop that stood still does not look like a silent peer.
The ICE agent's states are told with that one among them, as a browser tells them.
A peer that ended its stream (RTCP BYE) owes us no packets: from then on only ICE tells.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import (
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    RTCStatsReport,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from jamlab.media.encoder import EncodedFrame
from jamlab.media.host_candidates import gather_on_loopback
from jamlab.media.ice_connection import guard_datagrams
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import Quality
from jamlab.media.rtc import (
    EncodedTrack,
    candidate_pair,
    divert_packets,
    remote_fingerprint,
    sender_connection,
    timestamp_origin,
    use_own_certificate,
)
from jamlab.mesh.connection.capture import Capture
from jamlab.mesh.connection.errors import MalformedDescriptionError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    IceConnectionState,
    IceConnectionStateChange,
    RemoteStreamAdded,
    RemoteStreamEnded,
    RemoteStreamEvent,
)
from jamlab.mesh.connection.fingerprints import Identity
from jamlab.mesh.connection.negotiation import Negotiation

log = logging.getLogger(__name__)

_FLOW_SLICES = 4
_HANDSHAKE_END_S = 5.0
_ICE_CLOSED = IceConnectionState.CLOSED
_SENDING = (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED)


class PeerConnection:
    """Everything that belongs to one peer.

    Parameters
    ----------
    peer_id : str
        The peer's name, for events and messages.
    connection : RTCPeerConnection
        A new connection; it is closed with this object.
    number : int
        Which connection of the service's it is, for events.
    quality : Quality
        What we ask the peer for in our description.
    connect_timeout_s : float
        A connection that takes longer to be made has failed: aiortc alone would wait for ever on a
        peer that never says its candidates are complete.
    flow_timeout_s : float
        Silence on the wire after which the peer counts as disconnected.
    history_s : float
        How long its playout remembers what became of packets.
    on_stream, on_state, on_ice_state : callable
        Take the events.
    """

    def __init__(
        self,
        peer_id: str,
        connection: RTCPeerConnection,
        *,
        number: int,
        quality: Quality,
        connect_timeout_s: float,
        flow_timeout_s: float,
        history_s: float,
        on_stream: Callable[[RemoteStreamEvent], None],
        on_state: Callable[[ConnectionStateChange], None],
        on_ice_state: Callable[[IceConnectionStateChange], None],
    ) -> None:
        self.peer_id = peer_id
        self.number = number
        self.state = ConnectionState.NEW
        self.playout: Playout | None = None
        self.prepared = True
        """Whether no offer has been made or taken yet."""
        self.capture: Capture | None = None
        """What the peer's description says of its sound."""
        self._connection = connection
        self._negotiation = Negotiation(peer_id, connection, quality)
        self._connect_timeout_s = connect_timeout_s
        self._flow_timeout_s = flow_timeout_s
        self._history_s = history_s
        self._on_stream = on_stream
        self._on_state = on_state
        self._on_ice_state = on_ice_state
        self._ice_state = IceConnectionState.NEW
        self._watchers: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._abandoning: asyncio.Task[None] | None = None
        self._track = EncodedTrack()
        use_own_certificate(connection)
        self._sender = _add_opus_track(connection, self._track)
        ice = sender_connection(self._sender)
        gather_on_loopback(ice)
        guard_datagrams(ice)
        connection.on("track", self._receive_track)
        connection.on("connectionstatechange", self._follow_connection)
        connection.on("iceconnectionstatechange", self._follow_ice)

    # Sound

    def send(self, frame: EncodedFrame) -> None:
        """Queue a frame for the peer; before the connection stands there is nobody to hear it."""
        if self.is_sent_to:
            self._track.send(frame)

    @property
    def is_sent_to(self) -> bool:
        """Whether frames go to the peer."""
        return self.state in _SENDING

    def timestamp_origin(self) -> int | None:
        """Return the RTP timestamp of our capture position 0; None before the first packet."""
        return timestamp_origin(self._sender, self._track)

    # Figures

    async def statistics(self) -> RTCStatsReport:
        """Return what aiortc has counted (W3C webrtc-stats)."""
        return await self._connection.getStats()

    @property
    def candidates(self) -> tuple[str, str] | None:
        """Types of the local and the remote candidate our packets go between, when there are."""
        pair = candidate_pair(self._sender)
        return None if pair is None else (pair[0].type, pair[1].type)

    @property
    def identity(self) -> Identity | None:
        """By what the peer is known; None before the handshake."""
        fingerprint = remote_fingerprint(self._sender)
        return None if fingerprint is None else Identity(fingerprint, self.capture is not None)

    # Signalling

    async def create_offer(self) -> dict[str, str]:
        """Gather candidates and return our offer; raises as `Negotiation.offer`."""
        self.prepared = False
        return await self._negotiation.offer()

    async def accept_offer(self, offer: RTCSessionDescription) -> dict[str, str]:
        """Take the peer's offer and return our answer; raises as `Negotiation.answer`."""
        self.prepared = False
        return await self._negotiation.answer(offer)

    async def accept_answer(self, answer: RTCSessionDescription) -> None:
        """Take the peer's answer; the connection is then made in the background.

        Raises as `Negotiation.take_answer`; an answer that does not fit closes the connection.
        """
        try:
            await self._negotiation.take_answer(answer)
        except MalformedDescriptionError:
            await self.close()
            raise

    async def add_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Take a candidate of the peer's; raises as `Negotiation.take_candidate`."""
        await self._negotiation.take_candidate(candidate)

    # What the connection tells

    def _receive_track(self, track: MediaStreamTrack) -> None:
        receiver = next(r for r in self._connection.getReceivers() if r.track is track)
        rate = FollowedRate(asyncio.get_running_loop().time)
        playout = Playout(OpusDecoder(), history_s=self._history_s, rate=rate)
        divert_packets(receiver, playout.receive)
        self.playout = playout
        self._watch(self._await_end(track))
        self._on_stream(RemoteStreamAdded(self.peer_id, playout))

    async def _await_end(self, track: MediaStreamTrack) -> None:
        """No frame ever comes out of a diverted track, only its end."""
        with contextlib.suppress(MediaStreamError):
            await track.recv()
        self._end_stream()

    def _end_stream(self) -> None:
        if self.playout is not None:
            self.playout = None
            self._on_stream(RemoteStreamEnded(self.peer_id))

    def _follow_connection(self) -> None:
        state = ConnectionState(self._connection.connectionState)
        if state is ConnectionState.CLOSED:
            self.begin_closing("closed by the peer, or lost")
        elif self.closing or self.state is ConnectionState.FAILED:
            return
        elif self._change(state) and state is ConnectionState.CONNECTING:
            self._watch(self._fail_late())
        elif state is ConnectionState.CONNECTED:
            self._watch(self._watch_flow())

    def _follow_ice(self) -> None:
        self._change_ice(IceConnectionState(self._connection.iceConnectionState))

    async def _fail_late(self) -> None:
        await asyncio.sleep(self._connect_timeout_s)
        if self.state is ConnectionState.CONNECTING:
            self._change(ConnectionState.FAILED, f"not made in {self._connect_timeout_s:g} s")
            self._change_ice(IceConnectionState.FAILED)
            await self._abandon_handshake()

    async def _watch_flow(self) -> None:
        seen, silent_slices = -1, 0
        while self.playout is not None and self.state in _SENDING:
            received = self.playout.counters.received
            silent_slices = silent_slices + 1 if received == seen else 0
            seen = received
            if silent_slices == 0 and self._change(ConnectionState.CONNECTED):
                self._change_ice(IceConnectionState.CONNECTED)
            elif silent_slices >= _FLOW_SLICES:
                reason = f"no packet for {self._flow_timeout_s:g} s"
                self._change(ConnectionState.DISCONNECTED, reason)
                self._change_ice(IceConnectionState.DISCONNECTED)
            await asyncio.sleep(self._flow_timeout_s / _FLOW_SLICES)

    def _change(self, state: ConnectionState, reason: str = "") -> bool:
        if state is self.state:
            return False
        now_s = asyncio.get_running_loop().time()
        change = ConnectionStateChange(self.peer_id, state, self.state, now_s, reason, self.number)
        self.state = state
        self._on_state(change)
        return True

    def _change_ice(self, state: IceConnectionState) -> None:
        """Note a state, but no return from a failure or to the beginning, which aiortc tells of."""
        over = self._ice_state is IceConnectionState.FAILED and state is not _ICE_CLOSED
        if over or state in (self._ice_state, IceConnectionState.NEW):
            return
        now_s = asyncio.get_running_loop().time()
        change = IceConnectionStateChange(self.peer_id, state, self._ice_state, now_s, self.number)
        self._ice_state = state
        self._on_ice_state(change)

    def _watch(self, watching: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(watching)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    # Ends

    @property
    def closing(self) -> bool:
        """Whether it is being closed, or is closed."""
        return self._closing is not None

    async def close(self) -> None:
        """Close the connection and everything made for it. Closing twice is harmless.

        Cancelled, it stops waiting; the connection closes nevertheless.
        """
        await asyncio.shield(self.begin_closing())

    def begin_closing(self, reason: str = "") -> asyncio.Task[None]:
        """Begin to close, at once; returns the task that ends when everything is released."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._release(reason))
            self._end_stream()
        return self._closing

    async def _release(self, reason: str) -> None:
        try:
            await self._negotiation.close()
            await self._stop_watching()
            self._track.stop()
            await self._abandon_handshake()
            await self._connection.close()
        except Exception:
            log.exception("the connection to %r did not close as it should", self.peer_id)
        finally:
            self._end_stream()
            self._change(ConnectionState.CLOSED, reason)

    async def _stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _abandon_handshake(self) -> None:
        """If aiortc is at work on ICE and DTLS, end that and wait until it has noticed.

        It starts its sender, its receiver and the receiver's thread at the end of the handshake;
        if it had been closed meanwhile, they would run for ever. Cancelled, this only stops
        waiting: aiortc does not close a second time what it left half closed.
        """
        if self._sender.transport.transport.state == "new":
            return
        if self._abandoning is None or self._abandoning.done():
            self._abandoning = asyncio.create_task(self._end_handshake())
        await asyncio.shield(self._abandoning)

    async def _end_handshake(self) -> None:
        dtls = self._sender.transport
        settled = asyncio.Event()
        dtls.on("statechange", settled.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HANDSHAKE_END_S):
                while dtls.state in ("new", "connecting"):
                    await dtls.transport.stop()
                    await settled.wait()
                    settled.clear()


def _add_opus_track(connection: RTCPeerConnection, track: EncodedTrack) -> RTCRtpSender:
    """Have a connection carry a track as Opus only: what is encoded already cannot change codec."""
    transceiver = connection.addTransceiver(track, "sendrecv")
    capabilities = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([c for c in capabilities if c.mimeType.lower() == "audio/opus"])
    return transceiver.sender
