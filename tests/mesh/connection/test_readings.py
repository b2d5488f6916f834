"""Readings of real connections against the counters of their parts."""

import asyncio
import datetime
import time
from collections import deque

import hypothesis.strategies as st
import pytest
from aiortc import (
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
    RTCTransportStats,
)
from hypothesis import given

from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.mesh.connection.readings import RtcpReading, StreamReading, latest
from jamlab.mesh.figures import STAGES, PeerMeter
from tests.leaks import DEADLINE_S, until
from tests.mesh.jam import BLOCK, CHEAP, connect, ends, plays_on

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
STREAM = {"timestamp": NOW, "ssrc": 7, "kind": "audio", "transportId": "t"}
INBOUND = RTCInboundRtpStreamStats(
    type="inbound-rtp", id="in", packetsReceived=900, packetsLost=12, jitter=99, **STREAM
)
REMOTE = RTCRemoteInboundRtpStreamStats(
    type="remote-inbound-rtp",
    id="remote",
    packetsReceived=5,
    packetsLost=6,
    jitter=99,
    roundTripTime=0.034,
    fractionLost=8,
    **STREAM,
)
OUTBOUND = RTCOutboundRtpStreamStats(
    type="outbound-rtp", id="out", packetsSent=3, bytesSent=4, trackId="x", **STREAM
)
TRANSPORT = RTCTransportStats(
    timestamp=NOW,
    type="transport",
    id="t",
    packetsSent=1,
    packetsReceived=2,
    bytesSent=30_000,
    bytesReceived=40_000,
    iceRole="controlling",
    dtlsState="connected",
)


def report(*entries):
    made = RTCStatsReport()
    for entry in entries:
        made.add(entry)
    return made


class TestRtcp:
    def test_each_figure_is_of_its_own_entry(self):
        read = RtcpReading.of(report(OUTBOUND, REMOTE, TRANSPORT, INBOUND))
        assert read == RtcpReading(0.034, 900, 12, 30_000, 40_000)

    def test_before_there_are_any(self):
        assert RtcpReading.of(report()) == RtcpReading(None, 0, 0, 0, 0)

    def test_before_rtcp_came_back(self):
        read = RtcpReading.of(report(OUTBOUND, TRANSPORT, INBOUND))
        assert read == RtcpReading(None, 900, 12, 30_000, 40_000)


class TestHistory:
    @given(st.lists(st.floats(0, 10)), st.floats(0, 10))
    def test_the_latest_are_those_since(self, times, since_s):
        items = deque(sorted(times))
        found = latest(items, since_s, lambda item: item)
        assert found == [item for item in items if item >= since_s]

    def test_an_old_one_out_of_order_is_where_it_ends(self):
        assert latest([1, 9, 2, 8, 9], 5, lambda item: item) == [8, 9]


class Codec:
    def decode(self, payload):
        raise AssertionError("nothing to decode")

    def conceal(self, frames):
        raise AssertionError("nothing to conceal")


def test_a_stream_without_packets():
    playout = Playout(Codec(), rate=FollowedRate(lambda: 0.0))
    assert StreamReading.of(playout, None, 480, 0.0) == StreamReading(0, 0, None, None)


@pytest.mark.usefixtures("nothing_left")
class TestConnections:
    async def test_a_service_without_a_card_has_none(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await ada.service.close()
            assert await ada.service.read(1.0) == []
        assert await ben.service.read(1.0) == []

    async def test_a_connection_that_is_not_made_yet(self):
        async with ends("ada", "ben") as (ada, _):
            await ada.service.create_offer("ben")
            (reading,) = await ada.service.read(1.0)
        assert (reading.peer_id, reading.candidates) == ("ben", None)
        assert reading.rtcp == RtcpReading(None, 0, 0, 0, 0)
        assert reading.stream == StreamReading(0, 0, None, None)

    async def test_what_its_parts_say(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await plays_on(ada, "ben")
            before_s = asyncio.get_running_loop().time()
            counters = ada.service.playout("ben").counters
            received = counters.received
            (reading,) = await ada.service.read(1.0)
            assert before_s <= reading.at_s <= asyncio.get_running_loop().time()
            assert (reading.peer_id, reading.connection) == ("ben", 1)
            assert reading.candidates == ("host", "host")
            assert received <= reading.rtcp.packets_received <= counters.received
            assert CHEAP.frame_frames <= reading.stream.played_frames <= counters.played_frames
            assert reading.stream.frame_frames == CHEAP.frame_frames
            # so much at least, between two callbacks of a card of two blocks of 10 ms
            assert reading.stream.waits.playout_s > -BLOCK / 48_000
            assert BLOCK <= reading.stream.waits.card_s * 48_000 < 2 * BLOCK

    async def test_what_is_sent_arrives(self):
        """Nothing is lost on the loopback: who has stopped sending has sent what was received."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await plays_on(ada, "ben")
            await plays_on(ben, "ada")

            async def sent_and_received():
                (near,), (far,) = [await end.service.read(1.0) for end in (ada, ben)]
                return near.rtcp.bytes_sent, far.rtcp.bytes_received

            for _ in range(1000):
                sent, received = await sent_and_received()
                if sent == received > 0:
                    break
                await asyncio.sleep(0.01)
            assert sent == received > 0

    async def test_a_round_trip_is_known_when_rtcp_was_there_and_back(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            (reading,) = await ada.service.read(1.0)
            assert reading.rtcp.round_trip_s is None
            async with asyncio.timeout(DEADLINE_S):
                while reading.rtcp.round_trip_s is None:
                    await asyncio.sleep(0.05)
                    (reading,) = await ada.service.read(1.0)
        assert reading.rtcp.round_trip_s > -1e-3

    @pytest.mark.slow
    async def test_a_loop_that_stands_still_makes_no_figure_that_cannot_be(self):
        """Both ends and all that is between share the loop, as in a notebook's kernel."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await plays_on(ada, "ben")
            meter, taken = PeerMeter(), []
            for _ in range(8):
                time.sleep(0.4)  # noqa: ASYNC251
                await asyncio.sleep(0.05)
                (reading,) = await ada.service.read(1.0)
                taken.append(meter.read(reading))
        for figures in taken:
            stages = [getattr(figures, f"{stage}_s") for stage in STAGES]
            assert min(stage for stage in stages if stage is not None) >= 0
        for figures in taken:
            assert (figures.one_way_s is None) == bool(figures.unknown)

    async def test_a_stream_that_has_ended_leaves_the_rest(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await plays_on(ada, "ben")
            await ben.service.close()
            await until(lambda: ada.service.playout("ben") is None if ada.service.peers else True)
            for reading in await ada.service.read(1.0):
                assert reading.stream == StreamReading(0, 0, None, None)
