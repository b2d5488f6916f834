"""The connection to one peer: an aiortc peer connection, our track into it, its playout out of it.

aiortc knows no state ``disconnected`` and notices a dead peer only when ICE consent has failed for
half a minute (RFC 7675), so the flow of packets is watched here: a peer that sends nothing for a
while is disconnected, and connected again with its next packet.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from jamlab.audio.pcm import Block
from jamlab.media.encoder import EncodedFrame
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout import Playout
from jamlab.media.quality import Quality
from jamlab.media.rtc import EncodedTrack, divert_packets, timestamp_origin
from jamlab.media.sdp import with_opus_parameters
from jamlab.mesh.errors import (
    MalformedCandidateError,
    MalformedDescriptionError,
    UnexpectedDescriptionError,
)
from jamlab.mesh.events import (
    ConnectionState,
    ConnectionStateChange,
    RemoteStreamAdded,
    RemoteStreamEnded,
    RemoteStreamEvent,
)

MAX_SDP_CHARS = 100_000
_EARLY_CANDIDATES = 100


class PeerConnection:
    """Everything that belongs to one peer.

    Parameters
    ----------
    peer_id : str
        The peer's name, for events and messages.
    connection : RTCPeerConnection
        A new connection; it is closed with this object.
    quality : Quality
        What we ask the peer for in our description.
    flow_timeout_s : float
        Silence on the wire after which the peer counts as disconnected.
    on_stream, on_state : callable
        Take the events.
    """

    def __init__(
        self,
        peer_id: str,
        connection: RTCPeerConnection,
        *,
        quality: Quality,
        flow_timeout_s: float,
        on_stream: Callable[[RemoteStreamEvent], None],
        on_state: Callable[[ConnectionStateChange], None],
    ) -> None:
        self.peer_id = peer_id
        self.state = ConnectionState.NEW
        self.playout: Playout | None = None
        self._connection = connection
        self._quality = quality
        self._flow_timeout_s = flow_timeout_s
        self._on_stream = on_stream
        self._on_state = on_state
        self._track = EncodedTrack()
        self._early_candidates: list[Mapping[str, Any]] = []
        self._watchers: set[asyncio.Task[None]] = set()
        self._sender = connection.addTrack(self._track)
        connection.on("track", self._receive_track)
        connection.on("connectionstatechange", self._follow_connection)

    # Sound

    def send(self, frame: EncodedFrame) -> None:
        """Queue a frame for the peer; before the connection stands there is nobody to hear it."""
        if self._connection.connectionState == "connected":
            self._track.send(frame)

    def pull(self, frames: int) -> Block:
        """Return the peer's next frames; only once `playout` is there."""
        assert self.playout is not None
        return self.playout.pull(frames)

    def timestamp_origin(self) -> int | None:
        """Return the RTP timestamp of our capture position 0; None before the first packet."""
        return timestamp_origin(self._sender, self._track)

    # Signalling

    async def create_offer(self) -> dict[str, str]:
        """Gather candidates and return our offer."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._local_description()

    async def accept_offer(self, offer: Mapping[str, Any]) -> dict[str, str]:
        """Take the peer's offer, gather candidates and return our answer."""
        await self._set_remote_description(offer, "offer")
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return self._local_description()

    async def accept_answer(self, answer: Mapping[str, Any]) -> None:
        """Take the peer's answer; the connection is then made in the background."""
        if self._connection.signalingState != "have-local-offer":
            raise UnexpectedDescriptionError(
                f"an answer from {self.peer_id!r}, but the connection is "
                f"{self._connection.signalingState!r} and waits for none: it is ignored"
            )
        await self._set_remote_description(answer, "answer")

    async def add_candidate(self, candidate: Mapping[str, Any]) -> None:
        """Take a remote candidate, now or once the remote description is there."""
        parsed = self._parse_candidate(candidate)
        if self._connection.remoteDescription is None:
            if len(self._early_candidates) < _EARLY_CANDIDATES:
                self._early_candidates.append(candidate)
            return
        try:
            await self._connection.addIceCandidate(parsed)
        except (ValueError, InvalidStateError) as error:
            raise MalformedCandidateError(
                f"candidate from {self.peer_id!r} was refused: {error}"
            ) from error

    def _local_description(self) -> dict[str, str]:
        description = self._connection.localDescription
        return {
            "type": description.type,
            "sdp": with_opus_parameters(description.sdp, self._quality),
        }

    async def _set_remote_description(self, description: Mapping[str, Any], kind: str) -> None:
        sdp = description.get("sdp")
        if description.get("type") != kind or not isinstance(sdp, str):
            raise MalformedDescriptionError(
                f"{kind} from {self.peer_id!r}: 'type' must be {kind!r} and 'sdp' a string"
            )
        if len(sdp) > MAX_SDP_CHARS:
            raise MalformedDescriptionError(
                f"{kind} from {self.peer_id!r}: {len(sdp)} characters of SDP, "
                f"at most {MAX_SDP_CHARS} are read"
            )
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type=kind))
        except Exception as error:  # aiortc's parser lets out whatever its parts raise
            raise MalformedDescriptionError(
                f"{kind} from {self.peer_id!r} cannot be used: {error or type(error).__name__}"
            ) from error
        for candidate in self._early_candidates:
            await self.add_candidate(candidate)
        self._early_candidates.clear()

    def _parse_candidate(self, candidate: Mapping[str, Any]) -> Any:
        """Read ``{"candidate": "candidate:…", "sdpMid": …}``; an empty string ends candidates."""
        line = candidate.get("candidate")
        if not isinstance(line, str):
            raise MalformedCandidateError(
                f"candidate from {self.peer_id!r}: 'candidate' must be a string"
            )
        if not line:
            return None
        try:
            parsed = candidate_from_sdp(line.removeprefix("candidate:"))
        except (AssertionError, ValueError, IndexError) as error:
            raise MalformedCandidateError(
                f"candidate from {self.peer_id!r} cannot be read: {line[:200]!r}"
            ) from error
        parsed.sdpMid = candidate.get("sdpMid")
        parsed.sdpMLineIndex = candidate.get("sdpMLineIndex")
        return parsed

    # What the connection tells

    def _receive_track(self, track: MediaStreamTrack) -> None:
        receiver = self._connection.getReceivers()[0]
        playout = Playout(OpusDecoder())
        divert_packets(receiver, playout.receive)
        self.playout = playout
        self._watch(self._await_end(track))
        self._on_stream(RemoteStreamAdded(self.peer_id, playout))

    async def _await_end(self, track: MediaStreamTrack) -> None:
        """No frame ever comes out of a diverted track, only its end."""
        try:
            await track.recv()
        except MediaStreamError:
            self.playout = None
            self._on_stream(RemoteStreamEnded(self.peer_id))

    def _follow_connection(self) -> None:
        state = ConnectionState(self._connection.connectionState)
        self._change(state)
        if state is ConnectionState.CONNECTED:
            self._watch(self._watch_flow())

    async def _watch_flow(self) -> None:
        seen = -1
        while True:
            await asyncio.sleep(self._flow_timeout_s)
            received = self.playout.counters.received if self.playout else seen
            if received != seen:
                self._change(ConnectionState.CONNECTED)
            else:
                reason = f"no packet for {self._flow_timeout_s:g} s"
                self._change(ConnectionState.DISCONNECTED, reason)
            seen = received

    def _change(self, state: ConnectionState, reason: str = "") -> None:
        if state is self.state:
            return
        now_s = asyncio.get_running_loop().time()
        change = ConnectionStateChange(self.peer_id, state, self.state, now_s, reason)
        self.state = state
        self._on_state(change)

    # Ends

    def _watch(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def close(self) -> None:
        """Close the connection and everything made for it. Closing twice is harmless."""
        for watcher in tuple(self._watchers):
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._track.stop()
        await self._connection.close()
        self.playout = None
        self._change(ConnectionState.CLOSED)
