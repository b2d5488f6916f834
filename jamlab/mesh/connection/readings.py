"""What there is to read off a connection while it plays, at one moment.

Everything here was noted for other purposes: RTCP and transport statistics by aiortc (W3C
webrtc-stats), packets and frames by the playout buffer, callbacks by what was sent in them. Nothing
is added to the card's callback, and reading a second of it takes half a millisecond, for one peer
with short frames as for five with long ones.
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
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.connection.timeline import CardTimeline, Waits

Item = TypeVar("Item")

_TIMELINE_S = 0.5  # callbacks of so long tell when the card began


@dataclass(frozen=True, slots=True)
class StreamReading:
    """What the playout buffer of a peer's stream has noted."""

    played_frames: int
    """Frames decoded since it began."""
    concealed_frames: int
    """Frames invented since it began."""
    frame_frames: int | None
    """Length of the peer's Opus frames; None before one was decoded."""
    waits: Waits | None
    """Of the packets that came lately; None when none did."""
    drift: float | None = None
    """As of `Playout.drift`."""
    lag_s: float | None = None
    """By how much our card's callbacks came too late lately; None before there was any."""

    @classmethod
    def of(
        cls,
        playout: Playout,
        timeline: CardTimeline | None,
        captured_frames: int,
        since_s: float,
        lag_s: float | None = None,
    ) -> "StreamReading":
        """Read a playout buffer.

        Parameters
        ----------
        playout : Playout
            The buffer, between two callbacks of its card.
        timeline : CardTimeline or None
            The card's.
        captured_frames : int
            Frames the card has captured so far, as many as it has asked for.
        since_s : float
            Packets that came before are not looked at.
        lag_s : float, optional
            By how much the card's callbacks came too late meanwhile.
        """
        counters = playout.counters
        lately = latest(playout.history, since_s, lambda packet: packet.arrival_s)
        origin = captured_frames - playout.pulled_frames
        waits = None if timeline is None else timeline.waits(lately, origin)
        return cls(
            counters.played_frames,
            counters.concealed_frames,
            playout.frame_frames,
            waits,
            playout.drift,
            lag_s,
        )


NO_STREAM = StreamReading(0, 0, None, None)
"""Of a peer whose stream is not there yet, or has ended."""


@dataclass(frozen=True, slots=True)
class RtcpReading:
    """What RTCP and the transport under it have counted since the connection began."""

    round_trip_s: float | None
    """Smoothed round-trip time (RFC 3550 §6.4.1); None before the first report came back."""
    packets_received: int
    packets_lost: int
    """Packets expected less those received, below 0 when some came twice (RFC 3550 §6.4.1)."""
    bytes_sent: int
    """By the DTLS transport: RTP with its headers, SRTP tags and RTCP, without UDP and IP."""
    bytes_received: int

    @classmethod
    def of(cls, report: RTCStatsReport) -> "RtcpReading":
        """Pick what is wanted out of a connection's statistics."""
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
    """What there was to read off a connection at one moment."""

    at_s: float
    """When, by the event loop's clock."""
    peer_id: str
    connection: int
    """Which of the service's connections."""
    rtcp: RtcpReading
    stream: StreamReading
    capture: Capture
    """The peer's, or our own where the peer does not say."""
    candidates: tuple[str, str] | None
    """Types of the local and the remote candidate its packets go between (RFC 8445 §5.1.1)."""


class Reader:
    """Reads the connections of one participant.

    Parameters
    ----------
    card : SoundCard
        What plays them.
    encoder : FrameEncoder
        What the card captures goes into it.
    sent : sequence of (position, seconds)
        Capture position of each frame of ours and when it was sent, in order.
    """

    def __init__(
        self, card: SoundCard, encoder: FrameEncoder, sent: Reversible[tuple[int, float]]
    ) -> None:
        self._card = card
        self._encoder = encoder
        self._sent = sent

    async def read(self, peers: Sequence[PeerConnection], within_s: float) -> list[Reading]:
        """Read connections one by one, without those that are closing meanwhile.

        Parameters
        ----------
        peers : sequence of PeerConnection
            The connections.
        within_s : float
            Packets that came earlier than that are not looked at.
        """
        readings = []
        for peer in peers:
            report = await peer.statistics()  # the loop goes round, so cards are called in between
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
        )

    def _timeline(self, now_s: float, within_s: float) -> tuple[CardTimeline | None, float | None]:
        """Return the card's timeline, if anything tells it, and how late its callbacks were."""
        sent = latest(self._sent, now_s - max(within_s, _TIMELINE_S), lambda frame: frame[1])
        told = [frame for frame in sent if frame[1] >= now_s - _TIMELINE_S]
        card = self._card
        timeline = CardTimeline.told_by(told, card.block_frames, card.round_trip_frames)
        if timeline is not None:
            return timeline, timeline.lag_s(sent)
        last_s = next((sent_s for _, sent_s in reversed(self._sent)), None)
        return None, None if last_s is None else now_s - last_s


def latest(items: Reversible[Item], since_s: float, time_of: Callable[[Item], float]) -> list[Item]:
    """Return the last items of a history, back to the first that is older, in order."""
    newest_first = takewhile(lambda item: time_of(item) >= since_s, reversed(items))
    return [*newest_first][::-1]


def _first(items: Iterable[object], kind: type[Item]) -> Item | None:
    return next((item for item in items if isinstance(item, kind)), None)
