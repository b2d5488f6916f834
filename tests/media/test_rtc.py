"""The adapter to aiortc, on two real peer connections over this machine's loopback.

Waits are for conditions. `PATIENCE_S` bounds them, so that a broken path ends in a message instead
of a hanging run; no test measures time.
"""

import asyncio
import contextlib
import hashlib
import re
import socket
import threading
from importlib.metadata import version
from itertools import pairwise

import numpy as np
import pytest
from aioice import Connection
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from cryptography.hazmat.primitives.serialization import Encoding

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media import rtc
from jamlab.media.agent.agent import IceAgent
from jamlab.media.encoder import EncodedFrame, FrameEncoder
from jamlab.media.opus import OpusDecoder
from jamlab.media.quality import HIGH_QUALITY, LOW_LATENCY
from jamlab.media.red import RedFormat, RedFrame, pack
from jamlab.media.rtc import (
    EncodedTrack,
    candidate_pair,
    divert_packets,
    own_certificate,
    remote_fingerprint,
    send_directly,
    sender_connection,
    use_agent,
    use_own_certificate,
    use_redundancy,
)
from tests.media.queued_track import QueuedTrack

PATIENCE_S = 30

DIRECTLY = pytest.mark.parametrize("directly", [True, False], ids=["directly", "by aiortc"])
BOTH = pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY], ids=lambda q: q.name)


def noise(frames):
    return np.random.default_rng(1).uniform(-0.5, 0.5, (frames, 2)).astype(np.float32)


def connection():
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def until(condition):
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # aiortc has no event for most of them
            await asyncio.sleep(0)


class Link:
    """Two connected peers: a track into one, every packet that comes out of the other.

    The packets go `directly`, or by aiortc's own tasks.
    """

    def __init__(self, directly=True):
        self.near, self.far = connection(), connection()
        self.directly = directly
        self.track = EncodedTrack() if directly else QueuedTrack()
        self.sender = self.near.addTrack(self.track)
        agent, self.far_agent = IceAgent(), IceAgent()
        use_agent(self.sender, agent)
        use_agent(self.far.addTransceiver("audio", direction="recvonly").sender, self.far_agent)
        if directly:
            send_directly(self.sender, self.track, agent.send_at_once)
        self.receiver = None
        self.remote_track = None
        self.packets = []  # sequence, timestamp, payload, arrival
        self.copies = []
        self.far.on("track", self._divert)

    def _divert(self, track):
        self.remote_track = track
        self.receiver = self.far.getReceivers()[0]
        take = divert_packets(
            self.receiver,
            lambda *packet: self.packets.append(packet),
            on_copy=lambda *copy: self.copies.append(copy),
        )
        if self.directly:
            self.far_agent.take_srtp = take

    async def connect(self, red=None):
        await self.near.setLocalDescription(await self.near.createOffer())
        await self.far.setRemoteDescription(self.near.localDescription)
        if red is not None:
            use_redundancy(self.far, EncodedTrack(), red)
        await self.far.setLocalDescription(await self.far.createAnswer())
        await self.near.setRemoteDescription(self.far.localDescription)
        if red is not None:
            use_redundancy(self.near, self.track, red)
        await until(lambda: self.near.connectionState == self.far.connectionState == "connected")
        await asyncio.sleep(0)  # aiortc's sender begins when the connection is there

    async def send(self, frames):
        """Send frames, each when the last has come."""
        for frame in frames:
            expected = len(self.packets) + 1
            self.track.send(frame)
            await until(lambda expected=expected: len(self.packets) >= expected)

    async def close(self):
        self.track.stop()
        await self.near.close()
        await self.far.close()


