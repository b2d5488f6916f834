"""The client of UPnP-IGD with a fake router that answers as some real ones do, and worse."""

import asyncio
import math

import pytest

from jamlab.networks.port_mapping import igd as module
from jamlab.networks.port_mapping import requester
from jamlab.networks.port_mapping.igd import find_igd
from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
)
from tests.networks.port_mapping.hostile import OWN, datagrams, new_route, ok
from tests.networks.port_mapping.igd import DESCRIPTION, FakeIgd, fake_igd, fault, soap
from tests.networks.port_mapping.test_ssdp import answer

pytestmark = pytest.mark.usefixtures("nothing_left")

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><b>&i;</b>"
)
OUTWARDS = '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><b>&a;</b>'


async def mapping_by(igd, wanted_port=50_000):
    """Find the router and map a port; return the mapping."""
    route = new_route()
    async with fake_igd(route, igd):
        client = await find_igd(route)
        return await client.map(50_000, wanted_port, 600)


async def test_it_maps_renews_and_removes():
    route, igd = new_route(), FakeIgd()
    async with fake_igd(route, igd):
        client = await find_igd(route)
        for _ in range(2):
            assert await client.map(50_000, 50_000, 600) == PortMapping(
                (OWN, 50_000), ("11.0.0.1", 50_000), 600, MappingProtocol.UPNP_IGD, route.router
            )
        assert igd.table == {50_000: (OWN, 50_000)}
        await client.unmap(50_000, 50_000)
        assert igd.table == {}
        await client.unmap(50_000, 50_000)  # error 714: it is gone
    assert igd.actions[1] == (
        "AddPortMapping",
        {
            "RemoteHost": "",  # the wildcard; some routers refuse any other (error 726)
            "ExternalPort": "50000",
            "Protocol": "UDP",
            "InternalPort": "50000",
            "InternalClient": OWN,
            "Enabled": "1",
            "PortMappingDescription": "jamlab",
            "LeaseDuration": "600",
        },
    )


async def test_another_port_is_taken_when_ours_is():
    igd = FakeIgd()
    igd.replaced["AddPortMapping"] = lambda told: (
        fault(718) if told["ExternalPort"] == "50000" else None
    )
    mapping = await mapping_by(igd)
    assert mapping.external[1] != 50_000
    assert igd.table == {mapping.external[1]: (OWN, 50_000)}


async def test_a_router_that_takes_a_renewal_for_a_conflict():
    route, igd = new_route(), FakeIgd()
    igd.replaced["AddPortMapping"] = lambda told: (
        fault(718) if int(told["ExternalPort"]) in igd.table else None
    )
    async with fake_igd(route, igd):
        client = await find_igd(route)
        for _ in range(3):
            assert (await client.map(50_000, 50_000, 600)).external == ("11.0.0.1", 50_000)
        assert igd.table == {50_000: (OWN, 50_000)}


async def test_a_mapping_that_moves_to_another_port_leaves_none_behind():
    route, igd = new_route(), FakeIgd()
    async with fake_igd(route, igd):
        client = await find_igd(route)
        await client.map(50_000, 50_000, 600)
        igd.replaced["AddPortMapping"] = lambda told: (
            fault(718) if told["ExternalPort"] == "50000" else None
        )
        moved = await client.map(50_000, 50_000, 600)
        assert igd.table == {moved.external[1]: (OWN, 50_000)}


async def test_a_router_with_no_port_free():
    igd = FakeIgd()
    igd.replaced["AddPortMapping"] = fault(718)
    with pytest.raises(RefusedError, match="has no port free"):
        await mapping_by(igd)
    assert len(igd.actions) == 2 + module.OTHER_PORTS


