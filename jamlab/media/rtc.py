"""Adapter between jamlab's media path and aiortc; the only module that uses aiortc's private names.

*Sending.* aiortc has a task that waits for a track's next packet, makes objects of it, keeps it for
retransmission, and sends it. Here a sender's task waits for the track's end (`send_directly`), and
`EncodedTrack.send` makes, protects and sends a packet before it returns: the header is packed once,
and a frame encoded once goes to every peer. RTCP, which aiortc sends, reads the same counters.

*Receiving.* aiortc puts datagrams into a queue, and a task takes them out, unprotects and parses
them; a stock receiver then keeps them in a jitter buffer, decodes them on a thread and queues the
result: 80 ms and four hand-overs before the first sample. Here a function takes each SRTP datagram
where it arrives (`divert_packets`), and leaves everything else, RTCP too, to aiortc. Statistics
work as before. What aiortc still gets of such packets goes the same way, for a `_Tap` stands in for
the receiver's jitter buffer: it never completes a frame, so the stock decoder stays idle.

*Redundancy.* Redundant audio (`jamlab.media.red`) is unknown to aiortc. So its format is added to a
transceiver's codecs once both descriptions have it, and `_Tap` unpacks its packets.

The other private names: a connection's certificates, for aiortc makes one for each connection; the
TLS connection under a DTLS transport, for the peer's certificate; the ICE connection under an ICE
gatherer and its transport, and the transport's two references to its methods, for jamlab has an ICE
agent of its own. So aiortc's minor version is pinned in pyproject.toml, and
`tests/media/test_rtc.py` fails when one of the names moves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn, TypeAlias

import pylibsrtp
from aioice import Candidate, Connection
from aiortc import (
    MediaStreamTrack,
    RTCCertificate,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    clock,
    rtcrtpsender,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdtlstransport import RTCDtlsTransport, certificate_digest
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import HeaderExtensions, RtpPacket

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.encoder import EncodedFrame
from jamlab.media.ice_connection import selected_pair
from jamlab.media.red import MalformedRedError, RedFormat, RedPacker, numbered, parse
from jamlab.media.rtp import RTP_TIMESTAMPS, PacketMaker, ReceivedPacket, parse_rtp

PacketCallback: TypeAlias = Callable[[int, int, bytes, float], None]
"""Takes a packet's sequence number, timestamp, payload and arrival (seconds, loop's clock)."""

TakeDatagram: TypeAlias = Callable[[bytes], bool]
"""Takes a datagram that may be SRTP; returns False for one that it leaves to aiortc."""

_AnyPacket: TypeAlias = RtpPacket | ReceivedPacket
_HANDSHAKE_END_S = 5.0
_REPORTED_EVERY_S = 0.1  # RTCP sends the times of RTP and NTP together, up to so old
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_NEGOTIATED = "_codecs"
_CODECS, _STREAMS = "_RTCRtpReceiver__codecs", "_RTCRtpReceiver__remote_streams"
_NEXT_FRAME, _ENABLED, _SSRC = "_next_encoded_frame", "_enabled", "_ssrc"
_EXTENSIONS, _MID = "_RTCRtpSender__rtp_header_extensions_map", "_RTCRtpSender__mid"
_PACKETS, _OCTETS = "_RTCRtpSender__packet_count", "_RTCRtpSender__octet_count"
_RTP_TIME, _NTP_TIME = "_RTCRtpSender__rtp_timestamp", "_RTCRtpSender__ntp_timestamp"
_PROTECTION, _UNPROTECTION = "_tx_srtp", "_rx_srtp"
_SENT_BYTES, _SENT_PACKETS = "_RTCDtlsTransport__tx_bytes", "_RTCDtlsTransport__tx_packets"
_HEARD_BYTES, _HEARD_PACKETS = "_RTCDtlsTransport__rx_bytes", "_RTCDtlsTransport__rx_packets"
_TAKEN = ("audio/opus", "audio/red")
_CERTIFICATES = "_RTCPeerConnection__certificates"
_TLS_CONNECTION = "_ssl"
_ICE_CONNECTION = "_connection"
_ICE_RECV, _ICE_SEND = "_recv", "_send"


class EncodedTrack(MediaStreamTrack):
    """An audio track of encoded frames, for one peer."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._stream: _SentStream | None = None
        self._ended = asyncio.Event()
        self.redundancy: RedPacker | None = None
        """Packer of redundant audio; None when the peer does not take any."""

    @property
    def is_redundant(self) -> bool:
        """Whether frames go with redundancy now."""
        return self.redundancy is not None and self.redundancy.on

    @property
    def timestamp_origin(self) -> int | None:
        """RTP timestamp of capture position 0, 32 bits; None before the first packet."""
        return self._stream.origin if self._stream and self._stream.packets else None

    def begin(self, stream: _SentStream) -> None:
        """Send frames on a stream from now on."""
        self._stream = stream

    def send(self, frame: EncodedFrame) -> None:
        """Send one frame at once; it is dropped when nothing can be sent, as before the start."""
        if self._stream is None or self.readyState != "live":
            return
        payload, payload_type = frame.payload, None
        if self.redundancy is not None:
            payload, payload_type = self.redundancy.pack(frame)
        self._stream.send(frame.position, payload, payload_type)

    def stop(self) -> None:
        """End the track; a pending `recv` raises `MediaStreamError`."""
        super().stop()
        self._ended.set()

    async def recv(self) -> NoReturn:
        """Wait for the track's end, and raise `MediaStreamError`; aiortc gets no frame."""
        await self._ended.wait()
        raise MediaStreamError("the track has ended")