@contextlib.asynccontextmanager
async def linked(directly=True, red=None):
    """Connect, and leave nothing behind."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    link = Link(directly)
    try:
        await link.connect(red)
        yield link
    finally:
        await link.close()
    await until(lambda: asyncio.all_tasks() <= tasks)
    await until(lambda: set(threading.enumerate()) <= threads)


class TestOverTheWire:
    @DIRECTLY
    @BOTH
    async def test_what_is_sent_arrives(self, quality, directly):
        """Byte for byte, in order, spaced by the positions, at the quality's rate and length."""
        frames = list(FrameEncoder(quality).push(noise(60 * quality.frame_frames)))
        async with linked(directly) as link:
            await link.send(frames)
            sequences, timestamps, payloads, arrivals = zip(*link.packets, strict=True)

        assert list(payloads) == [frame.payload for frame in frames]
        assert {(b - a) % 2**16 for a, b in pairwise(sequences)} == {1}
        assert {(b - a) % 2**32 for a, b in pairwise(timestamps)} == {quality.frame_frames}
        assert list(arrivals) == sorted(arrivals)

        seconds = len(payloads) * quality.frame_frames / SAMPLE_RATE
        assert sum(map(len, payloads)) * 8 / seconds == quality.bitrate_bps
        decoder = OpusDecoder()
        assert {len(decoder.decode(payload)) for payload in payloads} == {quality.frame_frames}

    async def test_timestamps_follow_positions(self):
        """Whatever the positions do: another frame length, a gap, a wrap-around."""
        positions = [0, 120, 240, 480, 960, 48_000, 2**32 - 120, 2**32, 2**32 + 120]
        frames = [EncodedFrame(b"\xfc" + bytes([k]), at) for k, at in enumerate(positions)]
        async with linked() as link:
            assert link.track.timestamp_origin is None
            for frame in frames:
                await link.send([frame])
                origin = link.track.timestamp_origin
                assert link.packets[-1][1] == (origin + frame.position) % 2**32
            origins = {
                (packet[1] - frame.position) % 2**32
                for packet, frame in zip(link.packets, frames, strict=True)
            }
            assert origins == {origin}

    async def test_one_frame_serves_two_peers(self):
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(1200)))
        async with linked() as one, linked() as other:
            await asyncio.gather(one.send(frames), other.send(frames))
            payloads = [[packet[2] for packet in link.packets] for link in (one, other)]
        assert payloads == [[frame.payload for frame in frames]] * 2

    async def test_arrivals_are_by_the_loops_clock(self):
        async with linked() as link:
            before = asyncio.get_running_loop().time()
            await link.send([EncodedFrame(b"\xfc", 0)])
            after = asyncio.get_running_loop().time()
            assert before <= link.packets[0][3] <= after

    @DIRECTLY
    async def test_statistics_count(self, directly):
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(40 * 120)))
        async with linked(directly) as link:
            before = await transports(link)
            await link.send(frames)
            gained = np.subtract(await transports(link), before)
            inbound = [s for s in (await link.far.getStats()).values() if s.type == "inbound-rtp"]
            outbound = [
                s for s in (await link.near.getStats()).values() if s.type == "outbound-rtp"
            ]
        assert [(s.packetsReceived, s.packetsLost) for s in inbound] == [(40, 0)]
        assert [(s.packetsSent, s.bytesSent) for s in outbound] == [(40, 40 * 40)]
        assert (gained[:, 0] >= 40).all()  # RTCP comes in between
        assert (gained[:, 1] >= 40 * (12 + 8 + 40 + 10)).all()  # header, name, frame, SRTP's tag

    async def test_rtcp_reports_say_what_was_sent(self):
        """RTCP is aiortc's: what its report says of the stream comes back to the sender."""
        async with linked() as link:
            await link.send([EncodedFrame(b"\xfc", 0)])
            async with asyncio.timeout(PATIENCE_S):
                while not (reports := await remote_reports(link)):  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.01)
        assert [(report.packetsReceived, report.packetsLost) for report in reports] == [(1, 0)]

    async def test_a_packet_is_sent_and_taken_without_a_task(self):
        """It is on its way when `send` returns, and taken in the turn of the loop it comes in."""
        async with linked() as link:
            tasks = asyncio.all_tasks()
            link.track.send(EncodedFrame(b"\xfc", 0))
            sent = link.near.getSenders()[0]
            stats = [s for s in (await sent.getStats()).values() if s.type == "outbound-rtp"]
            assert stats[0].packetsSent == 1
            await until(lambda: link.packets)
            assert asyncio.all_tasks() == tasks

    async def test_a_replayed_or_forged_packet_is_not_taken(self):
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(3 * 120)))
        caught = []
        async with linked() as link:
            take = link.far_agent.take_srtp
            link.far_agent.take_srtp = lambda datagram: caught.append(datagram) or take(datagram)
            await link.send(frames)
            forged = bytearray(caught[-1])
            forged[-12] ^= 1
            assert take(bytes(forged))  # nobody else is to have it
            assert take(caught[0])
            assert len(link.packets) == 3
            await link.send([EncodedFrame(b"\xfc", 960)])

    async def test_before_the_connection_frames_are_dropped(self):
        track = EncodedTrack()
        track.send(EncodedFrame(b"\xfc", 0))
        assert track.timestamp_origin is None

    async def test_the_stock_decoder_is_idle(self):
        """Not a frame comes out of the diverted track, only its end."""
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(100 * 120)))
        async with linked() as link:
            decoded = asyncio.create_task(link.remote_track.recv())
            await link.send(frames)
            assert not decoded.done()
            await link.close()
            with pytest.raises(MediaStreamError):
                await decoded

    async def test_a_stopped_track_ends_the_sender_quietly(self):
        async with linked() as link:
            await link.send([EncodedFrame(b"\xfc", 0)])
            link.track.stop()
            await until(lambda: link.sender.track is None)  # aiortc lets go of an ended track


