"""Delays of an RTP stream from its timestamps and the times of arrival (RFC 3550).

The sender's clock is the timestamp, ours the time of arrival, so the delays are above the least one
and the drift of the clocks is removed. A packet is lost when its sequence number is missing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.delay_table import MOST_DELAY_S, TraceError, checked_trace
from jamlab.networks.model.trace import LEAST_PACKETS, DelayTrace
from jamlab.networks.traces.clock import on_one_clock

_RATES_HZ = np.array(
    [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000, 96_000]
)
"""Rates of RTP clocks (RFC 3551)."""
_TOLERANCE = 0.04  # 44.1 kHz is 8 % below 48 kHz
_SEQUENCES, _TIMESTAMPS = 1 << 16, 1 << 32
_MOST_LOST = 20_000  # packets between two that arrived: else sequence numbers are another stream's


@dataclass(frozen=True, eq=False)
class ArrivedPackets:
    """Packets of one stream in the order of arrival: an entry each in every array."""

    sequence: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    arrival_s: NDArray[np.float64]


def stream_trace(name: str, packets: ArrivedPackets) -> DelayTrace:
    """Return the delays of a stream; raises `TraceError`."""
    if len(packets.sequence) < LEAST_PACKETS:
        raise TraceError(
            f"{name} has {len(packets.sequence)} packets of the stream: give {LEAST_PACKETS} "
            "or more"
        )
    if not np.isfinite(packets.arrival_s).all():
        raise TraceError(f"{name} has times of arrival that are no numbers: record it again")
    sequence, sent_s, arrival_s = _in_order(name, packets)
    delay_s = arrival_s - sent_s
    delay_s -= delay_s.min()
    if delay_s.max() > MOST_DELAY_S:
        raise TraceError(
            f"times of arrival and timestamps in {name} disagree by {delay_s.max():.0f} s: the "
            "stream paused or a clock was set, so cut it there"
        )
    notes = ("delays are above the least, as sender and receiver had clocks of their own",)
    return on_one_clock(
        checked_trace(
            name, *_with_lost(name, sequence, sent_s, delay_s), absolute=False, notes=notes
        )
    )


def _in_order(
    name: str, packets: ArrivedPackets
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sequence numbers, times of sending and of arrival, in the order of sending.

    Of several packets with one timestamp, and of copies, the first is taken.
    """
    sequence = np.unwrap(packets.sequence, period=_SEQUENCES).astype(np.int64)
    timestamp = np.unwrap(packets.timestamp, period=_TIMESTAMPS).astype(np.int64)
    order = np.argsort(sequence, kind="stable")
    sequence, timestamp = sequence[order], timestamp[order]
    arrival_s = packets.arrival_s[order]
    first = np.concatenate(([True], np.diff(timestamp) != 0))
    sequence, timestamp, arrival_s = sequence[first], timestamp[first], arrival_s[first]
    if len(sequence) < LEAST_PACKETS or (np.diff(timestamp) < 0).any():
        raise TraceError(
            f"timestamps in {name} do not follow its sequence numbers: give a capture of one stream"
        )
    rate_hz = _rate_hz(name, timestamp, packets.arrival_s)
    return sequence, (timestamp - timestamp[0]) / rate_hz, arrival_s - packets.arrival_s[0]


def _rate_hz(name: str, timestamp: NDArray[np.int64], arrival_s: NDArray[np.float64]) -> float:
    """Return the rate of the stream's clock, the known one that is nearest to what was seen."""
    lasts_s = float(arrival_s.max() - arrival_s.min())
    seen_hz = float(timestamp[-1] - timestamp[0]) / lasts_s if lasts_s > 0 else np.inf
    nearest_hz = float(_RATES_HZ[np.argmin(np.abs(np.log(_RATES_HZ / seen_hz)))])
    if abs(seen_hz / nearest_hz - 1) > _TOLERANCE:
        raise TraceError(
            f"timestamps in {name} grow by {seen_hz:.4g} a second, which no clock of RTP does: "
            "give more packets, and of one stream"
        )
    return nearest_hz


def _with_lost(
    name: str,
    sequence: NDArray[np.int64],
    sent_s: NDArray[np.float64],
    delay_s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times of sending and delays with the lost packets between, whose delays are NaN."""
    if np.diff(sequence).max() > _MOST_LOST:
        raise TraceError(
            f"{name} misses {np.diff(sequence).max() - 1} packets in a row: give a capture of one "
            "stream"
        )
    every = np.arange(sequence[0], sequence[-1] + 1)
    all_sent_s = np.interp(every, sequence, sent_s)
    all_delay_s = np.full(len(every), np.nan)
    all_delay_s[sequence - sequence[0]] = delay_s
    return all_sent_s, all_delay_s
