"""The table of audio streams: what getStats says of each stream and second."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from jamlab.measure.dump.counters import Values, at, changed, gained, mean_ms, ratio
from jamlab.measure.dump.layouts.trace import PeerTrace, Series, Trace
from jamlab.measure.dump.pairs import round_trip
from jamlab.measure.dump.sdp import description, packet_ms

INBOUND, OUTBOUND = "inbound", "outbound"

_WORDS = ("connection", "direction", "stream", "codec")
COLUMNS = (
    *_WORDS,
    "ssrc",
    "time_s",
    "interval_s",
    "packet_ms",
    "jitter_buffer_ms",
    "target_ms",
    "minimum_ms",
    "processing_ms",
    "playout_ms",
    "round_trip_ms",
    "rtcp_round_trip_ms",
    "jitter_ms",
    "packets",
    "packets_lost",
    "samples",
    "concealed_samples",
    "silent_concealed_samples",
    "concealed_share",
    "inserted_samples",
    "removed_samples",
    "audio_level",
    "bitrate_bps",
)
"""Columns of the table; it has the wall clock ``time``, too. All but words are numbers."""

_LOCAL = ("setLocalDescription", "setLocalDescriptionOnSuccess")
_REMOTE = ("setRemoteDescription",)


def audio_table(trace: Trace, start_s: float) -> pd.DataFrame:
    """Return a row per audio stream and sample of getStats, about one a second.

    A figure is of the interval from the sample before, and NaN where nothing was counted in it.
    """
    tables = [each for peer in trace.peers for each in _streams(peer)]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    table = table.reindex(columns=list(COLUMNS))
    table["time_s"] = table["time_s"] - start_s
    return table.astype({name: "str" if name in _WORDS else "float64" for name in COLUMNS})


def _streams(peer: PeerTrace) -> Iterator[pd.DataFrame]:
    for direction, kind, figures in (
        (INBOUND, "inbound-rtp", _inbound),
        (OUTBOUND, "outbound-rtp", _outbound),
    ):
        for name, stream in peer.of(kind).items():
            stream = _distinct(stream)
            if "audio" not in (stream.last("kind"), stream.last("mediaType")):
                continue
            about = _about(peer, stream, direction, name)
            yield pd.DataFrame({**about, **_common(peer, stream), **figures(peer, stream)})


def _distinct(stream: Series) -> Series:
    """Return a series without samples at the time of the one before."""
    new = np.diff(stream.at_s, prepend=-math.inf) > 0
    kept = [int(place) for place in np.flatnonzero(new)]
    columns = {name: [column[n] for n in kept] for name, column in stream.columns.items()}
    return Series(stream.kind, stream.at_s[kept], columns)


def _about(peer: PeerTrace, stream: Series, direction: str, name: str) -> dict[str, object]:
    """Return what does not change over time."""
    codec = peer.series.get(stream.last("codecId"))
    words = (codec.last("mimeType"), codec.last("sdpFmtpLine")) if codec else ()
    ssrc = stream.numbers("ssrc")
    return {
        "connection": peer.name,
        "direction": direction,
        "stream": name,
        "codec": " ".join(filter(None, words)),
        "ssrc": ssrc[-1] if len(ssrc) else math.nan,
        "packet_ms": _packet_ms(peer, _LOCAL if direction == INBOUND else _REMOTE),
    }


def _packet_ms(peer: PeerTrace, calls: tuple[str, ...]) -> float:
    """Return the packets' duration that the latest description asks the sender for."""
    asked = (description(event.value) for event in reversed(peer.events) if event.kind in calls)
    return packet_ms(next(filter(None, asked), ""))


def _common(peer: PeerTrace, stream: Series) -> dict[str, Values]:
    times = stream.at_s
    return {
        "time_s": times,
        "interval_s": np.diff(times, prepend=np.nan),
        "round_trip_ms": 1000 * at(times, *round_trip(peer)),
    }


def _inbound(peer: PeerTrace, stream: Series) -> dict[str, Values]:
    of, times = stream.numbers, stream.at_s
    emitted, samples = of("jitterBufferEmittedCount"), gained(of("totalSamplesReceived"))
    concealed = gained(of("concealedSamples"))
    return {
        "jitter_buffer_ms": mean_ms(of("jitterBufferDelay"), emitted),
        "target_ms": mean_ms(of("jitterBufferTargetDelay"), emitted),
        "minimum_ms": mean_ms(of("jitterBufferMinimumDelay"), emitted),
        "processing_ms": mean_ms(of("totalProcessingDelay"), emitted),
        "playout_ms": _playout_ms(peer, stream),
        "rtcp_round_trip_ms": 1000 * _remote(peer, stream, "roundTripTime"),
        "jitter_ms": 1000 * of("jitter"),
        "packets": gained(of("packetsReceived")),
        "packets_lost": changed(of("packetsLost")),
        "samples": samples,
        "concealed_samples": concealed,
        "silent_concealed_samples": gained(of("silentConcealedSamples")),
        "concealed_share": ratio(concealed, samples),
        "inserted_samples": gained(of("insertedSamplesForDeceleration")),
        "removed_samples": gained(of("removedSamplesForAcceleration")),
        "audio_level": of("audioLevel"),
        "bitrate_bps": _bitrate_bps(of("bytesReceived"), times),
    }


def _outbound(peer: PeerTrace, stream: Series) -> dict[str, Values]:
    of, times = stream.numbers, stream.at_s
    source = peer.series.get(stream.last("mediaSourceId"))
    level = (source.at_s, source.numbers("audioLevel")) if source else (np.empty(0), np.empty(0))
    return {
        "rtcp_round_trip_ms": 1000 * _remote(peer, stream, "roundTripTime"),
        "jitter_ms": 1000 * _remote(peer, stream, "jitter"),
        "packets": gained(of("packetsSent")),
        "packets_lost": changed(_remote(peer, stream, "packetsLost")),
        "audio_level": at(times, *level),
        "bitrate_bps": _bitrate_bps(of("bytesSent"), times),
    }


def _playout_ms(peer: PeerTrace, stream: Series) -> Values:
    """Return the mean delay of the device's path, over the same intervals as the stream's."""
    playouts = peer.of("media-playout")
    playout = playouts.get(stream.last("playoutId"))
    if playout is None and len(playouts) == 1:
        playout = next(iter(playouts.values()))
    if playout is None:
        return np.full(len(stream.at_s), np.nan)
    total_s, count = (
        at(stream.at_s, playout.at_s, playout.numbers(name))
        for name in ("totalPlayoutDelay", "totalSamplesCount")
    )
    return mean_ms(total_s, count)


def _remote(peer: PeerTrace, stream: Series, name: str) -> Values:
    """Return a figure of the RTCP reports on a stream, at the stream's times."""
    remote = peer.series.get(stream.last("remoteId"))
    if remote is None or not remote.kind.startswith("remote-"):
        return np.full(len(stream.at_s), np.nan)
    return at(stream.at_s, remote.at_s, remote.numbers(name))


def _bitrate_bps(count: Values, times: Values) -> Values:
    return 8 * ratio(gained(count), np.diff(times, prepend=np.nan))
