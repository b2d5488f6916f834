"""The live figures of sessions with changing networks and participants."""

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from jamlab.audio.card import VirtualCard
from jamlab.media.quality import Quality
from jamlab.mesh.figures import SENDS_NOTHING
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

    def __init__(self, delay_s, every_s, room=None):
        hosts = (HostConfig(name, LinkConfig(delay_s=delay_s / 2)) for name in ("ada", "ben"))
        self.net = Internet(Topology(tuple(hosts)))
        self.room, self.every_s = room or MemoryChannel(), every_s
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


def play(script, delay_s=0.0103, every_s=1.0, room=None):
    """Let a script do things to a pair that is connected; nothing may be left afterwards.

    The delay is no whole number of blocks, so no packet arrives in the instant of a callback.
    """

    async def main():
        pair = Pair(delay_s, every_s, room)
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_mute_of_a_minute_is_no_failure(caplog):
    """Ben's card stops, again and again: nobody is told of a failure, and nothing is replaced."""

    async def script(pair):
        card = pair.ben.card
        for muted_s in 60, 3, 3:
            card.stop()
            await asyncio.sleep(muted_s)
            card = VirtualCard(tone("ben"), block_frames=480)
            await pair.ben.service.initialize_local_audio(card)
            await asyncio.sleep(5)
        pair.concealed = pair.ada.service.playout("ben").counters.concealed_frames

    pair = play(script)
    assert {notice.kind for notice in pair.notices} <= {NoticeKind.JOINED}
    assert len({figures.connection for figures in pair.of_ben()}) == 1
    assert SENDS_NOTHING in {figures.unknown for figures in pair.of_ben()}
    shares = {figures.concealed_share for figures in pair.of_ben()}
    assert shares <= {None, 0.0}
    assert pair.concealed == 0
    assert caplog.records == []


class LeakyRoom(MemoryChannel):
    """A room that takes for gone whoever is `absent` and not heard, as the roster does."""

    def __init__(self):
        super().__init__()
        self.absent = set()

    async def join(self, peer_id):
        member = await super().join(peer_id)
        member.note_heard = self.note_heard
        return member

    def note_heard(self, peer_id, is_heard):
        if not is_heard and peer_id in self.absent & self.members:
            self.remove(self._members[peer_id])


def test_a_tab_that_closes_is_gone_and_nobody_retries():
    gone = []

    async def script(pair):
        pair.ada.on_departure(gone.append)
        pair.room.absent.add("ben")
        pair.net.lines["ben"].cut = True  # sockets and sound end without a word
        await asyncio.sleep(5)
        pair.left = pair.ada.members, pair.ada.service.peers

    pair = play(script, room=LeakyRoom())
    assert pair.left == (frozenset(), frozenset())
    assert gone == ["ben"]
    assert {notice.kind for notice in pair.notices} <= {NoticeKind.JOINED}


@pytest.mark.slow
def test_a_machine_that_sleeps_for_a_minute_is_told_of_once(caplog):
    """Its sockets answer nothing meanwhile, and the signalling service keeps it in the room."""

    async def script(pair):
        await asyncio.sleep(5.2)  # between two checks of the flow, which come twice a second
        pair.net.lines["ben"].cut = True
        await asyncio.sleep(60)
        pair.net.lines["ben"].cut = False
        pair.awake_s = asyncio.get_running_loop().time()
        await asyncio.sleep(20)

    pair = play(script)
    told = [notice.kind for notice in pair.notices]
    assert told == [
        NoticeKind.JOINED,
        NoticeKind.RETRYING,
        NoticeKind.NO_AUDIO,
        NoticeKind.RESTORED,
    ]
    assert pair.notices[-1].at_s < pair.awake_s + 1.0
    after = pair.of_ben(pair.awake_s + 5)
    assert len({figures.connection for figures in after}) == 1
    assert all(figures.one_way_s is not None for figures in after)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


@pytest.mark.slow
def test_a_connection_that_is_replaced_goes_on_under_another_number(caplog):
    async def script(pair):
        await asyncio.sleep(5)
        await pair.ada.service.close_peer("ben")
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


@pytest.mark.slow
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
