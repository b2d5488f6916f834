"""Candidates of ports that a router has mapped: by an object in virtual time, and by miniupnpd."""

import asyncio
import logging
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.media.agent.agent import IceAgent
from jamlab.media.agent.gathering import MOST_MAPPED, SERVER_S
from jamlab.media.ice_connection import selected_pair
from jamlab.networks.kernel import namespace
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import expected
from jamlab.networks.port_mapping.mapper import PortMapper
from jamlab.networks.port_mapping.mapping import MappingProtocol, PortMapping
from jamlab.networks.simulated.mapper import simulated_mapper
from tests.leaks import DEADLINE_S
from tests.media.agent.meeting import ALL, HOME, OPEN, STUN, TOUGH, join, meeting, simulated
from tests.networks.port_mapping.router import PUBLIC, home, needs_miniupnpd

STUN_ONLY = IceConfiguration("stun", (STUN,))
RTP = bytes((128, 96)) + bytes(20)


class Router:
    """Maps each port to addresses outside that come after some time each; notes what it holds."""

    def __init__(self, *outside, every_s=1.0):
        self.outside, self.every_s, self.held = outside, every_s, set()

    async def mapped(self, internal):
        self.held.add(internal)
        try:
            for external in self.outside:
                await asyncio.sleep(self.every_s)
                if isinstance(external, Exception):
                    raise external
                if callable(external):
                    external = external(internal)
                yield PortMapping(internal, external, 600.0, MappingProtocol.PCP, "10.0.1.254")
            await asyncio.sleep(3600)
        finally:
            self.held.discard(internal)


async def gathered(router, for_s, ice=HOST_ONLY):
    """Return what an agent found: the candidates with their times, None for their end."""
    found = []
    async with meeting(HOME, OPEN, ice=ice, there=ALL) as (world, *_):
        loop = asyncio.get_running_loop()
        with world.where("one"):
            agent = IceAgent(
                ice.servers,
                relays_only=ice.policy == "relay",
                on_candidate=lambda candidate: found.append((candidate, loop.time())),
                mapper=router,
            )
            await agent.gather_candidates()
        began_s = found[0][1]
        await asyncio.sleep(for_s)
        held = set(router.held)
        await agent.close()
    return [(candidate, at_s - began_s) for candidate, at_s in found], held


@simulated
async def test_a_mapping_is_a_server_reflexive_candidate_with_the_host_as_its_base():
    router = Router(("11.0.0.1", 40_001))
    ((host, _), (mapped, at_s), (end, _)), held = await gathered(router, 2.0)
    assert (host.type, mapped.type, end) == ("host", "srflx", None)
    assert at_s == 1.0
    assert (mapped.host, mapped.port) == ("11.0.0.1", 40_001)
    assert (mapped.related_address, mapped.related_port) == (host.host, host.port)
    assert mapped.priority < host.priority
    assert held == {(host.host, host.port)}
    assert router.held == set()  # after the agent's end


@simulated
async def test_the_address_that_a_stun_server_tells_is_told_once():
    plain, _ = await gathered(Router(), 0.5, STUN_ONLY)
    (reflexive,) = [c for c, _ in plain if c and c.type == "srflx"]
    assert reflexive.port == plain[0][0].port  # the home's router preserves ports
    router = Router(lambda internal: (reflexive.host, internal[1]))
    both, _ = await gathered(router, 2.0, STUN_ONLY)
    kinds = [candidate and candidate.type for candidate, _ in both]
    assert kinds == ["host", "srflx", None]


@simulated
async def test_a_new_address_outside_is_told_when_it_comes():
    router = Router(("11.0.0.1", 40_001), ("11.0.0.2", 40_001))
    found, _ = await gathered(router, 5.0)
    assert [c.host for c, _ in found if c and c.type == "srflx"] == ["11.0.0.1", "11.0.0.2"]


@simulated
async def test_the_end_of_candidates_waits_for_a_slow_router_a_while_only():
    found, _ = await gathered(Router(("11.0.0.1", 40_001), every_s=2 * SERVER_S), 3 * SERVER_S)
    assert [(c and c.type, at_s) for c, at_s in found] == [
        ("host", 0),
        (None, SERVER_S),
        ("srflx", 2 * SERVER_S),
    ]


@simulated
async def test_a_router_is_not_asked_for_relays_only():
    router = Router(("11.0.0.1", 40_001))
    found, held = await gathered(router, 2.0, ALL.relayed())
    assert {c.type for c, _ in found if c} == {"relay"}
    assert held == set()


