"""The seam between jamlab's media path and aiortc: the one module that knows aiortc's insides.

Sending needs nothing private. `RTCRtpSender` takes an `av.Packet` from its track and puts it on the
wire as it is, so a frame encoded once goes to every peer.

Receiving replaces one object. A stock receiver keeps packets in a jitter buffer, decodes them on a
thread and queues the result: 80 ms and two hand-overs before anybody asked for a sample. Here the
receiver's jitter buffer is a `_Tap` that passes each packet on the moment it arrives and never
completes a frame, so the stock decoder stays idle while RTCP statistics work as before.

Five names of aiortc's are private: the receiver's jitter buffer, for that; a connection's
certificates, for aiortc makes one for each; the sender's last timestamp, which begins at random;
the TLS connection under a DTLS transport, for the certificate a peer has shown; and the ICE
connection under an ICE transport. So its minor version is pinned in pyproject.toml, and
`tests/media/test_rtc.py` fails loudly when one of the names moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from aioice import Candidate, Connection
from aiortc import (
    MediaStreamTrack,
    RTCCertificate,
    RTCPeerConnection,
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
from jamlab.media.rtp import RTP_TIMESTAMPS

PacketCallback: TypeAlias = Callable[[int, int, bytes, float], None]
"""Takes sequence number, timestamp, payload and arrival (loop's clock, seconds) of a packet."""

_TIME_BASE = Fraction(1, SAMPLE_RATE)
_QUEUED_FRAMES = 32
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_LAST_TIMESTAMP = "_RTCRtpSender__rtp_timestamp"
_CERTIFICATES = "_RTCPeerConnection__certificates"
_TLS_CONNECTION = "_ssl"
_ICE_CONNECTION = "_connection"


class EncodedTrack(MediaStreamTrack):
    """An audio track of frames that are encoded already, for one peer.

    Frames that the transport is too slow to take are dropped, oldest first: late sound is no sound.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._queue: asyncio.Queue[Packet[Any] | None] = asyncio.Queue(_QUEUED_FRAMES)
        self.dropped = 0
        self.last_position: int | None = None
        """Capture position of the last frame aiortc took."""

    def send(self, frame: EncodedFrame) -> None:
        """Queue one frame for the wire; never waits."""
        packet = Packet(frame.payload)
        packet.pts = frame.position
        packet.time_base = _TIME_BASE
        self._put(packet)

    def stop(self) -> None:
        """End the track; whoever waits for a frame gets `MediaStreamError`."""
        super().stop()
        self._put(None)

    def _put(self, packet: Packet[Any] | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(packet)

    async def recv(self) -> Packet[Any]:
        """Return the next frame as the packet aiortc sends.

        Raises
        ------
        MediaStreamError
            Once the track has ended, however often it is asked.
        """
        packet = await self._queue.get() if self.readyState == "live" else None
        if packet is None:
            raise MediaStreamError("the track has ended")
        self.last_position = packet.pts
        return packet


class _Tap:
    """Stands where the receiver's jitter buffer stood; has its one method."""

    def __init__(self, on_packet: PacketCallback) -> None:
        self._on_packet = on_packet
        self._clock = asyncio.get_running_loop().time

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Pass the packet on; ask for no picture, complete no frame."""
        self._on_packet(packet.sequence_number, packet.timestamp, packet.payload, self._clock())
        return False, None


def divert_packets(receiver: RTCRtpReceiver, on_packet: PacketCallback) -> None:
    """Have a receiver hand over RTP packets on arrival instead of decoding them."""
    _inside(receiver, _JITTER_BUFFER)
    setattr(receiver, _JITTER_BUFFER, _Tap(on_packet))


@cache
def own_certificate() -> RTCCertificate:
    """Return the certificate by which others know this process, for as long as it runs."""
    return RTCCertificate.generateCertificate()


def use_own_certificate(peer: RTCPeerConnection) -> None:
    """Have a new connection show this process' certificate, where aiortc makes one for each."""
    _inside(peer, _CERTIFICATES)
    setattr(peer, _CERTIFICATES, [own_certificate()])


def remote_fingerprint(sender: RTCRtpSender) -> str | None:
    """Return the SHA-256 fingerprint of the certificate a peer has shown; None before it has.

    It is computed of the certificate itself, which aiortc has compared with the description's.
    """
    connection = _inside(sender.transport, _TLS_CONNECTION)
    shown = None if connection is None else connection.get_peer_certificate(as_cryptography=True)
    return None if shown is None else certificate_digest(shown, "sha-256")


def ice_connection(peer: RTCPeerConnection) -> Connection:
    """Return the ICE connection under a peer connection that has a data channel.

    Raises
    ------
    ValueError
        When it has none.
    """
    if peer.sctp is None:
        raise ValueError("this peer connection has no data channel yet, so no ICE connection")
    return _connection_under(peer.sctp.transport)


def sender_connection(sender: RTCRtpSender) -> Connection:
    """Return the ICE connection a sender's packets go through."""
    return _connection_under(sender.transport)


def _connection_under(transport: RTCDtlsTransport) -> Connection:
    connection: Connection = _inside(transport.transport, _ICE_CONNECTION)
    return connection


def candidate_pair(sender: RTCRtpSender) -> tuple[Candidate, Candidate] | None:
    """Return the candidates a sender's packets go between; None while no pair is selected."""
    return selected_pair(sender_connection(sender))


def timestamp_origin(sender: RTCRtpSender, track: EncodedTrack) -> int | None:
    """Return the RTP timestamp of capture position 0 on this sender's stream, 32 bits.

    aiortc draws it at random (RFC 3550 §5.1) and keeps it to itself. A measurement with both ends
    in one process needs it to recognise a packet. None before the first packet.
    """
    if track.last_position is None:
        return None
    last_timestamp: int = _inside(sender, _LAST_TIMESTAMP)
    return (last_timestamp - track.last_position) % RTP_TIMESTAMPS


def _inside(owner: object, name: str) -> Any:
    """Return an attribute that an object of aiortc's has in the pinned version.

    Raises
    ------
    RuntimeError
        When this one has not.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        raise RuntimeError(
            f"this aiortc's {type(owner).__name__} has no {name}, which 1.16's has: install the "
            "version pinned in pyproject.toml"
        ) from None
