"""All three protocols with miniupnpd, a real router's daemon, in network namespaces."""

import asyncio
import socket
from contextlib import aclosing

import pytest

from jamlab.networks.port_mapping.clients import find_nat_pmp, find_pcp
from jamlab.networks.port_mapping.igd import find_igd
from jamlab.networks.port_mapping.mapper import FINDERS, LIFETIME_S, PortMapper
from jamlab.networks.port_mapping.mapping import MappingProtocol, Route
from tests.leaks import DEADLINE_S
from tests.networks.port_mapping.router import (
    NEIGHBOUR,
    OWN,
    PRIVATE,
    PUBLIC,
    ROUTER,
    home,
    needs_miniupnpd,
)

pytestmark = needs_miniupnpd
ALL = ("enable_natpmp=yes", "enable_upnp=yes")
FINDER = {
    MappingProtocol.PCP: find_pcp,
    MappingProtocol.NAT_PMP: find_nat_pmp,
    MappingProtocol.UPNP_IGD: find_igd,
}


@pytest.fixture(name="house", scope="module")
def house_with_all_protocols():
    with home(*ALL) as built:
        yield built


async def first_of(internal, finders, look=lambda _: None):
    """Map a port, call `look` with the mapping meanwhile, and remove it."""
    async with PortMapper(finders=finders) as mapper, aclosing(mapper.mapped(internal)) as ours:
        mapping = await anext(ours, None)
        look(mapping)
        return mapping


@pytest.mark.parametrize("protocol", MappingProtocol)
def test_a_mapped_port_is_reached_from_outside_and_gone_at_the_end(house, protocol):
    heard = []

    async def inside():
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            end.bind((OWN, 0))

            def look(mapping):
                assert house.mapped_ports() == [mapping.external[1]]
                with house.socket_outside() as peer:
                    peer.sendto(b"from outside", mapping.external)
                    heard.append(peer.getsockname())

            mapping = await first_of(end.getsockname(), [FINDER[protocol]], look)
            async with asyncio.timeout(DEADLINE_S):
                datagram = await loop.sock_recvfrom(end, 100)
            return mapping, end.getsockname(), datagram

    mapping, internal, datagram = house.run(inside)
    assert (mapping.protocol, mapping.router) == (protocol, ROUTER)
    assert (mapping.internal, mapping.external[0]) == (internal, PUBLIC)
    assert mapping.lifetime_s == pytest.approx(LIFETIME_S, abs=2)
    assert datagram == (b"from outside", heard[0])
    assert house.mapped_ports() == []


def test_all_side_by_side_leave_one_mapping_and_then_none(house):
    seen = []
    mapping = house.run(
        first_of, (OWN, 50_000), FINDERS, lambda _: seen.append(house.mapped_ports())
    )
    assert mapping.external == (PUBLIC, 50_000)
    assert seen == [[50_000]]
    assert house.mapped_ports() == []


@pytest.mark.parametrize("protocol", MappingProtocol)
def test_another_port_is_mapped_when_a_neighbour_has_ours(house, protocol):
    async def inside():
        neighbour = await find_pcp(Route(ROUTER, NEIGHBOUR))
        theirs = await neighbour.map(50_001, 50_001, LIFETIME_S)
        us = await FINDER[protocol](Route(ROUTER, OWN))
        ours = await us.map(50_001, 50_001, LIFETIME_S)
        await us.unmap(50_001, ours.external[1])
        await neighbour.unmap(50_001, theirs.external[1])
        return theirs, ours

    theirs, ours = house.run(inside)
    assert theirs.external == (PUBLIC, 50_001)
    assert ours.internal == (OWN, 50_001)
    assert ours.external[1] != 50_001
    assert house.mapped_ports() == []


@pytest.mark.parametrize(
    ("settings", "protocols"),
    [
        (("enable_natpmp=no", "enable_upnp=yes"), {MappingProtocol.UPNP_IGD}),
        (("enable_natpmp=yes", "enable_upnp=no"), {MappingProtocol.PCP, MappingProtocol.NAT_PMP}),
    ],
)
def test_a_router_that_speaks_some_of_them(settings, protocols):
    with home(*settings) as built:
        assert built.run(first_of, (OWN, 50_000), FINDERS).protocol in protocols
        assert built.mapped_ports() == []


def test_a_router_whose_rules_forbid_the_port():
    with home("enable_natpmp=no", "enable_upnp=yes") as built:
        assert built.run(first_of, (OWN, 80), FINDERS) is None
        assert built.mapped_ports() == []


def test_a_router_behind_a_carriers_nat():
    """miniupnpd refuses there; what is mapped all the same is told from a public address."""
    with home(*ALL, outside_address=PRIVATE) as built:
        mapping = built.run(first_of, (OWN, 50_000), FINDERS)
        assert mapping is None or mapping.is_behind_another_nat
        assert built.mapped_ports() == []
