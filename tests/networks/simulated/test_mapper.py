import asyncio
from contextlib import aclosing

from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import PERFECT, HostConfig, Topology
from jamlab.networks.port_mapping.mapper import LIFETIME_S
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.mapper import simulated_mapper
from tests.networks.simulated.internets import port

HOME = Place("home", ((SYMMETRIC,),)).variant(port_mapping=True)
PLAIN = Place("plain", ((PORT_RESTRICTED,),))
OPEN = Place("open")


def at(place, scenario):
    """Run a scenario on a host in a place, with a stranger on the backbone."""

    async def run():
        ours = place.member("alice", PERFECT)
        internet = Internet(Topology((ours, HostConfig("stranger"))))
        return await scenario(internet.host("alice"), internet.host("stranger"))

    return run_simulated(run())


def test_a_stranger_reaches_a_mapped_port_for_as_long_as_it_is_held():
    async def scenario(alice, stranger):
        inside, outside = await port(alice, 5000), await port(stranger)

        async def hears():
            before = len(inside.received)
            outside.send(b"hello", mapping.external)
            await asyncio.sleep(0.1)
            return len(inside.received) - before

        with alice:
            async with simulated_mapper() as mapper:
                async with aclosing(mapper.mapped((alice.addresses[0], 5000))) as mappings:
                    mapping = await anext(mappings)
                    assert mapping.internal == (alice.addresses[0], 5000)
                    waiting = asyncio.create_task(anext(mappings))  # renews it meanwhile
                    heard = [await hears()]
                    await asyncio.sleep(3 * LIFETIME_S)
                    heard.append(await hears())
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                heard.append(await hears())
        return heard

    assert at(HOME, scenario) == [1, 1, 0]


async def first(alice, _):
    inside = alice.addresses[0], 5000
    with alice:
        async with simulated_mapper() as mapper, aclosing(mapper.mapped(inside)) as mappings:
            return await anext(mappings, None)


def test_a_router_without_mappings_gives_none():
    assert at(PLAIN, first) is None


def test_a_host_without_a_router_gets_none():
    assert at(OPEN, first) is None