@simulated
async def test_an_error_of_a_mapper_costs_the_connection_nothing():
    logging.disable()
    try:
        found, _ = await gathered(Router(ZeroDivisionError()), 2.0)
    finally:
        logging.disable(logging.NOTSET)
    assert [c and c.type for c, _ in found] == ["host", None]


@simulated
async def test_a_router_that_changes_its_address_for_ever_is_not_followed():
    router = Router(*((f"11.0.0.{n}", 40_001) for n in range(1, 60)), every_s=4.0)
    found, held = await gathered(router, 300.0)
    assert len([c for c, _ in found if c and c.type == "srflx"]) == MOST_MAPPED
    assert len(held) == 1


@pytest.mark.parametrize("lies", [1, MOST_MAPPED])
def test_a_router_that_maps_and_does_not_forward_slows_nothing_down(lies):
    async def connect_s(mapper):
        async with meeting(HOME, HOME, ice=STUN_ONLY, there=ALL, mapper=mapper) as (world, *ends):
            began_s = asyncio.get_running_loop().time()
            await join(world, *ends)
            assert [end.route for end in ends] == ["direct", "direct"]
            return max(end.connected_s for end in ends) - began_s

    @simulated
    async def compare():
        lying = Router(*(("11.0.0.9", port) for port in range(1, lies + 1)), every_s=0.0)
        assert await connect_s(lying) <= await connect_s(None) + 0.05 * (lies + 1)  # a check each

    compare()


CARRIER = Place("carrier", ((PORT_RESTRICTED,), (SYMMETRIC,)))
PLACES = (
    OPEN,
    *(HOME, TOUGH, CARRIER),
    *(place.variant(port_mapping=True) for place in (HOME, TOUGH, CARRIER)),
    *(TOUGH.variant(firewall) for firewall in Ipv6Firewall),
)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
@pytest.mark.parametrize("other", PLACES, ids=lambda place: place.name)
def test_whoever_the_rule_calls_direct_meets_with_mappings_stun_and_ipv6(place, other):
    """`networks/model/rule` knows this from the boxes alone, not from an agent."""

    @simulated
    async def meet():
        async with (
            simulated_mapper() as mapper,
            meeting(place, other, ice=STUN_ONLY, there=ALL, mapper=mapper) as (world, *ends),
        ):
            try:
                await join(world, *ends, within_s=10.0)
            except TimeoutError:
                return False
            return {end.route for end in ends} == {"direct"}

    assert meet() is expected(place, other, stun=True).direct


@needs_miniupnpd
@pytest.mark.parametrize("setting", ["enable_natpmp=yes", "enable_upnp=yes"])
def test_a_peer_that_knows_the_mapped_address_alone_is_connected(setting):
    """Through the kernel's NAT: nobody tells the inside where the outside is."""
    to_outside, to_inside = queue.Queue(), queue.Queue()
    other = {"enable_natpmp=yes": "enable_upnp=no", "enable_upnp=yes": "enable_natpmp=no"}[setting]

    async def inside():
        mapped = asyncio.get_running_loop().create_future()

        def take(candidate):
            if candidate is not None and candidate.type == "srflx":
                mapped.set_result(candidate)

        async with PortMapper() as mapper:
            agent = IceAgent(on_candidate=take, mapper=mapper)
            await agent.gather_candidates()
            candidate = await mapped
            to_outside.put((agent.local_username, agent.local_password, candidate))
            agent.remote_username, agent.remote_password = to_inside.get(timeout=DEADLINE_S)
            async with asyncio.timeout(DEADLINE_S):
                await agent.connect()
                heard = await agent.recv()
                await agent.send(RTP)
                to_inside.get(timeout=DEADLINE_S)
            await agent.close()
        return candidate, heard

    async def outside():
        agent = IceAgent()
        agent.ice_controlling = True
        agent.remote_username, agent.remote_password, candidate = to_outside.get(timeout=DEADLINE_S)
        await agent.gather_candidates()
        await agent.add_remote_candidate(candidate)
        to_inside.put((agent.local_username, agent.local_password))
        async with asyncio.timeout(DEADLINE_S):
            await agent.connect()
            await agent.send(RTP)
            assert await agent.recv() == RTP
        to_inside.put("heard")
        remote = selected_pair(agent)[1]
        await agent.close()
        return remote

    with home(setting, other) as built, ThreadPoolExecutor(1) as helper:
        there = helper.submit(built.run, outside, in_outside=True)
        candidate, heard = built.run(inside)
        assert there.result().port == candidate.port
        assert built.mapped_ports() == []
    assert (candidate.host, heard) == (PUBLIC, RTP)
    assert namespace.leftovers() == []
