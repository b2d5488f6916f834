"""Readings: snapshots of a playing connection's statistics.

All data exist for other purposes: RTCP and transport statistics in aiortc (W3C webrtc-stats),
packets and frames in the playout buffer, times of callbacks in the list of sent frames. The card's
callback does nothing extra, and a reading of one second takes half a millisecond, for one peer with
short frames as for five peers with long ones.
"""

import asyncio
from collections.abc import Callable, Iterable, Reversible, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

from aiortc import (
    RTCInboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
    RTCTransportStats,
)

from jamlab.audio.card import SoundCard
from jamlab.media.encoder import FrameEncoder
from jamlab.media.playout.playout import Playout
from jamlab.mesh.connection.capture import Capture
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.connection.timeline import CardTimeline, Waits

Item = TypeVar("Item")

_TIMELINE_S = 0.5  # callbacks of this period determine the card's timeline


@dataclass(frozen=True, slots=True)
class StreamReading:
    """Statistics of a peer's playout buffer."""

    played_frames: int
    """Frames decoded since its start."""
    concealed_frames: int
    """Frames concealed since its start, for packets that were lost or late."""
    frame_frames: int | None
    """Length of the peer's Opus frames; None before the first was decoded."""
    waits: Waits | None
    """Mean waits of recent packets; None when there were none to be heard."""
    drift: float | None = None
    """`Playout.drift`."""
    lag_s: float | None = None
    """Largest recent delay of our card's callbacks; None before the first."""
    recovered_packets: int = 0
    """Packets since its start that came only as redundant copies."""

    @classmethod
    def of(
        cls,
        playout: Playout,
        timeline: CardTimeline | None,
        captured_frames: int,
        since_s: float,
        lag_s: float | None = None,
    ) -> "StreamReading":
        """Read a playout buffer, between two callbacks of its card.

        The card has captured as many frames as it has pulled. Packets that arrived before `since_s`
        are not read; `lag_s` is the largest delay of the card's callbacks since then.
        """
        counters = playout.counters
        lately = latest(playout.history, since_s, lambda packet: packet.arrival_s)
        origin = captured_frames - playout.pulled_frames
        waits = None if timeline is None else timeline.waits(lately, origin)
        return cls(
            counters.played_frames,
            counters.concealed_frames - playout.undecided_frames,
            playout.frame_frames,
            waits,
            playout.drift,
            lag_s,
            counters.recovered,
        )


NO_STREAM = StreamReading(0, 0, None, None)
"""Reading of a stream that has not begun, or has ended."""


@dataclass(frozen=True, slots=True)
class RtcpReading:
    """Statistics of RTCP and the transport since the start of the connection."""

    round_trip_s: float | None
    """Smoothed round-trip time (RFC 3550 §6.4.1); None before the first receiver report."""
    packets_received: int
    packets_lost: int
    """Expected minus received packets, below 0 after duplicates (RFC 3550 §6.4.1)."""
    bytes_sent: int
    """Bytes of the DTLS transport: RTP with headers, SRTP tags and RTCP, without UDP and IP."""
    bytes_received: int

    @classmethod
    def of(cls, report: RTCStatsReport) -> "RtcpReading":
        """Extract the values from a connection's statistics."""
        remote = _first(report.values(), RTCRemoteInboundRtpStreamStats)
        inbound = _first(report.values(), RTCInboundRtpStreamStats)
        transport = _first(report.values(), RTCTransportStats)
        return cls(
            remote.roundTripTime if remote else None,
            inbound.packetsReceived if inbound else 0,
            inbound.packetsLost if inbound else 0,
            transport.bytesSent if transport else 0,
            transport.bytesReceived if transport else 0,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """Statistics of a connection at one moment."""

    at_s: float
    """Time of the event loop's clock."""
    peer_id: str
    connection: int
    rtcp: RtcpReading
    stream: StreamReading
    capture: Capture
    """The peer's capture, or our own when the peer does not state one."""
    candidates: tuple[str, str] | None
    """Types of the selected pair's local and remote candidate (RFC 8445 §5.1.1)."""
    state: ConnectionState = ConnectionState.CONNECTED
    is_redundant: bool = False
    """Whether our packets to the peer carry redundant audio."""


class Reader:
    """Reads the connections of one participant, which the card plays.

    `sent` has the capture position and the time in seconds of each Opus frame sent, in order.
    """

    def __init__(
        self, card: SoundCard, encoder: FrameEncoder, sent: Reversible[tuple[int, float]]
    ) -> None:
        self._card = card
        self._encoder = encoder
        self._sent = sent

    async def read(self, peers: Sequence[PeerConnection], within_s: float) -> list[Reading]:
        """Read connections one by one, unless they close, and packets no older than `within_s`."""
        readings = []
        for peer in peers:
            report = await peer.statistics()  # lets the loop make the card's callbacks in between
            if not peer.closing:
                readings.append(self._reading(peer, report, within_s))
        return readings

    def _reading(self, peer: PeerConnection, report: RTCStatsReport, within_s: float) -> Reading:
        now_s, stream = asyncio.get_running_loop().time(), NO_STREAM
        if peer.playout is not None:
            timeline, lag_s = self._timeline(now_s, within_s)
            captured = self._encoder.captured_frames
            stream = StreamReading.of(peer.playout, timeline, captured, now_s - within_s, lag_s)
        return Reading(
            now_s,
            peer.peer_id,
            peer.number,
            RtcpReading.of(report),
            stream,
            peer.capture or Capture.of(self._card, self._encoder.quality),
            peer.candidates,
            peer.state,
            peer.track.is_redundant,
        )

    def _timeline(self, now_s: float, within_s: float) -> tuple[CardTimeline | None, float | None]:
        """Return the card's timeline, if it can be found, and the lag of its callbacks."""
        sent = latest(self._sent, now_s - max(within_s, _TIMELINE_S), lambda frame: frame[1])
        recent = [frame for frame in sent if frame[1] >= now_s - _TIMELINE_S]
        card = self._card
        timeline = CardTimeline.from_sent(recent, card.block_frames, card.round_trip_frames)
        if timeline is not None:
            return timeline, timeline.lag_s(sent)
        last_s = next((sent_s for _, sent_s in reversed(self._sent)), None)
        return None, None if last_s is None else now_s - last_s


def latest(items: Reversible[Item], since_s: float, time_of: Callable[[Item], float]) -> list[Item]:
    """Return the items at the end of a history that are not older than `since_s`, in order."""
    newest_first = takewhile(lambda item: time_of(item) >= since_s, reversed(items))
    return [*newest_first][::-1]


def _first(items: Iterable[object], kind: type[Item]) -> Item | None:
    return next((item for item in items if isinstance(item, kind)), None)