async def transports(link):
    """Return the packets and bytes that near has sent and far has received."""
    near, far = [
        next(s for s in (await peer.getStats()).values() if s.type == "transport")
        for peer in (link.near, link.far)
    ]
    return [(near.packetsSent, near.bytesSent), (far.packetsReceived, far.bytesReceived)]


async def remote_reports(link):
    """Return what near's peer has reported of the stream."""
    stats = (await link.near.getStats()).values()
    return [each for each in stats if each.type == "remote-inbound-rtp"]


CLASSES = {
    "STUN": (0, 3),
    "ZRTP": (16, 19),
    "DTLS": (20, 63),
    "TURN channel": (64, 79),
    "RTP and RTCP": (128, 191),
    "none": (192, 255),
}
"""First bytes of what may share a port (RFC 7983 §7), from and to."""


def shorts():
    """Return a datagram of each length up to a STUN header's and each class of first byte."""
    firsts = [byte for ends in CLASSES.values() for byte in ends]
    return [b""] + [
        bytes((first, second))[:length].ljust(length, b"\0")
        for first in firsts
        for second in (0, 200)
        for length in range(1, 20)
    ]


RED = RedFormat(red=63, opus=96)


class TestRedundancy:
    async def test_each_packet_has_the_frame_before_it_while_it_is_on(self):
        """Off, on, off: the packets' own frames are the same, and the copies have their numbers."""
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(30 * 120)))
        async with linked(red=RED) as link:
            for number, frame in enumerate(frames):
                link.track.redundancy.on = 10 <= number < 20
                await link.send([frame])
            assert "a=rtpmap:63 red/48000/2" in link.far.localDescription.sdp
            inbound = [s for s in (await link.far.getStats()).values() if s.type == "inbound-rtp"]
        assert [packet[2] for packet in link.packets] == [frame.payload for frame in frames]
        assert [s.packetsReceived for s in inbound] == [30]
        assert [copy[:3] for copy in link.copies] == [packet[:3] for packet in link.packets[9:19]]
        assert [copy[3] for copy in link.copies] == [packet[3] for packet in link.packets[10:20]]

    def test_two_copies_are_of_the_two_packets_before(self):
        """Chromium may send more than one; numbers and timestamps wrap around."""
        copies = [RedFrame(b"\xfc1", 240), RedFrame(b"\xfc2", 120)]
        seen, received = tap_of(RED)
        seen.add(packet(63, 1, 100, pack(b"\xfc3", copies, 96)))
        assert [each[:3] for each in received] == [
            ("copy", 2**16 - 1, 2**32 - 140),
            ("copy", 0, 2**32 - 20),
            ("packet", 1, 100),
        ]
        assert [each[3] for each in received] == [b"\xfc1", b"\xfc2", b"\xfc3"]

    @pytest.mark.parametrize("payload", [b"", b"\xe0", b"\x6f\xfc", b"\xe0\x01\xe0\x09\x60\xfc"])
    def test_a_malformed_one_is_an_empty_packet(self, payload):
        seen, received = tap_of(RED)
        seen.add(packet(63, 1, 100, payload))
        assert received == [("packet", 1, 100, b"")]

    def test_only_packets_of_its_payload_type_are_unpacked(self):
        payload = pack(b"\xfc3", [RedFrame(b"\xfc2", 120)], 96)
        for red in (RED, None):
            seen, received = tap_of(red)
            seen.add(packet(96 if red else 63, 1, 100, payload))
            assert received == [("packet", 1, 100, payload)]


