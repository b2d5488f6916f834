"""Live figures of one peer: latency by stages, packet loss, bit rates, candidate types, drift.

Theory of operation
-------------------
The latency is the sum of stages, each found from data of this end alone:

=========== ==========================================================================
frame       first to last sample of an Opus frame: length of the last decoded frame
capture     complete frame to its sending: mean wait for the callback of the peer's card
network     half the round-trip time of RTCP: an estimate, not a measurement
playout     arrival to the callback that plays: mean over packets of the last interval
card        callback to loudspeaker: the length of our card's buffers
look-ahead  look-ahead of the peer's encoder
=========== ==========================================================================

*Network* and *playout* belong together. A packet with a longer delay waits less, and the sum of the
two is the same for all packets, so their means may come from different packets: that of the waits
from media packets, that of the delays from RTCP packets. The error of the sum is half the
difference between the delays of the two directions, which cannot be found without a clock shared by
both ends (RFC 7679 §3.7.1).

When our own event loop lags, packets are read too late to be heard. They are left out; if there are
no others, the latency is unknown, and `PeerFigures.unknown` says why. No stage is ever below 0, and
the latency never below the sum of frame and look-ahead.

Fractions and rates are over one interval: differences of a connection's counters, which begin at 0
with every connection.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.mesh.connection.readings import Reading, RtcpReading

CANDIDATE_TYPES = ("host", "prflx", "srflx", "relay")
"""Candidate types (RFC 8445 §5.1.1), by distance from their host."""

STAGES = ("frame", "capture", "network", "playout", "card", "lookahead")
"""Stages of the latency in a sample's order; the look-ahead is spread over the others."""

TOO_LATE, SENDS_NOTHING = "no packet arrived in time", "no packet arrived: none is sent"
"""Reasons for an unknown latency."""

LAGS_S = 0.020
"""Lag of the event loop's callbacks above which the lag explains an unknown latency."""


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """Figures of one peer over one interval; unknown figures are None."""

    at_s: float
    """End of the interval, by the event loop's clock."""
    peer_id: str
    connection: int
    """Number of the connection; a replacement has a number of its own."""
    frame_s: float | None
    capture_s: float | None
    network_s: float | None
    """None before the first RTCP round trip, which takes about two seconds."""
    playout_s: float | None
    card_s: float | None
    lookahead_s: float
    local_candidate: str | None
    """Type of the local candidate of the selected pair, one of `CANDIDATE_TYPES`."""
    remote_candidate: str | None
    loss_share: float | None = None
    """Lost packets divided by expected packets."""
    repaired_share: float | None = None
    """Packets that came only as redundant copies divided by expected packets."""
    concealed_share: float | None = None
    """Concealed frames divided by all frames played."""
    sent_bit_s: float | None = None
    """Bit rate of `RtcpReading.bytes_sent`."""
    received_bit_s: float | None = None
    drift_ppm: float | None = None
    """Drift of the peer's sound card against ours, positive when the peer's is faster."""
    is_redundant: bool = False
    """Whether our packets to the peer carry redundant audio, for it reports losses."""
    unknown: str = ""
    """Reason for an unknown latency; empty when it is known."""

    @property
    def one_way_s(self) -> float | None:
        """Estimated latency from the peer's microphone to our loudspeaker: the sum of stages."""
        total_s = 0.0
        for stage in STAGES:
            stage_s: float | None = getattr(self, f"{stage}_s")
            if stage_s is None:
                return None
            total_s += stage_s
        return total_s

    @property
    def route(self) -> str | None:
        """Type of the candidate of the selected pair that is further from its host.

        So it is ``"relay"`` when either candidate is relayed. The pair is the one our packets use;
        the peer may use another, which is in the peer's own figures.
        """
        if self.local_candidate is None or self.remote_candidate is None:
            return None
        return max(self.local_candidate, self.remote_candidate, key=CANDIDATE_TYPES.index)

    @property
    def is_relayed(self) -> bool | None:
        """Whether our packets go through a relay; None when it is not known."""
        return None if self.route is None else self.route == "relay"


class PeerMeter:
    """Computes figures from the readings of one peer."""

    def __init__(self) -> None:
        self._last: Reading | None = None

    def read(self, reading: Reading) -> PeerFigures:
        """Return the figures of the interval that ends with a reading.

        Fractions and rates of a connection's first interval are unknown.
        """
        last, self._last = self._last, reading
        figures = _at(reading)
        if last is None or last.connection != reading.connection:
            return figures
        mute = reading.rtcp.packets_received == last.rtcp.packets_received
        return replace(
            figures,
            unknown=SENDS_NOTHING if mute and figures.unknown == TOO_LATE else figures.unknown,
            loss_share=_share(*_lost_of_expected(reading, last)),
            repaired_share=_repaired_share(reading, last),
            concealed_share=_concealed_share(reading, last),
            sent_bit_s=_rate(reading, last, lambda rtcp: rtcp.bytes_sent),
            received_bit_s=_rate(reading, last, lambda rtcp: rtcp.bytes_received),
        )


def _at(now: Reading) -> PeerFigures:
    """Return the figures that depend on a single reading."""
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
        is_redundant=now.is_redundant,
        unknown=_unknown(now),
    )


def _unknown(now: Reading) -> str:
    """Return the reason for an unknown latency; empty when it is known."""
    stream = now.stream
    if stream.frame_frames is None:
        return "no sound has arrived yet"
    if stream.waits is None:
        if stream.lag_s is None:
            return "our sound card has not started yet"
        if stream.lag_s > LAGS_S:
            return f"the loop lagged by {1000 * stream.lag_s:.0f} ms"
        return TOO_LATE
    return "no RTCP report has come back yet" if now.rtcp.round_trip_s is None else ""


def _lost_of_expected(now: Reading, last: Reading) -> tuple[int, int]:
    """Return the packets lost and expected in the interval (RFC 3550 A.3)."""
    lost = now.rtcp.packets_lost - last.rtcp.packets_lost
    return lost, lost + now.rtcp.packets_received - last.rtcp.packets_received


def _repaired_share(now: Reading, last: Reading) -> float | None:
    repaired = now.stream.recovered_packets - last.stream.recovered_packets
    return _share(repaired, _lost_of_expected(now, last)[1])


def _concealed_share(now: Reading, last: Reading) -> float | None:
    concealed = now.stream.concealed_frames - last.stream.concealed_frames
    return _share(concealed, concealed + now.stream.played_frames - last.stream.played_frames)


def _share(part: int, whole: int) -> float | None:
    """Return a fraction in 0 to 1; late and duplicate packets may make the part negative."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else None


def _rate(now: Reading, last: Reading, octets: Callable[[RtcpReading], int]) -> float | None:
    """Return the bit rate of a count of octets over the interval."""
    interval_s, counted = now.at_s - last.at_s, octets(now.rtcp) - octets(last.rtcp)
    return 8 * max(counted, 0) / interval_s if interval_s > 0 else None
