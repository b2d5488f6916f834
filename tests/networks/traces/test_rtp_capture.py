"""Captures with known delays, in every format."""

import itertools
import random

import numpy as np
import pytest

from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.traces.reading import trace_in
from jamlab.networks.traces.rtp_capture import read_capture
from tests.networks.traces.captures import (
    ETHERNET,
    RAW,
    ethernet,
    ipv4,
    ipv6,
    pcap,
    pcapng,
    rtp,
    udp,
)

BEGAN_NS = 1_700_000_000 * 10**9
EVERY_MS = 10


def stream(n=400, ssrc=0x1234, lost=(), rate_hz=48_000, seed=1, wrap=65_500, drift=0.0):
    """Return frames' times and RTP packets, and the delays in ms that they had."""
    rng = random.Random(seed)
    delays_ms = [rng.choice((0, 1, 2, 7)) for _ in range(n)]
    delays_ms[5] = 0
    sent = [
        (
            BEGAN_NS + round((k * EVERY_MS * (1 + drift) + delays_ms[k] + 20) * 1e6),
            rtp(wrap + k, 2**32 - 1000 + k * rate_hz * EVERY_MS // 1000, ssrc),
        )
        for k in range(n)
        if k not in lost
    ]
    return sorted(sent), delays_ms


def framed(packets, wrap=lambda packet: ethernet(ipv4(udp(packet)))):
    return [(time_ns, wrap(packet)) for time_ns, packet in packets]


class TestReadCapture:
    @pytest.mark.parametrize(
        ("write", "order", "nanoseconds"),
        list(itertools.product((pcap, pcapng), "<>", (False, True))),
    )
    def test_reads_every_format(self, write, order, nanoseconds):
        packets, delays_ms = stream()
        data = write(framed(packets), ETHERNET, order, nanoseconds)
        trace = trace_in(data, "call.pcap")
        assert trace.delay_s * 1000 == pytest.approx(delays_ms, abs=2e-3)
        assert trace.sent_s * 1000 == pytest.approx(np.arange(400) * EVERY_MS)
        assert not trace.absolute

    @pytest.mark.parametrize(
        ("link_type", "wrap"),
        [
            (ETHERNET, lambda packet: ethernet(ipv6(udp(packet)))),
            (ETHERNET, lambda packet: ethernet(ipv4(udp(packet)), vlan=True)),
            (RAW, lambda packet: ipv4(udp(packet))),
            (0, lambda packet: bytes(4) + ipv6(udp(packet))),
            (113, lambda packet: bytes(16) + ipv4(udp(packet))),
            (276, lambda packet: bytes(20) + ipv4(udp(packet))),
            (ETHERNET, lambda packet: ethernet(ipv4(udp(b"\x40\1\0\x48" + packet)))),
        ],
    )
    def test_reads_every_way_to_wrap_a_packet(self, link_type, wrap):
        packets, delays_ms = stream()
        trace = read_capture(pcap(framed(packets, wrap), link_type), "call")
        assert trace.delay_s * 1000 == pytest.approx(delays_ms, abs=2e-3)

    def test_lost_packets_are_told_by_their_numbers(self):
        packets, delays_ms = stream(lost=(20, 21, 300))
        trace = read_capture(pcap(framed(packets)), "call")
        assert np.flatnonzero(~trace.received).tolist() == [20, 21, 300]
        assert trace.delay_s[trace.received] * 1000 == pytest.approx(
            [delay for k, delay in enumerate(delays_ms) if k not in (20, 21, 300)], abs=2e-3
        )

    def test_takes_the_stream_with_most_packets_or_the_named_one(self):
        larger, smaller = stream(n=400), stream(n=300, ssrc=0x99, seed=2)
        both = pcap(framed(sorted(larger[0] + smaller[0])))
        assert len(read_capture(both, "call").sent_s) == 400
        for name in ("0x99", "153"):
            assert read_capture(both, "call", name).delay_s * 1000 == pytest.approx(
                smaller[1], abs=2e-3
            )

    def test_removes_the_drift_of_the_clocks(self):
        packets, delays_ms = stream(n=4000, drift=80e-6)
        trace = read_capture(pcap(framed(packets)), "call")
        assert trace.delay_s * 1000 == pytest.approx(delays_ms, abs=0.1)
        assert "80 ppm" in trace.notes[-1]

    @pytest.mark.parametrize("rate_hz", [8_000, 48_000, 90_000])
    def test_knows_the_rate_of_the_timestamps(self, rate_hz):
        packets, delays_ms = stream(rate_hz=rate_hz)
        trace = read_capture(pcap(framed(packets)), "call")
        assert trace.delay_s * 1000 == pytest.approx(delays_ms, abs=2e-3)

    @pytest.mark.parametrize(
        ("packets", "stream_name", "words"),
        [
            ([], None, "no RTP over UDP"),
            (stream()[0][:5], None, "5 packets of the stream: give 10 or more"),
            (stream()[0], "0x77", "no RTP stream 0x77: choose 0x1234"),
            (stream()[0], "Alice", "'Alice' is no SSRC"),
            (stream(rate_hz=60_000)[0], None, "no clock of RTP"),
            (stream(n=20)[0] + stream(n=20, wrap=30_000)[0], None, "timestamps in"),
        ],
    )
    def test_says_what_is_wrong(self, packets, stream_name, words):
        with pytest.raises(TraceError, match=words):
            read_capture(pcap(framed(packets)), "call", stream_name)

    def test_reads_a_capture_that_is_cut_short(self):
        packets, _ = stream()
        for write in (pcap, pcapng):
            assert len(read_capture(write(framed(packets))[:-30], "call").sent_s) == 399
