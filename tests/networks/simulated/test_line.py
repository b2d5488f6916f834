"""Simulated links: impairments, exempt packets, and changes during use."""

import asyncio

import numpy as np
import pytest

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.simulated.line import HANDSHAKE_BYTES, is_handshake
from jamlab.networks.simulated.loop import run_simulated
from tests.networks.simulated.internets import delay, internet, port

BOB = HostConfig("bob")


@pytest.mark.parametrize(
    ("first", "spared"),
    [(0, 0), (3, 0), (20, 1), (22, 1), (23, 0), (63, 1), (64, 0), (79, 0), (128, 0), (191, 0)],
)
def test_handshakes_are_told_by_their_first_byte(first, spared):
    """RFC 7983's table; 23 is DTLS application data."""
    spared = bool(spared)
    assert is_handshake(bytes([first]) + bytes(9)) is spared
    assert is_handshake(b"\x40\x01\x00\x0a" + bytes([first]) + bytes(9)) is spared
    assert not is_handshake(b"")
    assert not is_handshake(b"\x40\x01\x00\x00")


@pytest.mark.parametrize(("first", "alike"), [(22, True), (128, False)], ids=["DTLS", "RTP"])
def test_handshakes_take_equally_long_whatever_their_length(first, alike):
    """Their lengths are OpenSSL's, and not the same for the same seed."""

    async def main():
        slow = HostConfig("alice", LinkConfig(rate_bit_s=100_000))
        net = internet(slow, BOB)
        here, there = await port(net.host("alice")), await port(net.host("bob"))
        for at_s, length in enumerate((100, 700)):
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())
            here.send(bytes([first]) + bytes(length - 1), there.address)
        await asyncio.sleep(1)
        return [arrived_s - sent_s for sent_s, arrived_s in enumerate(there.times_s)]

    short_s, long_s = run_simulated(main())
    assert (long_s == pytest.approx(short_s)) is alike


def test_links_have_the_size_on_the_wire_and_are_told_what_to_spare(monkeypatch):
    """IPv4 and UDP add 20 and 8 bytes (RFC 791, RFC 768)."""
    told = []

    class Noting:
        memoryless = False

        def __init__(self, config, rng):
            pass

        def transit(self, size_bytes, now_s, spared=False):
            told.append((size_bytes, now_s, spared))
            return () if not spared else (now_s + 0.5, now_s + 0.25)

    monkeypatch.setattr("jamlab.networks.simulated.line.Link", Noting)

    async def main():
        net = internet(HostConfig("alice", LinkConfig(delay_s=1.0)), BOB)
        here, there = await port(net.host("alice")), await port(net.host("bob"))
        here.send(b"\x80" * 100, there.address)
        here.send(b"\x16" * 50, there.address)
        await asyncio.sleep(1)
        assert told == [(128, 0.0, False), (HANDSHAKE_BYTES + 28, 0.0, True)]
        assert net.lost == {"link": 1}
        assert there.times_s == [0.25, 0.5]  # a link may deliver twice, and out of order

    run_simulated(main())


@pytest.mark.parametrize("once", [False, True])
def test_a_trace_is_replayed_each_way_from_a_time_of_its_own(once):
    """Of a trace whose delays rise evenly, the first delay tells where its replay began."""
    trace = DelayTrace("rising", np.arange(1000) / 100, np.arange(1000) / 1000)
    every_s = 0.0371

    async def main():
        net = internet(HostConfig("alice", LinkConfig(trace=trace, trace_once=once)), BOB)
        here, there = await port(net.host("alice")), await port(net.host("bob"))
        for number in range(500):
            await asyncio.sleep(number * every_s - asyncio.get_running_loop().time())
            here.send(b"up", there.address)
            there.send(b"down", here.address)
        await asyncio.sleep(2)
        return np.array(there.times_s), np.array(here.times_s)

    up_s, down_s = run_simulated(main())
    sent_s = np.arange(500) * every_s
    assert abs(up_s[0] - down_s[0]) > 0.001
    if once:
        assert down_s == pytest.approx(sent_s)
    for came_s in (up_s,) if once else (up_s, down_s):
        began_s = 10 * came_s[0]
        assert came_s == pytest.approx(trace.arrivals_s(began_s + sent_s) - began_s, abs=1e-6)


@pytest.mark.parametrize("config", [LinkConfig(), delay(0.1), LinkConfig(jitter_s=0.01)])
def test_nothing_gets_through_a_cut_and_everything_after_it(config):
    async def main():
        net = internet(HostConfig("alice", config), BOB)
        here, there = await port(net.host("alice")), await port(net.host("bob"))
        for cut in True, False:
            net.lines["alice"].cut = cut
            here.send(bytes([cut]), there.address)
            there.send(bytes([cut]), here.address)
            await asyncio.sleep(1)
        assert [data for data, _ in here.received + there.received] == [b"\0", b"\0"]
        assert net.lost == {"cut": 2}

    run_simulated(main())


def test_a_line_can_become_another():
    async def main():
        net = internet(HostConfig("alice", delay(0.1)), BOB)
        here, there = await port(net.host("alice")), await port(net.host("bob"))
        here.send(b"under way", there.address)
        for config in delay(0.5), LinkConfig(loss=1.0), LinkConfig():
            net.lines["alice"].impair(config)
            here.send(b"x", there.address)
            await asyncio.sleep(1)
        assert there.times_s == [0.1, 0.5, 2.0]

    run_simulated(main())
