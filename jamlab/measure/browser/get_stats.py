"""Figures of a browser's audio streams, from the counters of ``getStats`` (W3C WebRTC Statistics).

A figure over a time is the difference of two counters divided by the difference of two others, e.g.
the mean delay of the jitter buffer: ``Δ jitterBufferDelay / Δ jitterBufferEmittedCount``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Snapshot = Sequence[Mapping[str, Any]]
"""The connections of one player at one time, as ``connections.js`` reads them."""

STATISTICS = {
    "session": "int64",
    "sender": "object",  # empty where the other end is not one of the players, e.g. a server
    "receiver": "object",
    "stream": "object",  # its name, as in `streams`
    "at_s": "float64",  # seconds since the session's measurement began
    "frame_ms": "float64",  # length of the sender's packets
    "round_trip_ms": "float64",  # of the network, by STUN on the selected pair
    "jitter_buffer_ms": "float64",
    "jitter_target_ms": "float64",
    "processing_ms": "float64",  # as the browser states it; overlaps the jitter buffer
    "playout_ms": "float64",  # from the browser to its audio device, as the browser states it
    "packets_lost": "int64",
    "packets_received": "int64",
    "concealed_frames": "int64",
    "received_frames": "int64",
}
"""Columns of the table of statistics, a row a stream and second."""

FROM_THE_HOST = ("host", "prflx", "srflx", "relay")
"""Types of candidates (RFC 8445 §4), those of the host's own addresses first."""


@dataclass(frozen=True)
class Stream:
    """An audio stream that a connection receives, at one time."""

    inbound: Mapping[str, Any]
    playout: Mapping[str, Any]
    pair: Mapping[str, Any]
    candidate_types: frozenset[str] = frozenset()
    """Types of the selected pair's candidates, local and remote (RFC 8445 §4)."""

    @property
    def route(self) -> str | None:
        """Of these types the one further from its host; None when the browser states none."""
        return max(self.candidate_types, key=FROM_THE_HOST.index, default=None)


def streams(snapshot: Snapshot, others: Mapping[str, Snapshot]) -> dict[tuple[str, str], Stream]:
    """Return a player's received streams by their senders and names.

    A sender that is not a player is "". A stream's name is the number of its connection and the
    browser's id of it, so it is another one when the stream is made anew. `others` has the other
    players' snapshots. Two ends of a connection know each other's ICE user name fragments (RFC 8839
    §5.4).
    """
    ends = {
        (each["remote"], each["local"]): player
        for player, theirs in others.items()
        for each in theirs
        if each["local"] and each["remote"]
    }
    return {
        (sender, f"{connection.get('number', 0)} {stream.inbound['id']}"): stream
        for connection in snapshot
        for sender in [ends.get((connection["local"], connection["remote"]), "")]
        for stream in _received(connection["reports"])
    }


def _received(reports: Sequence[Mapping[str, Any]]) -> Iterator[Stream]:
    by_id = {report["id"]: report for report in reports}
    for report in reports:
        if report["type"] == "inbound-rtp":
            playout, pair = by_id.get(report.get("playoutId"), {}), _selected_pair(report, by_id)
            ends = (by_id.get(pair.get(f"{end}CandidateId", "")) for end in ("local", "remote"))
            types = {str(end.get("candidateType")) for end in ends if end} & {*FROM_THE_HOST}
            yield Stream(report, playout, pair, frozenset(types))


def _selected_pair(
    inbound: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the selected candidate pair of a stream; Firefox says which one in the pair itself."""
    transport = by_id.get(inbound.get("transportId", ""), {})
    if (pair := by_id.get(transport.get("selectedCandidatePairId", ""))) is not None:
        return pair
    pairs = (each for each in by_id.values() if each["type"] == "candidate-pair")
    return next((pair for pair in pairs if pair.get("selected") or pair.get("nominated")), {})


def connected(snapshot: Snapshot) -> int:
    """Return the number of connections that are connected and have received sound."""
    return sum(
        each["state"] == "connected"
        and any(stream.inbound.get("packetsReceived", 0) for stream in _received(each["reports"]))
        for each in snapshot
    )


def between(before: Stream, after: Stream) -> dict[str, float]:
    """Return a stream's figures over the time between two snapshots, as columns of `STATISTICS`.

    A stream that takes the place of another, e.g. of a connection made anew, counts from 0.
    """
    anew = _is_another(before.inbound, after.inbound)
    inbound = _Counters({} if anew else before.inbound, after.inbound)
    playout = _Counters({} if anew else before.playout, after.playout)
    return {
        "frame_ms": _frame_ms(inbound),
        "round_trip_ms": 1000 * float(after.pair.get("currentRoundTripTime", math.nan)),
        "jitter_buffer_ms": 1000 * inbound.ratio("jitterBufferDelay", "jitterBufferEmittedCount"),
        "jitter_target_ms": 1000
        * inbound.ratio("jitterBufferTargetDelay", "jitterBufferEmittedCount"),
        "processing_ms": 1000 * inbound.ratio("totalProcessingDelay", "jitterBufferEmittedCount"),
        "playout_ms": 1000 * playout.ratio("totalPlayoutDelay", "totalSamplesCount"),
        "packets_lost": inbound.rise("packetsLost"),
        "packets_received": inbound.rise("packetsReceived"),
        "concealed_frames": inbound.rise("concealedSamples"),
        "received_frames": inbound.rise("totalSamplesReceived"),
    }


def _is_another(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether counters are not those of before: of another source, or begun anew."""
    if any(before.get(name) != after.get(name) for name in ("id", "ssrc")):
        return True
    growing = ("packetsReceived", "totalSamplesReceived", "concealedSamples")
    return any(float(after.get(name, 0)) < float(before.get(name, 0)) for name in growing)


def _frame_ms(inbound: "_Counters") -> float:
    """Return the mean length of the packets: the received sound without what was concealed."""
    decoded = inbound.rise("totalSamplesReceived") - inbound.rise("concealedSamples")
    packets = inbound.rise("packetsReceived")
    return decoded / packets / 48 if min(decoded, packets) > 0 else math.nan


@dataclass(frozen=True)
class _Counters:
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def rise(self, name: str) -> float:
        return float(self.after.get(name, 0)) - float(self.before.get(name, 0))

    def ratio(self, name: str, count: str) -> float:
        if name not in self.after or self.rise(count) <= 0:
            return math.nan
        return self.rise(name) / self.rise(count)
