"""The clients of PCP and NAT-PMP with fake routers on the loopback."""

import pytest

from jamlab.networks.port_mapping import clients
from jamlab.networks.port_mapping.clients import (
    NatPmpClient,
    PcpClient,
    find_nat_pmp,
    find_pcp,
)
from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
)
from tests.networks.port_mapping.hostile import OWN, datagrams, new_route
from tests.networks.port_mapping.test_nat_pmp import ADDRESS, MAPPED
from tests.networks.port_mapping.test_pcp import header, mapped

PORT = 5351
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(clients, "_GOODBYE_S", (0.01,))


def pcp_router(result=0, external=40_001, lifetime_s=600, outside=b"\x0b\0\0\1"):
    """A router's answers to PCP: it grants, and copies the nonce and the port."""

    def answer(request):
        if request[1] == 0:
            return [header(operation=0, result=result)]
        port = int.from_bytes(request[40:42], "big")
        granted = mapped(request[24:36], 17, port, external, outside)
        return [b"garbage", bytes(60), header(1, result, lifetime_s) + granted]

    return answer


def nat_pmp_router(address=ADDRESS, mapping=MAPPED):
    def answer(request):
        return [b"garbage", address] if request == b"\0\0" else [b"\xff", mapping]

    return answer


async def test_pcp_maps_renews_and_removes():
    route = new_route()
    async with datagrams(route, PORT, pcp_router()) as router:
        client = await find_pcp(route)
        first = await client.map(50_000, 50_000, 600)
        assert first == PortMapping(
            (OWN, 50_000), ("11.0.0.1", 40_001), 600, MappingProtocol.PCP, route.router
        )
        await client.map(50_000, 40_001, 600)
        await client.unmap(50_000, 40_001)
        await client.map(50_000, 40_001, 600)
    _, asked, renewed, removed, again = router.requests
    assert asked[24:36] == renewed[24:36] == removed[24:36] != again[24:36]  # the nonce
    assert renewed.endswith(bytes([11, 0, 0, 1]))
    assert removed[4:8] == bytes(4)  # the lifetime
    assert removed[40:42] == (50_000).to_bytes(2, "big")


async def test_nat_pmp_maps_and_removes():
    route = new_route()
    async with datagrams(route, PORT, nat_pmp_router()) as router:
        client = await find_nat_pmp(route)
        mapping = await client.map(50_000, 50_000, 600)
        assert mapping == PortMapping(
            (OWN, 50_000), ("11.0.0.1", 40_001), 600, MappingProtocol.NAT_PMP, route.router
        )
        await client.unmap(50_000, 40_001)
    assert router.requests[-1] == b"\0\x01\0\0\xc3\x50\0\0" + bytes(4)  # RFC 6886 §3.4


async def test_a_refusal_has_the_reason():
    route = new_route()
    async with datagrams(route, PORT, pcp_router(result=2)):
        with pytest.raises(RefusedError, match="refuses by PCP: it is not allowed"):
            await PcpClient(route).map(50_000, 50_000, 600)
        with pytest.raises(RefusedError):
            await find_pcp(route)
    route = new_route()
    async with datagrams(route, PORT, pcp_router(result=200)):
        with pytest.raises(RefusedError, match="result 200"):
            await PcpClient(route).map(50_000, 50_000, 600)
    route = new_route()
    refused = MAPPED[:3] + b"\x04" + MAPPED[4:]
    async with datagrams(route, PORT, nat_pmp_router(mapping=refused)):
        with pytest.raises(RefusedError, match="refuses by NAT-PMP: it has no resources left"):
            await NatPmpClient(route).map(50_000, 50_000, 600)


async def test_a_router_of_nat_pmp_alone_speaks_no_pcp():
    """RFC 6887 appendix A."""
    route = new_route()
    async with datagrams(route, PORT, lambda _: [b"\0\x80\0\1" + bytes(4)]):
        with pytest.raises(RefusedError, match="it does not speak this version"):
            await find_pcp(route)


async def test_a_router_without_an_address_makes_no_mapping():
    route = new_route()
    no_address = ADDRESS[:3] + b"\x03" + ADDRESS[4:8]
    async with datagrams(route, PORT, nat_pmp_router(no_address)) as router:
        with pytest.raises(RefusedError, match="it has no connection"):
            await NatPmpClient(route).map(50_000, 50_000, 600)
    assert router.requests == [b"\0\0"]


@pytest.mark.parametrize("find", [find_pcp, find_nat_pmp])
async def test_garbage_is_no_answer(find):
    route = new_route()
    async with datagrams(route, PORT, lambda _: [b"", b"\xff" * 60, b"HTTP/1.1 200 OK"]):
        with pytest.raises(NoAnswerError):
            await find(route, waits_s=(0.01, 0.01))
