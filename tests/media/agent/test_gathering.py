"""Gathering from all servers at once, on the simulated internet."""

import asyncio
from dataclasses import replace

import pytest
from aioice import Connection

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.media.agent.agent import IceAgent
from jamlab.media.agent.gathering import REPORT_S, SERVER_S, Gathering
from jamlab.media.agent.sockets import Socket
from tests.media.agent.meeting import (
    ALL,
    HOME,
    OFFICE,
    OPEN,
    STUN,
    TURN,
    TURN_TCP,
    join,
    meeting,
    simulated,
)

DEAD = tuple(IceServer(f"stun:dead-{n}.jamlab.test:3478") for n in range(8)) + tuple(
    IceServer(f"turn:203.0.113.{n}:3478?transport={over}", "jam", "jam")
    for n in range(1, 6)
    for over in ("udp", "tcp")
)


async def gathered(place=HOME, ice=ALL, there=ALL, for_s=1.0):
    """Return one end some time after it has begun, and how long the beginning took."""
    async with meeting(place, OPEN, ice=ice, there=there) as (world, one, _):
        began_s = asyncio.get_running_loop().time()
        with world.where("one"):
            await one.agent.gather_candidates()
        took_s = asyncio.get_running_loop().time() - began_s
        await asyncio.sleep(for_s)
        return one, took_s


def kinds(end):
    return [candidate.type for candidate in end.candidates]


@simulated
async def test_the_host_candidate_is_there_at_once_and_the_others_as_they_come():
    one, took_s = await gathered()
    assert took_s == 0
    assert kinds(one) == ["host", "srflx", "relay", "relay"]
    assert one.servers == (frozenset(ALL.servers), frozenset())
    assert one.ended


@simulated
async def test_what_aioice_alone_gathers_is_among_it():
    async with meeting(HOME, OPEN) as (world, *_):
        with world.where("one"):
            stock = Connection(True, **ALL.connection_arguments())
            await stock.gather_candidates()
        there = {(c.type, c.host, c.foundation, c.related_address) for c in stock.local_candidates}
        await stock.close()
    one, _ = await gathered()
    assert there <= {(c.type, c.host, c.foundation, c.related_address) for c in one.candidates}


@simulated
async def test_a_relay_over_tcp_ranks_below_one_over_udp():
    one, _ = await gathered()
    host, reflexive, *relays = [candidate.priority for candidate in one.candidates]
    assert host > reflexive > relays[0] > relays[1]
    one, _ = await gathered(ice=replace(ALL, servers=(TURN_TCP, TURN)))
    by_transport = {c.host: c.priority for c in one.candidates if c.type == "relay"}
    assert len({*by_transport}) == 1


@simulated
async def test_without_a_nat_the_reflexive_candidate_is_redundant():
    """RFC 8445 section 5.1.3."""
    one, _ = await gathered(place=OPEN, ice=IceConfiguration("stun", (STUN,)))
    assert kinds(one) == ["host"]
    assert one.servers == (frozenset({STUN}), frozenset())


@simulated
async def test_servers_that_are_silent_are_reported_after_a_while_and_hold_up_nothing():
    one, took_s = await gathered(ice=replace(ALL, servers=(*DEAD, *ALL.servers)))
    assert took_s == 0
    assert kinds(one) == ["host", "srflx", "relay", "relay"]
    assert one.servers is None
    assert not one.ended


@simulated
async def test_in_the_end_it_is_known_which_were_of_use():
    ice = replace(ALL, servers=(*DEAD, *ALL.servers))
    one, _ = await gathered(ice=ice, for_s=max(REPORT_S, SERVER_S) + 1)
    assert one.servers == (frozenset(ice.servers), frozenset(DEAD))
    assert one.ended


@simulated
async def test_one_that_refuses_us_is_of_no_use():
    wrong = replace(TURN, credential="jan")
    one, _ = await gathered(ice=replace(ALL, servers=(STUN, wrong)))
    assert kinds(one) == ["host", "srflx"]
    assert one.servers == (frozenset({STUN, wrong}), frozenset({wrong}))


@simulated
async def test_for_relays_only_the_begin_waits_for_the_first_and_hides_the_address():
    one, took_s = await gathered(ice=ALL.relayed())
    assert 0 < took_s < 0.5
    assert kinds(one) == ["relay", "relay"]
    assert {candidate.related_address for candidate in one.candidates} == {"0.0.0.0"}
    assert one.servers[0] == {TURN, TURN_TCP}


@simulated
async def test_for_relays_only_without_a_relay_it_ends():
    one, took_s = await gathered(place=OFFICE, ice=IceConfiguration("stun", (STUN,), "relay"))
    assert took_s == 0
    assert kinds(one) == []
    assert one.ended


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 1.0])
def test_closing_in_the_middle_leaves_nothing(after_s):
    @simulated
    async def main():
        before = asyncio.all_tasks()
        async with meeting(HOME, HOME) as (world, one, other):
            joining = asyncio.create_task(join(world, one, other))
            await asyncio.sleep(after_s)
            joining.cancel()
        await asyncio.sleep(5)
        assert asyncio.all_tasks() - before <= {asyncio.current_task(), joining}

    main()


@simulated
async def test_a_mapping_that_has_ended_is_asked_for_again_when_all_is_gathered_anew():
    """The router may have restarted: without an answer at first, with one later."""
    asked = []

    class Router:
        async def mapped(self, internal):
            asked.append(internal)
            return
            yield

    async with meeting(HOME, HOME, mapper=Router()) as (world, one, other):
        await join(world, one, other)
        await asyncio.sleep(1)
        assert len({*asked}) == len(asked) == 2
        line = world.internet.lines["one-network-1"]
        line.cut = True
        await asyncio.sleep(5)
        line.cut = False
        await asyncio.sleep(2)
        assert len({*asked}) == 2 < len(asked)


async def test_a_network_that_comes_leaves_a_call_on_the_loopback_alone():
    retired = []

    def retire(socket, gone):
        retired.append(socket)
        return True

    agent = IceAgent()
    gathering = Gathering(
        (),
        False,
        lambda: Socket(agent, agent.take_data),
        agent.adopt,
        lambda: None,
        lambda *_: None,
        retire,
    )
    await gathering.open_hosts(["127.0.0.1"])
    await gathering.open_hosts(["192.0.2.1"])
    assert [candidate.host for candidate in agent.local_candidates] == ["127.0.0.1"]
    assert retired == []
    await gathering.close()
    await agent.close()
