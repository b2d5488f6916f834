"""The connection to one peer: an aiortc peer connection, its outgoing track, its playout buffer.

Theory of operation
-------------------
*Closing* is one task, started by the first cause: our user, a peer that closed its end, or lost
consent. The state becomes `CLOSED` when everything is released, never before.

*Path and medium.* aiortc has no state ``disconnected`` and detects a dead peer only after half a
minute without ICE consent (RFC 7675), so it is found here. The path works while anything of the
peer arrives: RTP, RTCP, or answers to our checks, which are frequent while nothing else comes. A
peer that is muted, or has ended its stream (RTCP BYE), sends no RTP, and stays connected. Time is
measured in slices in which our own loop ran, so that a stalled loop does not look like a silent
peer. The ICE states include ``disconnected`` as well, as in a browser.

*SSRCs.* A peer may change its SSRC, with or without a BYE for the old one: packets of a new SSRC
after the end of a stream begin another. aiortc and libsrtp keep a state for each SSRC, so a
connection that has used `MOST_SSRCS` is closed.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any

from aioice import Candidate
from aiortc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection, RTCStatsReport
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from jamlab.ice.configuration import IceConfiguration
from jamlab.media.agent.agent import IceAgent
from jamlab.media.agent.gathering import Servers
from jamlab.media.encoder import EncodedFrame
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.delay import DelayBounds, DelayController
from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import Quality
from jamlab.media.rtc import (
    EncodedTrack,
    add_opus_track,
    candidate_pair,
    divert_packets,
    end_handshake,
    remote_fingerprint,
    send_directly,
    use_agent,
    use_own_certificate,
)
from jamlab.media.sdp import username_fragment
from jamlab.mesh.connection.candidates import candidate_init
from jamlab.mesh.connection.capture import Capture
from jamlab.mesh.connection.description import RemoteDescription
from jamlab.mesh.connection.errors import MalformedDescriptionError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    IceConnectionState,
    IceConnectionStateChange,
    LocalCandidate,
    RemoteStreamAdded,
    RemoteStreamEnded,
    RemoteStreamEvent,
)
from jamlab.mesh.connection.fingerprints import Identity
from jamlab.mesh.connection.negotiation import Negotiation
from jamlab.mesh.connection.redundancy import follow_loss
from jamlab.networks.port_mapping.mapping import Mapper

log = logging.getLogger(__name__)

MOST_SSRCS = 31
"""Most SSRCs of a peer in one connection: one RTCP report has so many blocks (RFC 3550 §6.4.1)."""

_FLOW_SLICES = 4
_LATE_S = 0.5
"""Longest time by which packets arrive later than a BYE that was sent after them."""
_CHECKED_S = 0.75
"""Longest time between two answers of a peer that sends nothing else."""
_ICE_CLOSED = IceConnectionState.CLOSED
_SENDING = (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED)


class PeerConnection:
    """One connection to a peer: negotiation, state, sent track and received stream.

    Our description asks the peer for `quality`. The ICE agent never fails by itself, so the
    connection fails after `connect_timeout_s`. After `flow_timeout_s` in which nothing of the peer
    arrived, the state is `DISCONNECTED`. `on_candidate` gets the candidates that are not in our
    description, and `on_servers` the servers asked, and those of no use. `mapper` maps our ports.
    """

    def __init__(
        self,
        peer_id: str,
        ice: IceConfiguration,
        *,
        number: int,
        quality: Quality,
        connect_timeout_s: float,
        flow_timeout_s: float,
        history_s: float,
        delay_bounds: DelayBounds,
        on_stream: Callable[[RemoteStreamEvent], None],
        on_state: Callable[[ConnectionStateChange], None],
        on_ice_state: Callable[[IceConnectionStateChange], None],
        on_candidate: Callable[[LocalCandidate], None],
        on_servers: Callable[[Servers, Servers], None],
        mapper: Mapper | None = None,
    ) -> None:
        self.peer_id = peer_id
        self.number = number
        self.state = ConnectionState.NEW
        self.playout: Playout | None = None
        self.prepared = True
        """Whether no offer has been made or taken yet."""
        self.capture: Capture | None = None
        """Capture stated in the peer's description."""
        self.remote_fragment: str | None = None
        """Username fragment in the peer's description; None before that."""
        self._connection = connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track = EncodedTrack()
        self._negotiation = Negotiation(peer_id, connection, self.track, quality)
        self._connect_timeout_s = connect_timeout_s
        self._flow_timeout_s = flow_timeout_s
        self._history_s = history_s
        self._delay_bounds = delay_bounds
        self._on_stream = on_stream
        self._on_state = on_state
        self._on_ice_state = on_ice_state
        self._on_candidate = on_candidate
        self._found: list[Candidate | None] | None = []  # before our description is made
        self._ice_state = IceConnectionState.NEW
        self._ssrcs: set[int] = set()
        self._ended_s = -math.inf
        self._watchers: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._abandoning: asyncio.Task[None] | None = None
        use_own_certificate(connection)
        self._sender = add_opus_track(connection, self.track)
        self._agent = IceAgent(
            ice.servers,
            relays_only=ice.policy == "relay",
            on_candidate=self._take_local_candidate,
            on_servers=on_servers,
            mapper=mapper,
        )
        use_agent(self._sender, self._agent)
        send_directly(self._sender, self.track, self._agent.send_at_once)
        connection.on("track", self._receive_track)
        connection.on("connectionstatechange", self._follow_connection)
        connection.on("iceconnectionstatechange", self._follow_ice)

    # Sound

    def send(self, frame: EncodedFrame) -> None:
        """Send an Opus frame to the peer; it is dropped while the peer is not connected."""
        if self.is_sent_to:
            self.track.send(frame)

    @property
    def is_sent_to(self) -> bool:
        """Whether Opus frames are sent to the peer."""
        return self.state in _SENDING

    def timestamp_origin(self) -> int | None:
        """Return the RTP timestamp of our capture position 0; None before the first packet."""
        return self.track.timestamp_origin

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
        """Return our offer; raises as `Negotiation.offer`."""
        self.prepared = False
        offer = await self._negotiation.offer()
        self._trickle_others(offer["sdp"])
        return offer

    async def accept_offer(self, offer: RemoteDescription) -> dict[str, str]:
        """Take the peer's offer and return our answer; raises as `Negotiation.answer`."""
        self.prepared, self.remote_fragment = False, username_fragment(offer.sdp)
        answer = await self._negotiation.answer(offer)
        self._trickle_others(answer["sdp"])
        self._watch(self._fail_late(ConnectionState.NEW))
        return answer

    async def accept_answer(self, answer: RemoteDescription) -> None:
        """Take the peer's answer; the connection is then established in the background.

        Raises as `Negotiation.take_answer`; an answer that does not match closes the connection.
        """
        try:
            await self._negotiation.take_answer(answer)
        except MalformedDescriptionError:
            await self.close()
            raise
        self.remote_fragment = username_fragment(answer.sdp)
        self._watch(self._fail_late(ConnectionState.NEW))

    async def add_candidate(self, candidate: RTCIceCandidate) -> None:
        """Add a candidate of the peer; raises as `Negotiation.take_candidate`."""
        await self._negotiation.take_candidate(candidate)

    def _take_local_candidate(self, candidate: Candidate | None) -> None:
        if self._found is None:
            self._trickle(candidate)
        else:
            self._found.append(candidate)

    def _trickle_others(self, sdp: str) -> None:
        """Pass on the candidates found so far that are not in our description."""
        found, self._found = self._found or [], None
        for candidate in found:
            if candidate is None or f" {candidate.host} {candidate.port} typ " not in sdp:
                self._trickle(candidate)

    def _trickle(self, candidate: Candidate | None) -> None:
        init = candidate_init(candidate, self._agent.local_username, *self._negotiation.section)
        self._on_candidate(LocalCandidate(self.peer_id, init, self.number))

    # Events of the connection

    def _receive_track(self, track: MediaStreamTrack) -> None:
        receiver = next(r for r in self._connection.getReceivers() if r.track is track)
        packet, copy = self._take_packet, self._take_copy
        self._agent.take_srtp = divert_packets(receiver, packet, self._note_ssrc, copy)
        self._begin_stream()
        self._watch(self._await_end(track))

    def _begin_stream(self) -> None:
        controller, clock = DelayController(self._delay_bounds), asyncio.get_running_loop().time
        self.playout = Playout(OpusDecoder(), controller, self._history_s, FollowedRate(clock))
        self._on_stream(RemoteStreamAdded(self.peer_id, self.playout))

    def _take_packet(self, number: int, timestamp: int, payload: bytes, arrival_s: float) -> None:
        """Take an RTP packet; after a BYE it begins a new stream, unless it only came late."""
        if self.playout is None and not self.closing and arrival_s >= self._ended_s + _LATE_S:
            self._begin_stream()
        if self.playout is not None:
            self.playout.receive(number, timestamp, payload, arrival_s)

    def _take_copy(self, number: int, timestamp: int, payload: bytes, arrival_s: float) -> None:
        if self.playout is not None:
            self.playout.recover(number, timestamp, payload, arrival_s)

    def _note_ssrc(self, ssrc: int) -> None:
        if ssrc not in self._ssrcs:
            self._ssrcs.add(ssrc)
            self._ended_s = -math.inf  # what was before it has nothing to do with its packets
        if len(self._ssrcs) >= MOST_SSRCS and not self.closing:
            log.warning("%r has used %d SSRCs in one connection", self.peer_id, MOST_SSRCS)
            self.begin_closing(f"it has used {MOST_SSRCS} SSRCs")

    async def _await_end(self, track: MediaStreamTrack) -> None:
        """Wait for the end of the track; a diverted track gives no frames."""
        with contextlib.suppress(MediaStreamError):
            await track.recv()
        self._end_stream()

    def _end_stream(self) -> None:
        if self.playout is not None:
            self.playout, self._ended_s = None, self._now_s()
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
            self._watch(self._watch_path())
            self._watch(follow_loss(self._sender, self.track))

    def _follow_ice(self) -> None:
        self._change_ice(IceConnectionState(self._connection.iceConnectionState))

    async def _fail_late(self, state: ConnectionState) -> None:
        """Fail a connection that stays in a state; it stays new while it has no candidate pair."""
        await asyncio.sleep(self._connect_timeout_s)
        if self.state is state and not self.closing:
            self._change(ConnectionState.FAILED, f"not made in {self._connect_timeout_s:g} s")
            self._change_ice(IceConnectionState.FAILED)
            await self._abandon_handshake()

    async def _watch_path(self) -> None:
        heard_s, silent_slices = -math.inf, 0
        while self.state in _SENDING:
            silent_slices = silent_slices + 1 if self._agent.heard_s == heard_s else 0
            heard_s = self._agent.heard_s
            if silent_slices == 0 and self._change(ConnectionState.CONNECTED):
                self._change_ice(IceConnectionState.CONNECTED)
            elif silent_slices >= _FLOW_SLICES and self._now_s() >= heard_s + _CHECKED_S:
                reason = f"no packet for {self._flow_timeout_s:g} s"
                self._change(ConnectionState.DISCONNECTED, reason)
                self._change_ice(IceConnectionState.DISCONNECTED)
            await asyncio.sleep(self._flow_timeout_s / _FLOW_SLICES)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    def _change(self, state: ConnectionState, reason: str = "") -> bool:
        if state is self.state:
            return False
        change = ConnectionStateChange(
            self.peer_id, state, self.state, self._now_s(), reason, self.number
        )
        self.state = state
        self._on_state(change)
        return True

    def _change_ice(self, state: IceConnectionState) -> None:
        """Report an ICE state, except aiortc's changes from `FAILED` and back to `NEW`."""
        over = self._ice_state is IceConnectionState.FAILED and state is not _ICE_CLOSED
        if over or state in (self._ice_state, IceConnectionState.NEW):
            return
        change = IceConnectionStateChange(
            self.peer_id, state, self._ice_state, self._now_s(), self.number
        )
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
            self.track.stop()
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
            self._abandoning = asyncio.create_task(end_handshake(self._sender))
        await asyncio.shield(self._abandoning)
