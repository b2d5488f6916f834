"""Live figures of one peer: where its sound's time goes, what is lost, how much is sent, which way.

Theory of operation
-------------------
The latency is the sum of stages, each read off what this end has:

=========== ==========================================================================
frame       the peer's Opus frame, first sample to last: from the last one decoded
capture     frame complete to sent: what a frame waits for the peer's card on average
network     half the round trip of RTCP: an estimate, never a measurement
playout     arrival to the callback that plays it: mean of the last interval's packets
card        callback to loudspeaker: what our card says of its buffers
look-ahead  of the peer's encoder
=========== ==========================================================================

*Network* and *playout* go together. A packet that took longer waits less, and the two add up to the
same for all packets, so their means may be taken apart: that of the waits over packets, that of the
ways over RTCP's. The sum is wrong by half of what the two directions differ, and there is no way to
know by how much: that takes a clock both ends share (RFC 7679 §3.7.1).

Where our own event loop lags, packets are read late and played to nobody. They count for nothing;
where there are no others, the latency is not known, and `PeerFigures.unknown` says why. No stage is
ever below 0, nor the latency below what its frame and look-ahead take.

Shares and rates are of one interval: differences of counts that a connection keeps from its
beginning, so another connection to the same peer begins anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.mesh.connection.readings import Reading, RtcpReading

CANDIDATE_TYPES = ("host", "prflx", "srflx", "relay")
"""Kinds of candidates (RFC 8445 §5.1.1), by how far they are from their host."""

STAGES = ("frame", "capture", "network", "playout", "card", "lookahead")
"""The stages of the latency, in a sample's order (the look-ahead is spread over the others)."""


LAGS_S = 0.020
"""A loop whose callbacks came later than that is why there is no figure, if there is none."""


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """Figures of one peer over one interval; what is not known is None."""

    at_s: float
    """End of the interval, by the event loop's clock."""
    peer_id: str
    connection: int
    """Which of the service's connections: a replacement has a number of its own."""
    frame_s: float | None
    capture_s: float | None
    network_s: float | None
    """None before RTCP has been there and back, which takes some two seconds."""
    playout_s: float | None
    card_s: float | None
    lookahead_s: float
    local_candidate: str | None
    """Type of our end of the path, one of `CANDIDATE_TYPES`."""
    remote_candidate: str | None
    """Type of the peer's end."""
    loss_share: float | None = None
    """Packets that did not come, over packets expected."""
    concealed_share: float | None = None
    """Frames invented, over frames that should have been heard."""
    sent_bit_s: float | None = None
    """Bits a second, as of `RtcpReading.bytes_sent`."""
    received_bit_s: float | None = None
    drift_ppm: float | None = None
    """How much faster the peer's sound card runs than ours, in parts per million."""
    unknown: str = ""
    """Why the latency is not known, in words; empty where it is."""

    @property
    def one_way_s(self) -> float | None:
        """Estimated latency from the peer's microphone to our loudspeaker, all stages together."""
        total_s = 0.0
        for stage in STAGES:
            stage_s: float | None = getattr(self, f"{stage}_s")
            if stage_s is None:
                return None
            total_s += stage_s
        return total_s

    @property
    def route(self) -> str | None:
        """The path in one word: the type of that end which is further from its host.

        So it is ``"relay"`` when either end's candidate is a relay's. It is the path our sound
        takes; the peer's may be another, which its own figures tell.
        """
        if self.local_candidate is None or self.remote_candidate is None:
            return None
        return max(self.local_candidate, self.remote_candidate, key=CANDIDATE_TYPES.index)


class PeerMeter:
    """Makes figures of the readings of one peer."""

    def __init__(self) -> None:
        self._last: Reading | None = None

    def read(self, reading: Reading) -> PeerFigures:
        """Return the figures of the interval that ends with a reading.

        Shares and rates of the first interval of a connection are not known.
        """
        last, self._last = self._last, reading
        figures = _at(reading)
        if last is None or last.connection != reading.connection:
            return figures
        return replace(
            figures,
            loss_share=_loss_share(reading, last),
            concealed_share=_concealed_share(reading, last),
            sent_bit_s=_rate(reading, last, lambda rtcp: rtcp.bytes_sent),
            received_bit_s=_rate(reading, last, lambda rtcp: rtcp.bytes_received),
        )


def _at(now: Reading) -> PeerFigures:
    """Return what one reading alone tells."""
    frames, waits, round_trip_s = now.stream.frame_frames, now.stream.waits, now.rtcp.round_trip_s
    local, remote = now.candidates or (None, None)
    return PeerFigures(
        now.at_s,
        now.peer_id,
        now.connection,
        frame_s=None if frames is None else frames / SAMPLE_RATE,
        capture_s=None if frames is None else now.capture.wait_s(frames),
        network_s=None if round_trip_s is None else max(round_trip_s, 0.0) / 2,
        playout_s=None if waits is None else waits.playout_s,
        card_s=None if waits is None else waits.card_s,
        lookahead_s=now.capture.lookahead_frames / SAMPLE_RATE,
        local_candidate=local,
        remote_candidate=remote,
        drift_ppm=None if now.stream.drift is None else now.stream.drift * 1e6,
        unknown=_unknown(now),
    )


def _unknown(now: Reading) -> str:
    """Say why there is no latency; nothing where there is one."""
    stream = now.stream
    if stream.frame_frames is None:
        return "no sound has come yet"
    if stream.waits is None:
        if stream.lag_s is None:
            return "our sound card has not called yet"
        if stream.lag_s > LAGS_S:
            return f"the loop lagged by {1000 * stream.lag_s:.0f} ms"
        return "no packet came lately"
    return "no RTCP report has come back yet" if now.rtcp.round_trip_s is None else ""


def _loss_share(now: Reading, last: Reading) -> float | None:
    """Return what was lost of what was expected (RFC 3550 A.3), both of the interval."""
    lost = now.rtcp.packets_lost - last.rtcp.packets_lost
    return _share(lost, lost + now.rtcp.packets_received - last.rtcp.packets_received)


def _concealed_share(now: Reading, last: Reading) -> float | None:
    concealed = now.stream.concealed_frames - last.stream.concealed_frames
    return _share(concealed, concealed + now.stream.played_frames - last.stream.played_frames)


def _share(part: int, whole: int) -> float | None:
    """Return a share; late and repeated packets may make a part of an interval negative."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else None


def _rate(now: Reading, last: Reading, octets: Callable[[RtcpReading], int]) -> float | None:
    """Return the bits a second a count of octets makes, over the interval."""
    interval_s, counted = now.at_s - last.at_s, octets(now.rtcp) - octets(last.rtcp)
    return 8 * max(counted, 0) / interval_s if interval_s > 0 else None
