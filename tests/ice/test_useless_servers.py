"""Reports on STUN and TURN servers that do and do not work, on the simulated internet."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.ice.useless_servers import ServerWatch
from jamlab.measure.acceptance.simulated_homes import at_home
from jamlab.measure.connectivity.call import open_servers
from jamlab.media.agent.gathering import REPORT_S
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED
from jamlab.networks.model.place import Place
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until
from tests.mesh.jam import CHEAP, Player

STUN = IceServer("stun:stun.jamlab.test:3478")
TURN = IceServer("turn:turn.jamlab.test:3478?transport=udp", "jam", "jam")
BOTH = IceConfiguration("both", (STUN, TURN))
ACCESS = LinkConfig(delay_s=0.010)
HOME = Place("home", ((PORT_RESTRICTED,),))
OPEN = Place("open", ())


class Told:
    """What a watch tells."""

    def __init__(self):
        self.all = []
        self.watch = ServerWatch(
            self.all.append, lambda: self.all.append("over"), lambda: self.all.append("unknown")
        )


def test_several_are_one_sentence_that_says_what_to_do():
    told = Told()
    told.watch.note(frozenset({STUN, TURN}), frozenset({STUN, TURN}))
    [sentence] = told.all
    assert sentence.startswith(f"{STUN.urls} gives no address, {TURN.urls} gives no relay; `jamlab")
    assert "jam:" not in sentence


SERVERS = st.sets(st.sampled_from([STUN, TURN]))
ATTEMPTS = st.tuples(SERVERS, SERVERS).map(lambda sets: (sets[0], sets[0] & sets[1]))


@given(st.lists(st.one_of(ATTEMPTS, st.none())))
def test_what_is_told_is_what_the_latest_answers_leave_known(attempts):
    """Of each server what was last seen; once one that failed answers, of the others nothing."""
    told = Told()
    useless = set()
    for attempt in attempts:
        known = set(useless)
        told.all.clear()
        if attempt is None:
            useless.clear()
            told.watch.forget()
            assert told.all == (["unknown"] if known else [])
            continue
        asked, without = attempt
        told.watch.note(frozenset(asked), frozenset(without))
        if known & (asked - without):
            useless.clear()
        useless |= without
        if useless == known:
            assert told.all == []
        elif useless:
            [sentence] = told.all
            assert {server for server in (STUN, TURN) if server.urls in sentence} == useless
        else:
            assert told.all == ["over"]


class TestInASession:
    """Two sessions whose STUN server comes late."""

    def play(self, there, script, where=HOME, ice=BOTH):
        async def main():
            async with AsyncExitStack() as stack:
                homes = {"ada": where, "ben": where}
                world = await stack.enter_async_context(at_home(homes, ACCESS, there))
                room, notices = MemoryChannel(), []

                def session(name):
                    return JamSession(
                        "room",
                        name,
                        signaling=lambda _: room,
                        card=Player(name).card,
                        quality=CHEAP,
                        ice=ice,
                        rng=random.Random(name),
                    )

                ada, ben = session("ada"), session("ben")
                ada.on_notice(notices.append)
                for each in ada, ben:
                    with world.where(each.name):
                        await stack.enter_async_context(each)
                await ada.wait_connected(60, "ben")
                await script(world, stack, ada, ben)
                return [notice for notice in notices if "server" in notice.kind]

        with simulated_world():
            return run_simulated(main(), seed=1)

    def test_nothing_is_told_of_servers_that_answer(self):
        async def script(*_):
            await asyncio.sleep(1)

        assert self.play(BOTH, script) == []

    def test_a_dead_one_is_told_once_and_when_it_answers(self):
        async def script(world, stack, ada, _ben):
            await asyncio.sleep(REPORT_S)
            assert NoticeKind.SERVERS_USELESS in {notice.kind for notice in ada.board.warnings}
            await open_servers(world.internet, replace(BOTH, servers=(STUN,)), stack)
            await ada.service.close_peer("ben")
            await until(lambda: not ada.board.warnings)

        useless, back = self.play(replace(BOTH, servers=(TURN,)), script)
        assert useless.kind is NoticeKind.SERVERS_USELESS
        assert useless.text == ("A STUN or TURN server does not work, some connections may fail")
        assert useless.hint.startswith(f"{STUN.urls} gives no address")
        assert back.kind is NoticeKind.SERVERS_BACK

    def test_where_none_answers_two_without_nats_connect_at_once(self):
        async def script(_world, _stack, ada, _ben):
            assert asyncio.get_running_loop().time() < 1
            await asyncio.sleep(REPORT_S)
            assert not [notice for notice in ada.board.warnings if notice.peer_id]

        for ice in BOTH, replace(BOTH, servers=(STUN,)):
            [told] = self.play(HOST_ONLY, script, OPEN, ice)
            assert told.kind is NoticeKind.SERVERS_USELESS

    @pytest.mark.parametrize("cut_s", [4.0, 60.0])
    @pytest.mark.slow
    def test_after_a_cut_of_our_own_no_server_is_blamed_for_good(self, cut_s):
        async def script(world, _, *sessions):
            told = []
            for session in sessions:
                session.on_notice(told.append)
            lines = [line for name, line in world.internet.lines.items() if "ada" in name]
            for cut in True, False:
                for line in lines:
                    line.cut = cut
                await asyncio.sleep(cut_s if cut else 60)
            for session in sessions:
                assert session.board.warnings == ()
                await session.wait_connected(1, *session.members)
            kinds = [notice.kind for notice in told]
            # and no connection that plays is replaced for a late offer
            assert kinds.count(NoticeKind.RESTORED) == kinds.count(NoticeKind.RETRYING) > 0

        self.play(BOTH, script)
