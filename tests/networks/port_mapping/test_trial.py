import pytest

from jamlab.networks.port_mapping.clients import find_pcp
from jamlab.networks.port_mapping.mapping import NoAnswerError
from jamlab.networks.port_mapping.trial import try_router
from tests.networks.port_mapping.hostile import datagrams, new_route
from tests.networks.port_mapping.test_clients import pcp_router

pytestmark = pytest.mark.usefixtures("nothing_left")


def fixed(route):
    async def find_route():
        return route

    return find_route


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        (b"\x0b\0\0\1", ""),
        (
            b"\x64\x40\0\1",
            ", which is itself behind a NAT: it helps only towards others behind the same",
        ),
    ],
)
async def test_a_router_that_maps(outside, words):
    route = new_route()
    async with datagrams(route, 5351, pcp_router(outside=outside)) as router:
        trial = await try_router(fixed(route), [find_pcp])
    assert str(trial) == f"PCP by the router {route.router}{words}"
    assert router.requests[-1][4:8] == bytes(4)  # the lifetime: it is removed


async def test_a_router_that_does_not():
    async def nobody(route):
        raise NoAnswerError("silence")

    route = new_route()
    trial = await try_router(fixed(route), [nobody])
    assert str(trial) == f"the router {route.router} maps no port for us"


async def test_without_a_router():
    assert str(await try_router(fixed(None))) == "this machine has no router over IPv4"