def tap_of(red):
    """Return what stands in for a jitter buffer, outside of a connection, and what it passes on."""
    received = []

    def note(kind):
        return lambda *numbers_and_payload: received.append((kind, *numbers_and_payload[:3]))

    async def made():
        return rtc._Tap(note("packet"), lambda _: None, note("copy"))

    tap = asyncio.run(made())
    tap.red = red
    return tap, received


def packet(payload_type, sequence, timestamp, payload):
    made = RtpPacket(payload_type, 0, sequence, timestamp)
    made.payload = payload
    return made


class TestStrayDatagrams:
    """Anybody can send to an open port."""

    @pytest.mark.parametrize(
        "datagram",
        [b"", bytes(1), b"\x80" * 1501, b"\x16" * 1501, b"\x80" * 60_000],
        ids=["empty", "one byte", "long RTP", "long DTLS", "very long"],
    )
    async def test_one_of_a_stranger_s_ends_no_connection(self, datagram):
        async with linked() as link:
            stray(link, [datagram])
            await link.send([EncodedFrame(b"\xfc", 0)])
            assert link.near.connectionState == link.far.connectionState == "connected"

    async def test_a_flood_of_them_takes_no_packet(self):
        """Every short length of every class, while sound goes by, to both ends."""
        frames = list(FrameEncoder(LOW_LATENCY).push(noise(60 * 120)))
        flood = shorts() * 2
        async with linked() as link:
            for number, frame in enumerate(frames):
                stray(link, flood[number :: len(frames)])
                await link.send([frame])
            assert link.near.connectionState == link.far.connectionState == "connected"
        assert [packet[2] for packet in link.packets] == [frame.payload for frame in frames]


def stray(link, datagrams):
    """Send datagrams to both ends from a socket of nobody's, with no client of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for peer in link.near, link.far:
            for line in peer.localDescription.sdp.splitlines():
                if line.startswith("a=candidate") and " typ host" in line:
                    host, port = line.split()[4:6]
                    if ":" not in host:
                        for datagram in datagrams:
                            stranger.sendto(datagram, (host, int(port)))


class TestCertificate:
    async def test_all_connections_of_a_process_show_the_one_it_has(self):
        peers = [connection() for _ in range(2)]
        shown = set()
        for peer in peers:
            use_own_certificate(peer)
            peer.addTrack(EncodedTrack())
            sdp = (await peer.createOffer()).sdp
            shown |= {line for line in sdp.splitlines() if line.startswith("a=fingerprint:sha-256")}
            await peer.close()
        assert shown == {f"a=fingerprint:sha-256 {own_fingerprint()}"}

    async def test_what_a_peer_has_shown_is_what_its_description_says(self):
        async with linked() as link:
            told = link.far.localDescription.sdp
            assert f"a=fingerprint:sha-256 {remote_fingerprint(link.sender)}" in told

    async def test_before_the_handshake_nothing_was_shown(self):
        peer = connection()
        try:
            assert remote_fingerprint(peer.addTrack(EncodedTrack())) is None
        finally:
            await peer.close()


def own_fingerprint():
    """Return this process' fingerprint, computed apart from aiortc (RFC 8122 §5)."""
    der = own_certificate()._cert.public_bytes(Encoding.DER)
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


