"""The mapper in virtual time, with clients that are objects; and on real sockets at its end."""

import asyncio
import math
import signal
import subprocess
import sys
from contextlib import aclosing
from itertools import pairwise

import pytest

from jamlab.networks.port_mapping.mapper import LIFETIME_S, SEARCH_AGAIN_S, PortMapper
from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
    Route,
)
from jamlab.networks.simulated.loop import run_simulated
from tests.leaks import DEADLINE_S
from tests.networks.port_mapping.hostile import datagrams, new_route
from tests.networks.port_mapping.test_clients import pcp_router

HOME = Route("192.168.1.1", "192.168.1.5")
INSIDE = (HOME.own, 50_000)


class Router:
    """A router that notes who asks it for what, and when; `map` may be replaced."""

    def __init__(self, protocol=MappingProtocol.PCP, found_after_s=0.0, outside="11.0.0.1"):
        self.protocol = protocol
        self.outside = outside
        self.lifetime_s = 600.0
        self.found_after_s = found_after_s
        self.takes_s = 0.0
        self.error = None
        self.asked_s = []
        self.searches = 0
        self.table = {}

    async def find(self, route):
        self.searches += 1
        await asyncio.sleep(self.found_after_s)
        return self

    async def map(self, port, wanted_port, lifetime_s):
        assert lifetime_s == LIFETIME_S
        self.asked_s.append(asyncio.get_running_loop().time())
        if self.error is not None:
            raise self.error
        self.table[port] = wanted_port
        await asyncio.sleep(self.takes_s)
        external = (self.outside, wanted_port)
        return PortMapping((HOME.own, port), external, self.lifetime_s, self.protocol, HOME.router)

    async def unmap(self, port, external_port):
        self.table.pop(port, None)


async def nowhere(route):
    raise NoAnswerError("nobody answers")


def mapper(*finders, route=HOME):
    async def find_route():
        return route

    return PortMapper(find_route, finders)


async def first(asked, internal=INSIDE):
    async with aclosing(asked.mapped(internal)) as mappings:
        return await anext(mappings, None)


def test_the_first_protocol_that_answers_is_the_only_one_asked():
    slow, quick = Router(found_after_s=2.0), Router(MappingProtocol.UPNP_IGD, found_after_s=1.0)

    async def run():
        async with mapper(nowhere, slow.find, quick.find) as asked:
            mapping = await first(asked)
            return mapping, asyncio.get_running_loop().time()

    mapping, took_s = run_simulated(run())
    assert mapping.protocol is MappingProtocol.UPNP_IGD
    assert took_s == 1.0
    assert (len(quick.asked_s), slow.asked_s) == (1, [])


@pytest.mark.parametrize("error", [RefusedError("no"), NoAnswerError("silence")])
def test_the_next_is_asked_when_one_gives_none(error):
    first_one, next_one = Router(), Router(MappingProtocol.NAT_PMP, found_after_s=0.5)
    first_one.error = error

    async def run():
        async with mapper(first_one.find, next_one.find) as asked:
            return await first(asked)

    assert run_simulated(run()).protocol is MappingProtocol.NAT_PMP


@pytest.mark.parametrize(("outside", "lifetime_s"), [("0.0.0.0", 600.0), ("11.0.0.1", 0.0)])
def test_a_mapping_of_no_use_is_removed(outside, lifetime_s):
    router = Router(outside=outside)
    router.lifetime_s = lifetime_s

    async def run():
        async with mapper(router.find) as asked:
            return await first(asked)

    assert run_simulated(run()) is None
    assert router.asked_s
    assert router.table == {}


def test_a_private_address_outside_is_kept():
    async def run():
        async with mapper(Router(outside="100.64.1.2").find) as asked:
            return await first(asked)

    assert run_simulated(run()).is_behind_another_nat


@pytest.mark.parametrize("route", [None, Route("192.168.1.1", "192.168.1.6")])
def test_without_a_route_or_for_another_address_nobody_is_asked(route):
    router = Router()

    async def run():
        async with mapper(router.find, route=route) as asked:
            return await first(asked)

    assert run_simulated(run()) is None
    assert router.asked_s == []


async def held_for(asked, seconds, internal=INSIDE):
    """Hold a mapping for some time; return all that came."""
    came = []
    try:
        async with asyncio.timeout(seconds), aclosing(asked.mapped(internal)) as mappings:
            async for mapping in mappings:
                came.append(mapping)
    except TimeoutError:
        pass
    return came


@pytest.mark.parametrize(
    ("lifetime_s", "asked_s"),
    [
        (600.0, [0, 300, 600, 900]),
        (300.0, [0, 150, 300, 450, 600, 750, 900]),
        (math.inf, [0, 300, 600, 900]),
        (2.0**32, [0, 300, 600, 900]),
    ],
)
def test_it_is_renewed_before_it_ends(lifetime_s, asked_s):
    router = Router()
    router.lifetime_s = lifetime_s

    async def run():
        async with mapper(router.find) as asked:
            return await held_for(asked, 1000)

    assert len(run_simulated(run())) == 1
    assert router.asked_s == asked_s
    assert router.table == {}


