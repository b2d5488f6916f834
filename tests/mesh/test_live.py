"""The live figures of sessions with changing networks and participants."""

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from jamlab.audio.card import VirtualCard
from jamlab.media.quality import Quality
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until
from tests.mesh.chaos import Jam, open_world
from tests.mesh.jam import Member, tone

SHORT = Quality("short", 64_000, 480, "audio")
"""Ten milliseconds a packet: few enough for a slow core, short enough not to be a high latency."""
LATENCIES = (NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY)


class Pair:
    """Ada and Ben on the simulated internet."""

    def __init__(self, delay_s, every_s):
        hosts = (HostConfig(name, LinkConfig(delay_s=delay_s / 2)) for name in ("ada", "ben"))
        self.net = Internet(Topology(tuple(hosts)))
        self.room, self.every_s = MemoryChannel(), every_s
        self.ada, self.ben = self.session("ada"), self.session("ben")
        self.notices = []
        self.ada.on_notice(self.notices.append)

    def session(self, name):
        return JamSession(
            "room",
            name,
            signaling=lambda _: self.room,
            card=VirtualCard(tone(name), block_frames=480),
            quality=SHORT,
            rng=random.Random(name),
            figures_every_s=self.every_s,
        )

    @asynccontextmanager
    async def there(self, session):
        async with AsyncExitStack() as stack:
            with self.net.host(session.name):
                await stack.enter_async_context(session)
            yield session

    def of_ben(self, since_s=0.0):
        """The figures Ada has of Ben."""
        return [f for f in self.ada.figures if f.peer_id == "ben" and f.at_s > since_s]

    def told(self):
        return [n.kind for n in self.notices if n.kind in LATENCIES and n.peer_id == "ben"]


def play(script, delay_s=0.010, every_s=1.0):
    """Let a script do things to a pair that is connected; nothing may be left afterwards."""

    async def main():
        pair = Pair(delay_s, every_s)
        async with pair.there(pair.ada), pair.there(pair.ben):
            await pair.ada.wait_connected(20, "ben")
            await script(pair)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"still running: {left}"
        return pair

    with simulated_world():
        return run_simulated(main(), seed=1)


def test_a_listener_hears_what_the_session_keeps():
    heard = []

    async def script(pair):
        stop = pair.ada.on_figures(heard.append)
        await asyncio.sleep(5)
        stop()
        await asyncio.sleep(3)

    pair = play(script)
    assert 4 <= len(heard) <= 6
    assert tuple(heard) == pair.ada.figures[: len(heard)]
    assert len(pair.ada.figures) > len(heard)


def test_before_rtcp_was_there_and_back_the_latency_is_not_known():
    async def script(_pair):
        await asyncio.sleep(8)

    figures = play(script, every_s=0.2).of_ben()
    known = [entry.one_way_s is not None for entry in figures]
    assert known == sorted(known)
    assert known[-1]
    assert not known[0]
    assert figures[0].loss_share is None
    assert all(entry.network_s is None for entry, k in zip(figures, known, strict=True) if not k)


def test_a_high_latency_is_told_and_that_it_is_over():
    async def script(pair):
        await asyncio.sleep(10)
        assert pair.told() == [NoticeKind.HIGH_LATENCY]
        for line in pair.net.lines.values():
            line.impair(LinkConfig(delay_s=0.005))
        await asyncio.sleep(60)

    pair = play(script, delay_s=0.150)
    assert pair.told() == [*LATENCIES]
    high, normal = (notice for notice in pair.notices if notice.kind in LATENCIES)
    assert high.text == "High latency detected, audio may be delayed"
    assert all(f.one_way_s < 0.090 for f in pair.of_ben(normal.at_s - 5))


def test_a_latency_as_it_should_be_is_not_told_of():
    async def script(_pair):
        await asyncio.sleep(20)

    pair = play(script)
    assert pair.told() == []
    assert all(f.one_way_s < 0.070 for f in pair.of_ben() if f.one_way_s is not None)


def test_who_falls_silent_has_figures_without_a_latency(caplog):
    async def script(pair):
        await asyncio.sleep(5)
        pair.net.lines["ben"].cut = True
        pair.cut_s = asyncio.get_running_loop().time()
        await asyncio.sleep(4)
        pair.net.lines["ben"].cut = False

    pair = play(script)
    silent = pair.of_ben(pair.cut_s + 1.5)
    assert len(silent) >= 2
    assert all(entry.one_way_s is entry.playout_s is None for entry in silent)
    assert all(entry.received_bit_s == 0 for entry in silent)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


def test_a_connection_that_is_replaced_goes_on_under_another_number(caplog):
    async def script(pair):
        await asyncio.sleep(5)
        pair.net.readdress("ben")
        await asyncio.sleep(30)

    pair = play(script)
    figures = pair.of_ben()
    numbers = [entry.connection for entry in figures]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]
    assert figures[-1].one_way_s is not None
    for entry, before in zip(figures[1:], figures, strict=False):
        if entry.connection != before.connection:
            assert entry.loss_share is entry.sent_bit_s is None
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


def test_who_leaves_has_no_more_figures_and_who_returns_has_again():
    async def script(pair):
        await asyncio.sleep(5)
        await pair.ben.leave()
        left_s = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        assert pair.of_ben(left_s) == []
        async with pair.there(pair.session("ben")):
            await asyncio.sleep(8)
            assert pair.of_ben()[-1].one_way_s is not None

    play(script)


def test_routes_are_those_the_nats_leave():
    """Dan's NAT is symmetric: only Ben's full cone lets him in, to the others he is relayed."""

    async def main():
        jam = Jam(1)
        async with open_world(jam):
            await jam.all_hear_all(60)
            await asyncio.sleep(3)
            return {
                name: {f.peer_id: f for f in player.session.figures}
                for name, player in jam.players.items()
            }

    with simulated_world():
        latest = run_simulated(main(), seed=1)
    for name, of in latest.items():
        for other, figures in of.items():
            relayed = {name, other} in ({"ada", "dan"}, {"cleo", "dan"})
            assert (figures.route == "relay") is relayed, f"{name} to {other}: {figures.route}"
            if not relayed:
                assert figures.local_candidate == "host"  # aioice sends from where it listens
                assert figures.remote_candidate in ("srflx", "prflx")
            ends = {figures.route, latest[other][name].route}
            assert ends == {"relay"} if relayed else "relay" not in ends


@pytest.mark.usefixtures("nothing_left")
async def test_on_real_sockets_figures_come_and_leave_nothing():
    channel = MemoryChannel()
    ada, ben = (Member(name, channel, figures_every_s=0.1) for name in ("ada", "ben"))
    async with ada.session, ben.session:
        await until(lambda: any(f.one_way_s is not None for f in ada.session.figures))
    last = ada.session.figures[-1]
    assert (last.peer_id, last.route) == ("ben", "host")
    assert len(ada.session.figures) == len({f.at_s for f in ada.session.figures})