class TestEncodedTrack:
    async def test_stop_wakes_whoever_waits(self):
        track = EncodedTrack()
        waiting = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        assert not waiting.done()
        track.stop()
        with pytest.raises(MediaStreamError):
            await waiting

    async def test_after_stop_it_has_ended_for_good(self):
        async with linked() as link:
            await link.send([EncodedFrame(b"\xfc", 0)])
            link.track.stop()
            link.track.stop()
            link.track.send(EncodedFrame(b"\xfc", 960))
            with pytest.raises(MediaStreamError):
                await link.track.recv()
            outbound = [
                s for s in (await link.near.getStats()).values() if s.type == "outbound-rtp"
            ]
        assert [s.packetsSent for s in outbound] == [1]


class TestIce:
    async def test_the_candidates_sound_goes_between(self):
        async with linked() as link:
            local, remote = candidate_pair(link.sender)
            assert (local.type, remote.type) == ("host", "host")
            described = link.near.localDescription.sdp, link.far.localDescription.sdp
            for candidate, sdp in zip((local, remote), described, strict=True):
                assert f" {candidate.host} {candidate.port} typ host" in sdp
        assert candidate_pair(link.sender) is None

    async def test_before_a_connection_is_made_there_are_none(self):
        peer = connection()
        try:
            assert candidate_pair(peer.addTrack(EncodedTrack())) is None
        finally:
            await peer.close()

    async def test_an_agent_takes_the_place_of_aiortcs(self):
        peer = connection()
        try:
            sender = peer.addTrack(EncodedTrack())
            agent = Connection(ice_controlling=False)
            use_agent(sender, agent)
            await peer.setLocalDescription(await peer.createOffer())
            sdp = peer.localDescription.sdp
            assert f"a=ice-ufrag:{agent.local_username}\r\n" in sdp
            assert sender_connection(sender) is agent
            assert agent.ice_controlling
            assert {c.host for c in agent.local_candidates} == set(
                re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+)", sdp)
            )
        finally:
            await peer.close()


SENDERS = (
    *(rtc._NEXT_FRAME, rtc._ENABLED, rtc._SSRC, rtc._EXTENSIONS, rtc._MID),
    *(rtc._PACKETS, rtc._OCTETS, rtc._RTP_TIME, rtc._NTP_TIME),
)
TRANSPORTS = (
    *(rtc._PROTECTION, rtc._UNPROTECTION, rtc._SENT_BYTES, rtc._SENT_PACKETS),
    *(rtc._HEARD_BYTES, rtc._HEARD_PACKETS),
)


class TestAiortcsInsides:
    """When one of these fails, aiortc has moved what `jamlab.media.rtc` holds on to."""

    async def test_the_private_names_are_there(self):
        peer = connection()
        try:
            transceiver = peer.addTransceiver("audio")
            receiver, sender = transceiver.receiver, transceiver.sender
            missing = [
                f"{type(owner).__name__} has no {name}"
                for owner, name in (
                    (receiver, rtc._JITTER_BUFFER),
                    (transceiver, rtc._NEGOTIATED),
                    (receiver, rtc._CODECS),
                    (receiver, rtc._STREAMS),
                    (receiver, rtc._ENABLED),
                    *((sender, name) for name in SENDERS),
                    *((sender.transport, name) for name in TRANSPORTS),
                    (sender.transport, rtc._TLS_CONNECTION),
                    (sender.transport.transport, rtc._ICE_CONNECTION),
                    (sender.transport.transport, rtc._ICE_RECV),
                    (sender.transport.transport, rtc._ICE_SEND),
                    (sender.transport.transport.iceGatherer, rtc._ICE_CONNECTION),
                    (peer, rtc._CERTIFICATES),
                )
                if not hasattr(owner, name)
            ]
            assert not missing, (
                f"aiortc {version('aiortc')} is not the one jamlab.media.rtc was written for: "
                f"{', '.join(missing)}; adapt that module and then the pin in pyproject.toml"
            )
            public = {name for name in dir(getattr(receiver, rtc._JITTER_BUFFER)) if name[0] != "_"}
            assert public - {"capacity", "remove", "smart_remove"} == {"add"}
        finally:
            await peer.close()

    async def test_a_stranger_is_refused_in_a_sentence(self):
        with pytest.raises(RuntimeError, match=r"install the version pinned in pyproject\.toml"):
            divert_packets(object(), print)