def test_a_router_that_restarts_maps_again_and_a_new_address_is_told():
    router = Router()

    async def run():
        async with mapper(router.find) as asked:
            holding = asyncio.create_task(held_for(asked, 1000))
            await asyncio.sleep(100)
            router.table.clear()
            router.outside = "11.0.0.2"
            await asyncio.sleep(300)
            assert router.table == {50_000: 50_000}
            return await holding

    outside = [mapping.external[0] for mapping in run_simulated(run())]
    assert outside == ["11.0.0.1", "11.0.0.2"]


def test_a_router_that_falls_silent_is_asked_until_the_lifetime_ends():
    router = Router()

    async def run():
        async with mapper(router.find) as asked:
            holding = asyncio.create_task(held_for(asked, 2000))
            await asyncio.sleep(1)
            router.error = NoAnswerError("silence")
            await holding
            return asyncio.get_running_loop().time()

    ended_s = run_simulated(run())
    assert 590 < ended_s <= 600
    assert router.asked_s[:4] == [0, 300, 450, 525]
    waits_s = [later - sooner for sooner, later in pairwise(router.asked_s)]
    assert min(waits_s) >= 4.0  # RFC 6887 §11.2.1


def test_a_cancelled_request_is_taken_back():
    """The router has mapped, and its answer is under way."""
    router = Router()
    router.takes_s = 1.0

    async def run():
        async with mapper(router.find) as asked:
            asking = asyncio.create_task(first(asked))
            await asyncio.sleep(0.5)
            assert router.table == {50_000: 50_000}
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            return dict(router.table)

    assert run_simulated(run()) == {}


def test_an_exception_in_the_users_code_removes_it():
    router = Router()

    async def run():
        async with mapper(router.find) as asked, aclosing(asked.mapped(INSIDE)) as mappings:
            await anext(mappings)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_simulated(run())
    assert router.table == {}


def test_the_mappers_end_removes_what_nobody_has_closed():
    router = Router()

    async def run():
        async with mapper(router.find) as asked:
            forgotten = [asked.mapped((HOME.own, port)) for port in (50_000, 50_001)]
            for mappings in forgotten:
                await anext(mappings)
            assert len(router.table) == 2
        left = dict(router.table)
        for mappings in forgotten:
            await mappings.aclose()
        return left

    assert run_simulated(run()) == {}


def test_ports_share_one_search():
    router = Router(found_after_s=1.0)

    async def run():
        async with mapper(router.find) as asked:
            ports = range(50_000, 50_005)
            return await asyncio.gather(*(first(asked, (HOME.own, port)) for port in ports))

    assert all(run_simulated(run()))
    assert router.searches == 1


def test_a_vain_search_is_made_again_later():
    searches = []

    async def vain(route):
        searches.append(asyncio.get_running_loop().time())
        raise NoAnswerError("silence")

    async def run():
        async with mapper(vain) as asked:
            for _ in range(3):
                assert await first(asked) is None
                await asyncio.sleep(SEARCH_AGAIN_S / 2)

    run_simulated(run())
    assert searches == [0, SEARCH_AGAIN_S]


def test_another_router_is_searched_anew():
    router, routes = Router(), iter([HOME, HOME, Route("10.0.0.1", "10.0.0.7")])

    async def next_route():
        return next(routes)

    async def run():
        async with PortMapper(next_route, [router.find]) as asked:
            for own in (HOME.own, HOME.own, "10.0.0.7"):
                assert await first(asked, (own, 50_000))

    run_simulated(run())
    assert router.searches == 2


def test_a_router_that_does_not_take_back_holds_up_nobody_for_long():
    router = Router()

    async def never(port, external_port):
        await asyncio.sleep(3600)

    router.unmap = never

    async def run():
        async with mapper(router.find) as asked:
            assert await first(asked)
        return asyncio.get_running_loop().time()

    assert run_simulated(run()) == 2.0


SCRIPT = """
import asyncio, sys
from contextlib import aclosing
from jamlab.networks.port_mapping.clients import find_pcp
from jamlab.networks.port_mapping.mapper import PortMapper
from jamlab.networks.port_mapping.mapping import Route
from jamlab.process.signals import run_until_sigterm

async def find_route():
    return Route(sys.argv[1], "127.0.0.1")

async def main():
    async with PortMapper(find_route, [find_pcp]) as mapper:
        async with aclosing(mapper.mapped(("127.0.0.1", 50_000))) as mappings:
            async for mapping in mappings:
                print("mapped", flush=True)

run_until_sigterm(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_that_ends_the_process_removes_it(number):
    route = new_route()
    async with datagrams(route, 5351, pcp_router()) as router:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SCRIPT,
            route.router,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(DEADLINE_S):
            assert await process.stdout.readline() == b"mapped\n"
            process.send_signal(number)
            await process.wait()
    _, asked, *removed = router.requests
    assert asked[4:8] == LIFETIME_S.to_bytes(4, "big")
    assert removed[0][4:8] == bytes(4)
    assert removed[0][24:36] == asked[24:36]
