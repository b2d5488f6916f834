"""How two sessions connect on the simulated internet: at once, by the best path, come what may."""

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from jamlab.audio.card import VirtualCard
from jamlab.measure.acceptance.simulated_homes import at_home
from jamlab.media.quality import Quality
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.networks.model.nat_behaviour import FULL_CONE, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.profile import profile_named
from jamlab.networks.model.topology import host_name
from jamlab.networks.simulated.firewall import Firewall
from jamlab.signaling.memory import MemoryChannel
from tests.media.agent.meeting import ALL, HOME, OFFICE, OPEN, TOUGH, simulated

FRAMES = Quality("frames of 20 ms", 48_000, 960, "restricted_lowdelay")
ACCESS = profile_named("same country").access()


class Pair:
    """Two sessions, what they were told, and when each heard the other first."""

    def __init__(self, world, sessions):
        self.world, self.sessions = world, sessions
        self.told = []
        for session in sessions:
            session.on_notice(lambda notice: self.told.append(notice.kind))
        self.began_s = asyncio.get_running_loop().time()

    @property
    def playouts(self):
        peers = [(session, *session.service.peers) for session in self.sessions]
        return [s.service.playout(peer[0]) if peer else None for s, *peer in peers]

    @property
    def hear(self):
        return all(playout and playout.counters.decoded for playout in self.playouts)

    async def heard_s(self, within_s=10.0):
        """Return the time until both hear each other."""
        async with asyncio.timeout(within_s):
            while not self.hear:  # noqa: ASYNC110 (packets have no event)
                await asyncio.sleep(0.005)
        return asyncio.get_running_loop().time() - self.began_s

    async def routes(self):
        readings = [await session.service.read(1.0) for session in self.sessions]
        return {"relay" if "relay" in each[0].candidates else "direct" for each in readings}

    @property
    def concealed(self):
        return sum(playout.counters.concealed_frames for playout in self.playouts)


@asynccontextmanager
async def pair(
    one, other, ice=ALL, there=ALL, room=None, access=ACCESS, spoil=lambda _: None, mapper=None
):
    """Let two sessions join on the simulated internet; `spoil` makes something of it faulty."""
    async with (
        at_home({"ada": one, "ben": other}, access, there) as world,
        AsyncExitStack() as stack,
    ):
        spoil(world)
        room = room or MemoryChannel()
        sessions = [
            JamSession(
                "room",
                name,
                signaling=lambda _: room,
                card=VirtualCard(block_frames=960),
                quality=FRAMES,
                ice=ice,
                rng=random.Random(name),
                mapper=mapper,
            )
            for name in ("ada", "ben")
        ]
        made = Pair(world, sessions)
        for session in sessions:
            with world.where(session.name):
                await stack.enter_async_context(session)
        yield made


def trouble(told):
    return set(told) - {NoticeKind.JOINED, NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY}


@pytest.mark.parametrize("other", [HOME, TOUGH, OFFICE, OPEN], ids=lambda place: place.name)
@pytest.mark.parametrize("one", [HOME, OFFICE], ids=lambda place: place.name)
def test_they_hear_each_other_within_a_second_and_nobody_is_told_of_a_failure(one, other):
    @simulated
    async def main():
        async with pair(one, other) as both:
            assert await both.heard_s() < 1.0
            await asyncio.sleep(4.0)
            assert trouble(both.told) == set()

    main()


@simulated
async def test_of_a_relay_that_stays_users_are_told():
    async with pair(TOUGH, TOUGH) as both:
        assert await both.heard_s() < 1.0
        await asyncio.sleep(8.0)
        assert await both.routes() == {"relay"}
        assert both.told.count(NoticeKind.RELAYING) == 2


def unblock(world):
    """Let UDP through firewalls that remember what passed them."""
    for boxes in world.internet.boxes.values():
        for box in boxes:
            if isinstance(box, Firewall):
                box.firewall_type = FirewallType()


@pytest.mark.slow
@simulated
async def test_from_the_relay_to_the_direct_path_no_frame_is_concealed():
    blocked = Place("blocked", ((FirewallType(udp_blocked=True), FULL_CONE),))
    async with pair(blocked, HOME, access=replace(ACCESS, loss=0.0, jitter_s=0.0)) as both:
        await both.heard_s()
        await asyncio.sleep(6.0)
        assert await both.routes() == {"relay"}
        before = both.concealed
        unblock(both.world)
        await asyncio.sleep(20.0)
        assert await both.routes() == {"direct"}
        assert both.concealed == before
        assert both.told.count(NoticeKind.RESTORED) == 2


@pytest.mark.slow
@pytest.mark.parametrize("other", [HOME, TOUGH, OPEN], ids=lambda place: place.name)
def test_after_a_change_of_networks_sound_is_back_within_a_second(other):
    @simulated
    async def main():
        async with pair(HOME, other) as both:
            await both.heard_s()
            await asyncio.sleep(5.0)
            both.world.internet.readdress(host_name("ada"))
            await asyncio.sleep(1.2)  # 0.2 s for what is under way and for the playout's delay
            counts = [playout.counters.received for playout in both.playouts]
            await asyncio.sleep(1.0)
            now = [playout.counters.received for playout in both.playouts]
            assert all(later - before >= 48 for later, before in zip(now, counts, strict=True))
            assert trouble(both.told) <= {NoticeKind.RELAYING}

    main()


async def receive_on(both):
    """Wait a second, and return whether both ends got the frames of a second."""
    counts = [playout.counters.received for playout in both.playouts]
    await asyncio.sleep(1.0)
    now = [playout.counters.received for playout in both.playouts]
    return all(later - before >= 48 for later, before in zip(now, counts, strict=True))


BOTH = [(HOME, HOME), (TOUGH, TOUGH), (OFFICE, HOME)]


@pytest.mark.slow
@pytest.mark.parametrize("places", BOTH, ids=lambda places: places[0].name)
def test_after_both_change_networks_sound_is_back_within_a_second(places):
    @simulated
    async def main():
        async with pair(*places) as both:
            await both.heard_s()
            await asyncio.sleep(6.0)
            for name in "ada", "ben":
                both.world.internet.readdress(host_name(name))
            await asyncio.sleep(1.2)  # 0.2 s for what is under way and for the playout's delay
            assert await receive_on(both)
            assert NoticeKind.RETRYING not in both.told

    main()


@pytest.mark.slow
@pytest.mark.parametrize("places", BOTH, ids=lambda places: places[0].name)
def test_a_second_after_a_late_new_address_sound_is_back(places):
    """As from Wi-Fi to mobile: nothing at all for some seconds, then another address."""

    @simulated
    async def main():
        async with pair(*places) as both:
            await both.heard_s()
            await asyncio.sleep(6.0)
            line = both.world.internet.lines[f"{host_name('ada')}-network-1"]
            line.cut = True
            await asyncio.sleep(3.0)
            line.cut = False
            both.world.internet.readdress(host_name("ada"))
            await asyncio.sleep(1.2)
            assert await receive_on(both)

    main()
