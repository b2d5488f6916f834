"""The connection to one peer: an aiortc peer connection, its outgoing track, its playout buffer.

Theory of operation
-------------------
*Closing* is one task, started by the first cause: our user, a peer that closed its end, or lost
consent. The state becomes `CLOSED` when everything is released, never before.

*Flow.* aiortc has no state ``disconnected`` and detects a dead peer only after half a minute
without ICE consent (RFC 7675), so received packets are counted here. Time is measured in slices in
which our own loop ran, so that a stalled loop does not look like a silent peer. The ICE states
include ``disconnected`` as well, as in a browser. A peer that ended its stream (RTCP BYE) sends no
packets; from then on the state depends on ICE alone.
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
    """One connection to a peer: negotiation, state, sent track and received stream.

    The aiortc connection is new, and is closed with this object. Our description asks the peer for
    `quality`. `connect_timeout_s` is needed because aiortc alone waits for ever when the peer never
    ends its candidates. After `flow_timeout_s` without packets the state is `DISCONNECTED`.
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
        """Capture stated in the peer's description."""
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
        """Queue an Opus frame for the peer; it is dropped while the peer is not connected."""
        if self.is_sent_to:
            self._track.send(frame)

    @property
    def is_sent_to(self) -> bool:
        """Whether Opus frames are sent to the peer."""
        return self.state in _SENDING

    def timestamp_origin(self) -> int | None:
        """Return the RTP timestamp of our capture position 0; None before the first packet."""
        return timestamp_origin(self._sender, self._track)

    # Figures

    async def statistics(self) -> RTCStatsReport:
        """Return aiortc's statistics (W3C webrtc-stats)."""
        return await self._connection.getStats()

    @property
    def candidates(self) -> tuple[str, str] | None:
        """Types of the selected pair's local and remote candidate; None before a selection."""
        pair = candidate_pair(self._sender)
        return None if pair is None else (pair[0].type, pair[1].type)

    @property
    def identity(self) -> Identity | None:
        """Identity of the peer; None before the DTLS handshake."""
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
        answer = await self._negotiation.answer(offer)
        self._watch(self._fail_late(ConnectionState.NEW))
        return answer

    async def accept_answer(self, answer: RTCSessionDescription) -> None:
        """Take the peer's answer; the connection is then established in the background.

        Raises as `Negotiation.take_answer`; an answer that does not match closes the connection.
        """
        try:
            await self._negotiation.take_answer(answer)
        except MalformedDescriptionError:
            await self.close()
            raise
        self._watch(self._fail_late(ConnectionState.NEW))

    async def add_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Add a candidate of the peer; raises as `Negotiation.take_candidate`."""
        await self._negotiation.take_candidate(candidate)

    # Events of the connection

    def _receive_track(self, track: MediaStreamTrack) -> None:
        receiver = next(r for r in self._connection.getReceivers() if r.track is track)
        rate = FollowedRate(asyncio.get_running_loop().time)
        playout = Playout(OpusDecoder(), history_s=self._history_s, rate=rate)
        divert_packets(receiver, playout.receive)
        self.playout = playout
        self._watch(self._await_end(track))
        self._on_stream(RemoteStreamAdded(self.peer_id, playout))

    async def _await_end(self, track: MediaStreamTrack) -> None:
        """Wait for the end of the track; a diverted track gives no frames."""
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
            self._watch(self._fail_late(state))
        elif state is ConnectionState.CONNECTED:
            self._watch(self._watch_flow())

    def _follow_ice(self) -> None:
        self._change_ice(IceConnectionState(self._connection.iceConnectionState))

    async def _fail_late(self, state: ConnectionState) -> None:
        """Fail a connection that stays in a state; it stays new while it has no candidate pair."""
        await asyncio.sleep(self._connect_timeout_s)
        if self.state is state and not self.closing:
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
        """Report an ICE state, except aiortc's changes from `FAILED` and back to `NEW`."""
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
        """Whether the connection is closing or closed."""
        return self._closing is not None

    async def close(self) -> None:
        """Close the connection and release everything. Closing twice is harmless.

        A cancelled call stops waiting; the connection closes nevertheless.
        """
        await asyncio.shield(self.begin_closing())

    def begin_closing(self, reason: str = "") -> asyncio.Task[None]:
        """Start closing; return the task that ends when everything is released."""
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
            log.exception("the connection to %r could not be closed properly", self.peer_id)
        finally:
            self._end_stream()
            self._change(ConnectionState.CLOSED, reason)

    async def _stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _abandon_handshake(self) -> None:
        """End aiortc's ICE checks and DTLS handshake, if under way, and wait for their end.

        aiortc starts its sender, its receiver and the receiver's thread at the end of the
        handshake; if it had been closed meanwhile, they would run for ever. A cancelled call only
        stops waiting, because aiortc does not finish a half-done close when it is called again.
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
    """Add a track to a connection as Opus only, because its frames are already encoded."""
    transceiver = connection.addTransceiver(track, "sendrecv")
    capabilities = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([c for c in capabilities if c.mimeType.lower() == "audio/opus"])
    return transceiver.sender