class _SentStream:
    """The RTP stream of a sender that has begun; `send` takes each datagram to the peer."""

    def __init__(
        self, sender: RTCRtpSender, codec: RTCRtpCodecParameters, send: Callable[[bytes], None]
    ) -> None:
        self.origin: int = rtcrtpsender.random32()  # type: ignore[attr-defined]
        self.packets = 0
        self._octets = 0
        self._sender = sender
        self._dtls = sender.transport
        self._send_datagram = send
        self._clock = asyncio.get_running_loop().time
        self._reported_s = -_REPORTED_EVERY_S
        assert codec.payloadType is not None
        named = HeaderExtensions(mid=_inside(sender, _MID))
        profile, extension = _inside(sender, _EXTENSIONS).set(named)
        self._maker = PacketMaker(
            codec.payloadType,
            _inside(sender, _SSRC),
            rtcrtpsender.random_sequence_number(),
            profile=profile,
            extension=extension,
        )

    def send(self, position: int, payload: bytes, payload_type: int | None) -> None:
        """Send a payload, unless the connection is closed or the peer wants none.

        Without a payload type it has that of the codec.
        """
        if self._dtls.state != "connected" or not getattr(self._sender, _ENABLED):
            return
        timestamp = (self.origin + position) % RTP_TIMESTAMPS
        packet = self._maker.packet(timestamp, payload, payload_type)
        protected = getattr(self._dtls, _PROTECTION).protect(packet)
        self._send_datagram(protected)
        self._count(timestamp, len(payload), len(protected))

    def _count(self, timestamp: int, octets: int, sent_bytes: int) -> None:
        """Keep aiortc's counters, from which its statistics and RTCP reports are made."""
        sender, dtls = self._sender, self._dtls
        self.packets += 1
        self._octets += octets
        setattr(sender, _PACKETS, self.packets)
        setattr(sender, _OCTETS, self._octets)
        setattr(dtls, _SENT_BYTES, getattr(dtls, _SENT_BYTES) + sent_bytes)
        setattr(dtls, _SENT_PACKETS, getattr(dtls, _SENT_PACKETS) + 1)
        now_s = self._clock()
        if now_s >= self._reported_s + _REPORTED_EVERY_S:
            self._reported_s = now_s
            setattr(sender, _RTP_TIME, timestamp)
            setattr(sender, _NTP_TIME, clock.current_ntp_time())


def send_directly(sender: RTCRtpSender, track: EncodedTrack, send: Callable[[bytes], None]) -> None:
    """Make a track's frames go out at once, by a function that sends a datagram to the peer.

    aiortc's task begins once the connection is encrypted, and then waits for the track's end.
    """
    for name in (_NEXT_FRAME, _PACKETS, _OCTETS, _RTP_TIME, _NTP_TIME, _ENABLED):
        _inside(sender, name)

    async def begin(codec: RTCRtpCodecParameters) -> NoReturn:
        track.begin(_SentStream(sender, codec, send))
        await track.recv()

    setattr(sender, _NEXT_FRAME, begin)


