"""The STUN server on real sockets."""

import asyncio

import pytest

from jamlab.networks.stun.server import StunServer
from tests.leaks import until
from tests.networks.caller import calling
from tests.networks.turn import independent_client as c

pytestmark = pytest.mark.usefixtures("nothing_left")
LOCALHOST, SECOND = "127.0.0.1", "127.0.0.2"


async def test_tells_a_client_its_address():
    async with StunServer(port=0) as server, calling() as caller:
        (address,) = server.addresses
        answer = c.read(await caller.ask(c.message(c.BINDING, c.REQUEST), address))
        assert answer.address(c.XOR_MAPPED_ADDRESS) == caller.address
        assert answer.address(c.RESPONSE_ORIGIN, xor=False) == address
        assert server.counters.answered == 1


@pytest.mark.parametrize("flags", [0, 2, 4, 6])
async def test_answers_from_where_it_was_asked_to(flags):
    async with StunServer((LOCALHOST, SECOND), port=0) as server, calling() as caller:
        first = server.addresses[0]
        change = c.CHANGE_REQUEST, flags.to_bytes(4, "big")
        data = await caller.ask(c.message(c.BINDING, c.REQUEST, [change]), first)
        other = c.read(data).address(c.OTHER_ADDRESS, xor=False)
        origin = (other[0] if flags & 4 else first[0], other[1] if flags & 2 else first[1])
        assert caller.source == origin
        assert set(server.addresses) == {
            (h, p) for h in (LOCALHOST, SECOND) for p in (first[1], other[1])
        }


async def test_the_ports_are_chosen_in_pairs():
    async with StunServer(port=0) as free:
        port = free.addresses[0][1]
    async with StunServer((LOCALHOST, SECOND), port, 0) as server:
        assert server.addresses[:2] == ((LOCALHOST, port), (SECOND, port))
        assert server.addresses[2][1] == server.addresses[3][1] != port


async def test_garbage_is_counted():
    async with StunServer(port=0) as server, calling() as caller:
        caller.send(b"garbage", server.addresses[0])
        await until(lambda: server.counters.malformed == 1)


async def test_an_answer_the_system_refuses_is_counted():
    """Nothing can be sent to port 0."""
    async with StunServer(port=0) as server, calling() as caller:
        port_0 = c.RESPONSE_PORT, bytes(4)
        caller.send(c.message(c.BINDING, c.REQUEST, [port_0]), server.addresses[0])
        await until(lambda: server.counters.unsendable == 1)


async def test_an_address_in_use():
    async with StunServer(port=0) as server:
        port = server.addresses[0][1]
        with pytest.raises(OSError, match=f"UDP at 127.0.0.1:{port} .*: choose an address"):
            await StunServer(port=port).__aenter__()


async def test_a_failure_half_way_closes_the_first_half():
    """The fixture sees whether a socket is left."""
    with pytest.raises(OSError, match=r"at 192\.0\.2\.1:"):
        await StunServer((LOCALHOST, "192.0.2.1"), port=0).__aenter__()


@pytest.mark.parametrize("arguments", [((),), ((LOCALHOST,), 1, 2), ((LOCALHOST, LOCALHOST), 1)])
async def test_addresses_that_cannot_be(arguments):
    with pytest.raises(ValueError, match=r"RFC 5780"):
        StunServer(*arguments)


async def test_closed_while_asked():
    async with StunServer(port=0) as server, calling() as caller:
        for _ in range(20):
            caller.send(c.message(c.BINDING, c.REQUEST), server.addresses[0])
    await asyncio.sleep(0)
    assert server.addresses == ()