async def test_a_router_that_maps_for_ever_only():
    igd = FakeIgd()
    igd.replaced["AddPortMapping"] = lambda told: (
        fault(725) if told["LeaseDuration"] != "0" else None
    )
    mapping = await mapping_by(igd)
    assert mapping.lifetime_s == math.inf
    assert mapping.fault is None
    igd.replaced["AddPortMapping"] = fault(725)
    with pytest.raises(RefusedError, match="error 725"):
        await mapping_by(igd)


async def test_a_refusal_has_the_code():
    igd = FakeIgd()
    igd.replaced["AddPortMapping"] = fault(606)
    with pytest.raises(RefusedError, match="refuses by UPnP-IGD with error 606"):
        await mapping_by(igd)


@pytest.mark.parametrize("outside", ["", "0.0.0.0", "router.local", "100.64.0.1", "&lt;b&gt;"])
async def test_any_address_outside_is_passed_on_for_a_verdict(outside):
    mapping = await mapping_by(FakeIgd(outside))
    assert mapping.external[0] == outside.replace("&lt;", "<").replace("&gt;", ">")
    assert (mapping.fault is None) == (outside == "100.64.0.1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\0",
        b"<html><body>Please log in</body></html>",
        DESCRIPTION[:500].encode(),
        BOMB.encode(),
        OUTWARDS.encode(),
        b"<a>" * 60_000,
        DESCRIPTION.replace("/control", "http://192.0.2.7/control").encode(),
        DESCRIPTION.replace("/scpd.xml", "http://192.0.2.7/scpd.xml").encode(),
        DESCRIPTION.replace("/scpd.xml", "http://[bad/scpd.xml").encode(),
        DESCRIPTION.replace("WANIPConnection", "RenderingControl").encode(),
        DESCRIPTION.replace(
            "<UDN>uuid:1</UDN>", "<iconList><icon><width>x</width></icon></iconList>"
        ).encode(),
    ],
)
async def test_a_garbage_description_is_no_answer(body):
    igd = FakeIgd()
    igd.replaced["/rootDesc.xml"] = ok(body)
    with pytest.raises(NoAnswerError) as raised:
        await mapping_by(igd)
    assert str(raised.value).isprintable()
    assert igd.actions == []


@pytest.mark.parametrize(
    "response",
    [
        ok(""),
        ok("<a"),
        ok("\x00"),
        ok(BOMB),
        ok("no", "404 Not Found"),
        ok("moved", "302 Found", "Location: http://192.0.2.7/"),
        ok(b"x" * (requester.MOST_BYTES + 1)),
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        soap("Nothing"),
    ],
)
@pytest.mark.parametrize("action", ["GetExternalIPAddress", "AddPortMapping"])
async def test_a_garbage_answer_is_no_mapping_of_use(action, response):
    igd = FakeIgd()
    igd.replaced[action] = response
    with pytest.raises(NoAnswerError, match="cannot be understood by UPnP: ") as raised:
        await mapping_by(igd)
    assert str(raised.value).isprintable()


async def test_a_description_of_many_services_is_given_up():
    start = DESCRIPTION.index("<service>")
    end = DESCRIPTION.index("</serviceList>")
    igd = FakeIgd()
    igd.description = DESCRIPTION[:end] + 200 * DESCRIPTION[start:end] + DESCRIPTION[end:]
    with pytest.raises(NoAnswerError, match="too many services"):
        await mapping_by(igd)


async def test_a_description_without_end_is_given_up(monkeypatch):
    """Each part comes in time, but the whole does not."""
    monkeypatch.setattr(module, "DESCRIPTION_S", 0.1)
    igd = FakeIgd()

    async def endless(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<root>")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    igd.replaced["/rootDesc.xml"] = endless
    with pytest.raises(NoAnswerError):
        await mapping_by(igd)


async def test_a_router_that_answers_the_search_and_nothing_else():
    route = new_route()
    url = f"http://{route.router}:9/rootDesc.xml"
    async with datagrams(route, 1900, lambda _: [answer(url)]):
        with pytest.raises(NoAnswerError, match="cannot be understood by UPnP"):
            await find_igd(route)
