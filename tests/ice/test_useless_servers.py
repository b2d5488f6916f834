"""Reports on STUN and TURN servers that do and do not work, on the simulated internet."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.ice.useless_servers import ServerWatch, asked_servers
from jamlab.measure.acceptance.simulated_homes import at_home
from jamlab.measure.connectivity.call import open_servers
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.service import WebRTCAudioService
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


def described(ice, there):
    """Return what Ada's description looks like, with some servers there, and how long it takes."""

    async def main():
        async with at_home({"ada": HOME}, ACCESS, there) as world:
            with world.where("ada"):
                async with WebRTCAudioService(quality=CHEAP, ice=ice) as service:
                    await service.initialize_local_audio(Player("ada").card)
                    began_s = asyncio.get_running_loop().time()
                    sdp = (await service.create_offer("ben"))["sdp"]
                    return sdp, asyncio.get_running_loop().time() - began_s

    with simulated_world():
        return run_simulated(main(), seed=1)


def told_of(ice, there):
    told = Told()
    sdp, took_s = described(ice, there)
    told.watch.note(ice, sdp)
    return told.all, took_s


class TestDescriptions:
    def test_servers_that_answer_are_nothing_to_tell_of(self):
        told, took_s = told_of(BOTH, BOTH)
        assert told == []
        assert took_s < 1

    def test_one_that_does_not_is_named_and_costs_five_seconds(self):
        [told], took_s = told_of(BOTH, replace(BOTH, servers=(TURN,)))
        assert told.startswith("stun:stun.jamlab.test:3478 gives no address; `jamlab connectivity")
        assert 5 <= took_s < 6

    def test_several_are_one_sentence(self):
        [told], _ = told_of(BOTH, HOST_ONLY)
        assert f"{STUN.urls} gives no address, {TURN.urls} gives no relay; `jamlab" in told

    def test_one_that_refuses_us_is_of_no_use_either(self):
        mistyped = replace(BOTH, servers=(STUN, replace(TURN, credential="jan")))
        [told], took_s = told_of(mistyped, BOTH)
        assert told.startswith(f"{TURN.urls} gives no relay; ")
        assert "jan" not in told
        assert took_s < 1

    def test_who_wants_relayed_paths_only_does_not_miss_an_address(self):
        told, _ = told_of(BOTH.relayed(), BOTH)
        assert told == []

    def test_servers_that_are_ignored_are_not_asked(self):
        second = IceServer("stun:elsewhere.jamlab.test:3478")
        ice = replace(BOTH, servers=(STUN, second, TURN))
        told, _ = told_of(ice, BOTH)
        assert told == []

    def test_without_servers_nothing_is_missed(self):
        told, _ = told_of(HOST_ONLY, HOST_ONLY)
        assert told == []

    def test_where_there_is_no_ipv4_stun_is_not_asked(self):
        sdp = "a=candidate:1 1 udp 2130706431 2001:db8::1 5000 typ host\r\n"
        assert asked_servers(BOTH, sdp) == {TURN}


HOST = "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\n"
REFLEXIVE = "a=candidate:2 1 udp 1694498815 198.51.100.1 5000 typ srflx raddr 192.0.2.1 rport 5\r\n"
RELAYED = "a=candidate:3 1 udp 16777215 203.0.113.1 5000 typ relay raddr 192.0.2.1 rport 5\r\n"
ATTEMPTS = st.tuples(
    st.sampled_from([BOTH, BOTH.without_relay(), BOTH.relayed()]), st.booleans(), st.booleans()
)


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
        ice, stun, turn = attempt
        told.watch.note(ice, HOST + REFLEXIVE * stun + RELAYED * turn)
        seen = {"stun:": stun} if ice.policy == "all" else {}
        seen |= {"turn:": turn} if ice.has_turn else {}
        if any(seen.get(kind) for kind in known):
            useless.clear()
        useless |= {kind for kind, well in seen.items() if not well}
        if useless == known:
            assert told.all == []
        elif useless:
            [sentence] = told.all
            assert {kind for kind in ("stun:", "turn:") if kind in sentence} == useless
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
            assert NoticeKind.SERVERS_USELESS in {notice.kind for notice in ada.board.warnings}
            await open_servers(world.internet, replace(BOTH, servers=(STUN,)), stack)
            await ada.service.close_peer("ben")
            await until(lambda: not ada.board.warnings)

        useless, back = self.play(replace(BOTH, servers=(TURN,)), script)
        assert useless.kind is NoticeKind.SERVERS_USELESS
        assert useless.text == "A STUN or TURN server does not work, connecting may take longer"
        assert useless.hint.startswith(f"{STUN.urls} gives no address")
        assert back.kind is NoticeKind.SERVERS_BACK

    def test_where_none_answers_either_two_without_nats_connect_at_the_first_attempt(self):
        """Each waits for its servers by itself, the answerer after the offerer, and its offer."""

        async def script(_world, _stack, ada, _ben):
            assert 10 < asyncio.get_running_loop().time() < 14
            assert not [notice for notice in ada.board.warnings if notice.peer_id]

        for ice in BOTH, BOTH.without_relay():
            [told] = self.play(HOST_ONLY, script, OPEN, ice)
            assert told.kind is NoticeKind.SERVERS_USELESS

    @pytest.mark.parametrize("cut_s", [4.0, 60.0])
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
            back = [notice.kind for notice in told].count(NoticeKind.RESTORED)
            assert back == len(
                sessions
            )  # and no connection that plays is replaced for a late offer

        self.play(BOTH, script)