class _Tap:
    """A substitute for the receiver's jitter buffer, with the one method that aiortc calls."""

    def __init__(
        self, on_packet: PacketCallback, on_ssrc: Callable[[int], None], on_copy: PacketCallback
    ) -> None:
        self.red: RedFormat | None = None
        self._on_packet = on_packet
        self._on_ssrc = on_ssrc
        self._on_copy = on_copy
        self._last_ssrc: int | None = None
        self._clock = asyncio.get_running_loop().time

    def add(self, packet: _AnyPacket) -> tuple[bool, None]:
        """Pass the packet on; request no key frame, complete no frame."""
        if packet.ssrc != self._last_ssrc:
            self._last_ssrc = packet.ssrc
            self._on_ssrc(packet.ssrc)
        payload, arrival_s = packet.payload, self._clock()
        if self.red is not None and packet.payload_type == self.red.red:
            payload = self._unpack(packet, self.red.opus, arrival_s)
        self._on_packet(packet.sequence_number, packet.timestamp, payload, arrival_s)
        return False, None

    def _unpack(self, packet: _AnyPacket, opus: int, arrival_s: float) -> bytes:
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


class _ReceivedStreams:
    """The RTP streams of a receiver, as they come from the network."""

    def __init__(self, receiver: RTCRtpReceiver, tap: _Tap) -> None:
        self._receiver = receiver
        self._dtls = receiver.transport
        self._tap = tap
        self._formats: dict[int, RTCRtpCodecParameters] = _inside(receiver, _CODECS)
        self._statistics: dict[int, StreamStatistics] = _inside(receiver, _STREAMS)

    def take(self, datagram: bytes) -> bool:
        """Take a packet of Opus, redundant or not; return False for what is none.

        Also before the handshake's end.
        """
        dtls = self._dtls
        unprotection = getattr(dtls, _UNPROTECTION)
        codec = self._formats.get(datagram[1] & 0x7F)
        if unprotection is None or codec is None or codec.mimeType.lower() not in _TAKEN:
            return False
        setattr(dtls, _HEARD_BYTES, getattr(dtls, _HEARD_BYTES) + len(datagram))
        setattr(dtls, _HEARD_PACKETS, getattr(dtls, _HEARD_PACKETS) + 1)
        try:
            packet = parse_rtp(unprotection.unprotect(datagram))
        except (pylibsrtp.Error, ValueError):  # not the peer's, or malformed
            return True
        if getattr(self._receiver, _ENABLED):
            self._count(packet, codec)
            self._tap.add(packet)
        return True

    def _count(self, packet: ReceivedPacket, codec: RTCRtpCodecParameters) -> None:
        statistics = self._statistics.get(packet.ssrc)
        if statistics is None:
            statistics = self._statistics[packet.ssrc] = StreamStatistics(codec.clockRate)
        statistics.add(packet)  # type: ignore[arg-type]  # it reads numbers and timestamps alone


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
) -> TakeDatagram:
    """Make a receiver pass on RTP packets at their arrival instead of decoding them.

    `on_ssrc` takes the SSRC of a packet that has another than the one before, just before it.
    `on_copy` takes the redundant copies of earlier packets that a packet carries, with the numbers
    that those had, just before it. Returns a function to which the connection's datagrams may be
    given, so that packets of sound need not wait for aiortc's task.
    """
    _inside(receiver, _JITTER_BUFFER)
    tap = _Tap(on_packet, on_ssrc, on_copy)
    setattr(receiver, _JITTER_BUFFER, tap)
    return _ReceivedStreams(receiver, tap).take


def use_redundancy(peer: RTCPeerConnection, track: EncodedTrack, types: RedFormat) -> None:
    """Let a connection of one Opus track receive redundant audio, and its track send it.

    To be called when both descriptions are to have it, after the remote one has been set.
    """
    [transceiver] = peer.getTransceivers()
    opus, *others = _inside(transceiver, _NEGOTIATED)
    red = RTCRtpCodecParameters("audio/red", SAMPLE_RATE, 2, types.red)
    red.parameters = {types.inside: None}
    setattr(transceiver, _NEGOTIATED, [opus, *others, red])
    track.redundancy = RedPacker(types)
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


def _inside(owner: object, name: str) -> Any:
    """Return a private attribute of an object of aiortc; raises `RuntimeError` without it."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise RuntimeError(
            f"{type(owner).__name__} of the installed aiortc has no {name}, which version 1.16 "
            "has: install the version pinned in pyproject.toml"
        ) from None
