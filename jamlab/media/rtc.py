"""Adapter between jamlab's media path and aiortc; the only module that uses aiortc's private names.

Sending needs no private name. `RTCRtpSender` takes an `av.Packet` from its track and sends it
unaltered, so a frame encoded once goes to every peer.

Receiving replaces one object. A stock receiver keeps packets in a jitter buffer, decodes them on a
thread and queues the result: 80 ms and two hand-overs before the first sample. Here a `_Tap` stands
in for the receiver's jitter buffer: it passes each packet on at its arrival and never completes a
frame, so the stock decoder stays idle while RTCP statistics work as before.

Redundant audio (`jamlab.media.red`) is unknown to aiortc, which drops packets of payload types that
were not negotiated. So its format is added to a transceiver's codecs once both descriptions have
it, and a frame with redundancy changes the payload type that the sender writes into its packet.

Nine names of aiortc are private: the receiver's jitter buffer, for the tap; a transceiver's codecs,
for redundant audio; a connection's certificates, for aiortc makes one for each connection; the
sender's last timestamp, which begins at random; the TLS connection under a DTLS transport, for the
peer's certificate; the ICE connection under an ICE gatherer and its transport, and the transport's
two references to its methods, for jamlab has an ICE agent of its own. So aiortc's minor version is
pinned in pyproject.toml, and `tests/media/test_rtc.py` fails when one of the names moves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from aioice import Candidate, Connection
from aiortc import (
    MediaStreamTrack,
    RTCCertificate,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpReceiver,
    RTCRtpSender,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdtlstransport import RTCDtlsTransport, certificate_digest
from aiortc.rtp import RtpPacket
from av.packet import Packet

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.encoder import EncodedFrame
from jamlab.media.ice_connection import selected_pair
from jamlab.media.red import MalformedRedError, RedFormat, RedPacker, numbered, parse
from jamlab.media.rtp import RTP_TIMESTAMPS

PacketCallback: TypeAlias = Callable[[int, int, bytes, float], None]
"""Takes a packet's sequence number, timestamp, payload and arrival (seconds, loop's clock)."""

_TIME_BASE = Fraction(1, SAMPLE_RATE)
_QUEUED_FRAMES = 32
_HANDSHAKE_END_S = 5.0
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_CODECS = "_codecs"
_LAST_TIMESTAMP = "_RTCRtpSender__rtp_timestamp"
_CERTIFICATES = "_RTCPeerConnection__certificates"
_TLS_CONNECTION = "_ssl"
_ICE_CONNECTION = "_connection"
_ICE_RECV, _ICE_SEND = "_recv", "_send"


class EncodedTrack(MediaStreamTrack):
    """An audio track of encoded frames, for one peer.

    When the transport is too slow, frames are dropped, oldest first: they would arrive too late.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._queue: asyncio.Queue[tuple[Packet[Any], int] | None] = asyncio.Queue(_QUEUED_FRAMES)
        self._codec: RTCRtpCodecParameters | None = None
        self.dropped = 0
        self.redundancy: RedPacker | None = None
        """Packer of redundant audio; None when the peer does not take any."""
        self.last_position: int | None = None
        """Capture position of the last frame that aiortc took."""

    def send(self, frame: EncodedFrame) -> None:
        """Queue one frame for sending; never wait."""
        payload, payload_type = frame.payload, -1
        if self.redundancy is not None:
            payload, payload_type = self.redundancy.pack(frame)
        packet = Packet(payload)
        packet.pts = frame.position
        packet.time_base = _TIME_BASE
        self._put((packet, payload_type))

    @property
    def is_redundant(self) -> bool:
        """Whether frames go with redundancy now."""
        return self.redundancy is not None and self.redundancy.on

    def use_redundancy(self, codec: RTCRtpCodecParameters, types: RedFormat) -> None:
        """Pack frames with redundancy, once it is on; `codec` is the one that the sender writes."""
        self._codec, self.redundancy = codec, RedPacker(types)

    def stop(self) -> None:
        """End the track; a pending `recv` raises `MediaStreamError`."""
        super().stop()
        self._put(None)

    def _put(self, queued: tuple[Packet[Any], int] | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(queued)

    async def recv(self) -> Packet[Any]:
        """Return the next frame for aiortc to send; raises `MediaStreamError` after the end."""
        queued = await self._queue.get() if self.readyState == "live" else None
        if queued is None:
            raise MediaStreamError("the track has ended")
        packet, payload_type = queued
        if self._codec is not None and payload_type >= 0:
            self._codec.payloadType = payload_type  # of the packet that aiortc makes of it now
        self.last_position = packet.pts
        return packet


class _Tap:
    """A substitute for the receiver's jitter buffer, with the one method that aiortc calls."""

    def __init__(
        self, on_packet: PacketCallback, on_ssrc: Callable[[int], None], on_copy: PacketCallback
    ) -> None:
        self.red: RedFormat | None = None
        self._on_packet = on_packet
        self._on_ssrc = on_ssrc
        self._on_copy = on_copy
        self._ssrc: int | None = None
        self._clock = asyncio.get_running_loop().time

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Pass the packet on; request no key frame, complete no frame."""
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._on_ssrc(packet.ssrc)
        payload, arrival_s = packet.payload, self._clock()
        if self.red is not None and packet.payload_type == self.red.red:
            payload = self._unpack(packet, self.red.opus, arrival_s)
        self._on_packet(packet.sequence_number, packet.timestamp, payload, arrival_s)
        return False, None

    def _unpack(self, packet: RtpPacket, opus: int, arrival_s: float) -> bytes:
        """Pass on the copies of a packet of redundant audio; return its own frame.

        A malformed one has none: it is an empty packet, which the decoder refuses.
        """
        try:
            frames = parse(packet.payload, opus)
        except MalformedRedError:
            return b""
        *copies, own = numbered(frames, packet.sequence_number, packet.timestamp)
        for copy in copies:
            self._on_copy(*copy, arrival_s)
        return own[2]


def add_opus_track(connection: RTCPeerConnection, track: EncodedTrack) -> RTCRtpSender:
    """Add a track to a connection as Opus only, because its frames are already encoded."""
    transceiver = connection.addTransceiver(track, "sendrecv")
    capabilities = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([c for c in capabilities if c.mimeType.lower() == "audio/opus"])
    return transceiver.sender


def divert_packets(
    receiver: RTCRtpReceiver,
    on_packet: PacketCallback,
    on_ssrc: Callable[[int], None] = lambda _: None,
    on_copy: PacketCallback = lambda *_: None,
) -> None:
    """Make a receiver pass on RTP packets at their arrival instead of decoding them.

    `on_ssrc` takes the SSRC of a packet that has another than the one before, just before it.
    `on_copy` takes the redundant copies of earlier packets that a packet carries, with the numbers
    that those had, just before it.
    """
    _inside(receiver, _JITTER_BUFFER)
    setattr(receiver, _JITTER_BUFFER, _Tap(on_packet, on_ssrc, on_copy))


def use_redundancy(peer: RTCPeerConnection, track: EncodedTrack, types: RedFormat) -> None:
    """Let a connection of one Opus track receive redundant audio, and its track send it.

    To be called when both descriptions are to have it, after the remote one has been set.
    """
    [transceiver] = peer.getTransceivers()
    opus, *others = _inside(transceiver, _CODECS)
    red = RTCRtpCodecParameters("audio/red", SAMPLE_RATE, 2, types.red)
    red.parameters = {types.inside: None}
    setattr(transceiver, _CODECS, [opus, *others, red])
    track.use_redundancy(opus, types)
    tap = _inside(transceiver.receiver, _JITTER_BUFFER)
    if isinstance(tap, _Tap):
        tap.red = types


async def end_handshake(sender: RTCRtpSender) -> None:
    """End the ICE checks and the DTLS handshake under a sender, if one is under way."""
    dtls, settled = sender.transport, asyncio.Event()
    dtls.on("statechange", settled.set)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HANDSHAKE_END_S):
            while dtls.state in ("new", "connecting"):
                await dtls.transport.stop()
                await settled.wait()
                settled.clear()


@cache
def own_certificate() -> RTCCertificate:
    """Return this process' DTLS certificate, the same for all of its connections."""
    return RTCCertificate.generateCertificate()


def use_own_certificate(peer: RTCPeerConnection) -> None:
    """Make a new connection use this process' certificate instead of a new one."""
    _inside(peer, _CERTIFICATES)
    setattr(peer, _CERTIFICATES, [own_certificate()])


def remote_fingerprint(sender: RTCRtpSender) -> str | None:
    """Return the SHA-256 fingerprint of the peer's certificate; None before the DTLS handshake.

    It is computed from the certificate itself, which aiortc has compared with the description's
    fingerprint.
    """
    connection = _inside(sender.transport, _TLS_CONNECTION)
    shown = None if connection is None else connection.get_peer_certificate(as_cryptography=True)
    return None if shown is None else certificate_digest(shown, "sha-256")


def ice_connection(peer: RTCPeerConnection) -> Connection:
    """Return the ICE connection of a peer connection; raises `ValueError` without data channel."""
    if peer.sctp is None:
        raise ValueError(
            "the peer connection has no ICE connection yet: create a data channel first"
        )
    return _connection_under(peer.sctp.transport)


def sender_connection(sender: RTCRtpSender) -> Connection:
    """Return the ICE connection that carries a sender's packets."""
    return _connection_under(sender.transport)


def use_agent(sender: RTCRtpSender, agent: Connection) -> None:
    """Put an ICE agent in the place of the one that aiortc made, before any description."""
    transport = sender.transport.transport
    replaced = _inside(transport, _ICE_CONNECTION)
    assert _inside(transport.iceGatherer, _ICE_CONNECTION) is replaced
    assert _inside(transport, _ICE_RECV) == replaced.recv
    assert _inside(transport, _ICE_SEND) == replaced.send
    setattr(transport, _ICE_CONNECTION, agent)
    setattr(transport.iceGatherer, _ICE_CONNECTION, agent)
    setattr(transport, _ICE_RECV, agent.recv)
    setattr(transport, _ICE_SEND, agent.send)


def _connection_under(transport: RTCDtlsTransport) -> Connection:
    connection: Connection = _inside(transport.transport, _ICE_CONNECTION)
    return connection


def candidate_pair(sender: RTCRtpSender) -> tuple[Candidate, Candidate] | None:
    """Return the selected candidate pair of a sender, local and remote; None before selection."""
    return selected_pair(sender_connection(sender))


def timestamp_origin(sender: RTCRtpSender, track: EncodedTrack) -> int | None:
    """Return the RTP timestamp of capture position 0 in this sender's stream, 32 bits.

    aiortc draws it at random (RFC 3550 §5.1) and does not publish it. A measurement with both ends
    in one process needs it to recognise a packet. None before the first packet.
    """
    if track.last_position is None:
        return None
    last_timestamp: int = _inside(sender, _LAST_TIMESTAMP)
    return (last_timestamp - track.last_position) % RTP_TIMESTAMPS


def _inside(owner: object, name: str) -> Any:
    """Return a private attribute of an object of aiortc; raises `RuntimeError` without it."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise RuntimeError(
            f"{type(owner).__name__} of the installed aiortc has no {name}, which version 1.16 "
            "has: install the version pinned in pyproject.toml"
        ) from None
