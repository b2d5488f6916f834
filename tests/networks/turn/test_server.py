"""The TURN server on real sockets, and on a clock that tests can advance."""

import asyncio
import random
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.stun.endpoint import open_endpoint
from jamlab.networks.turn import server as module
from jamlab.networks.turn.server import TurnServer
from tests.leaks import DEADLINE_S, sockets, until
from tests.networks.caller import LOCALHOST, allocate, calling, connected
from tests.networks.turn import independent_client as c

pytestmark = pytest.mark.usefixtures("nothing_left")
BOTH = pytest.mark.parametrize("transport", [UDP, TCP])


def serving(**options):
    options = {"port": 0, "users": {"ada": "secret"}, "rng": random.Random(1), **options}
    return TurnServer(LOCALHOST, **options)


@asynccontextmanager
async def coming(transport, server):
    async with calling() if transport == UDP else connected(server.address) as caller:
        yield caller


@pytest.fixture(name="clock")
async def loop_clock(monkeypatch):
    """Put the running loop's clock forward by adding to ``clock.ahead_s``."""

    class Clock:
        ahead_s = 0.0

    loop, clock = asyncio.get_running_loop(), Clock()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + clock.ahead_s)
    return clock


def permission_requests(account, peer):
    return (
        account.request(c.CREATE_PERMISSION, c.peer(*peer)),
        account.request(c.CHANNEL_BIND, c.peer(*peer), c.number(0x4000)),
    )


@BOTH
async def test_data_both_ways(transport):
    async with serving() as server, coming(transport, server) as caller, calling() as peer:
        relayed, ada = await allocate(caller, server.address)
        permit, bind = permission_requests(ada, peer.address)

        assert c.read(await caller.ask(permit, server.address)).class_ == c.SUCCESS
        data = [c.peer(*peer.address), (c.DATA_ATTRIBUTE, b"sent")]
        caller.send(c.message(c.SEND, c.INDICATION, data), server.address)
        assert (await peer.receive(), peer.source) == (b"sent", relayed)
        peer.send(b"back", relayed)
        assert c.read(await caller.receive()).attributes[c.DATA_ATTRIBUTE] == b"back"

        assert c.read(await caller.ask(bind, server.address)).class_ == c.SUCCESS
        caller.send(c.channel_data(0x4000, b"again"), server.address)
        assert (await peer.receive(), peer.source) == (b"again", relayed)
        peer.send(b"and back", relayed)
        assert await caller.receive() == c.channel_data(0x4000, b"and back")
        assert server.counters.relayed_to_peers == server.counters.relayed_to_clients == 2


@BOTH
async def test_wrong_password(transport):
    async with serving() as server, coming(transport, server) as caller:
        eve = c.Account("ada", "wrong")
        for _ in range(2):
            request = eve.request(c.ALLOCATE, c.UDP_TRANSPORT)
            answer = c.read(await caller.ask(request, server.address))
            assert answer.code == 401
            eve.nonce = answer.attributes[c.NONCE]


@BOTH
async def test_lifetime_0_closes_the_relay(transport):
    async with serving() as server, coming(transport, server) as caller:
        before = sockets()
        _, ada = await allocate(caller, server.address)
        assert len(sockets() - before) == 1
        request = ada.request(c.REFRESH, c.lifetime(0))
        assert c.read(await caller.ask(request, server.address)).seconds() == 0
        await until(lambda: sockets() == before)
        await allocate(caller, server.address)


async def test_the_end_of_a_connection_closes_the_relay():
    async with serving() as server:
        before = sockets()
        async with connected(server.address) as caller:
            await allocate(caller, server.address)
        await until(lambda: sockets() == before)
        assert server.core.allocations == {}


async def test_an_allocation_expires(clock):
    async with serving() as server, calling() as caller:
        before = sockets()
        await allocate(caller, server.address)
        clock.ahead_s += 599
        await asyncio.sleep(0)
        assert len(server.core.allocations) == 1
        clock.ahead_s += 2
        await until(lambda: sockets() == before)
        assert server.core.allocations == {}


async def test_a_refreshed_one_expires_later(clock):
    async with serving() as server, calling() as caller:
        before = sockets()
        _, ada = await allocate(caller, server.address)
        await caller.ask(ada.request(c.REFRESH, c.lifetime(900)), server.address)
        clock.ahead_s += 899
        assert c.read(await caller.ask(c.message(c.BINDING, c.REQUEST), server.address))
        assert len(server.core.allocations) == 1
        clock.ahead_s += 2
        await until(lambda: sockets() == before)


def timers():
    """What the loop still waits for."""
    return [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]


async def test_nothing_is_scheduled_while_nothing_is_allocated():
    """A virtual loop has to run out of things to wait for."""
    async with serving() as server, calling() as caller:
        assert timers() == []
        request = c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT])
        caller.send(request, server.address)
        ada = c.Account()
        ada.nonce = c.read(await caller.receive()).attributes[c.NONCE]
        caller.send(ada.request(c.ALLOCATE, c.UDP_TRANSPORT), server.address)
        await until(lambda: server.core.allocations)
        caller.send(ada.request(c.REFRESH, c.lifetime(0)), server.address)
        await until(lambda: not server.core.allocations)
        assert timers() == []


async def test_an_even_port():
    """All callers stay: a port that was left is given to the next, whose relay it would hold."""
    async with serving() as server, AsyncExitStack() as callers:
        for _ in range(8):
            caller = await callers.enter_async_context(calling())
            even = c.EVEN_PORT, b"\0"
            relayed, _ = await allocate(caller, server.address, even)
            assert relayed[1] % 2 == 0


async def test_no_relay_to_be_had():
    """An address of nobody's (RFC 5737) cannot be bound."""
    async with serving(relay_host="192.0.2.1") as server, calling() as caller:
        with pytest.raises(AssertionError, match="508"):
            await allocate(caller, server.address)
        assert server.core.allocations == {}


async def test_relays_have_their_own_host():
    async with serving(relay_host="127.0.0.2") as server, calling() as caller:
        relayed, _ = await allocate(caller, server.address)
        assert relayed[0] == "127.0.0.2"


async def test_leaving_closes_everything():
    """The fixture sees whether a relay, a connection or a timer is left."""
    async with calling() as udp, serving() as server:
        await allocate(udp, server.address)
        stream = connected(server.address)
        tcp = await stream.__aenter__()
        await allocate(tcp, server.address)
        udp.send(c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT]), server.address)
    assert await tcp.ended()
    await stream.__aexit__(None, None, None)


async def test_leaving_while_a_relay_is_being_opened():
    async with calling() as caller, serving() as server:
        request = c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT])
        ada = c.Account()
        ada.nonce = c.read(await caller.ask(request, server.address)).attributes[c.NONCE]
        request = ada.request(c.ALLOCATE, c.UDP_TRANSPORT)
        server._datagram(request, caller.address, server.address)
        assert server.core.allocations == {}
        assert len(server._relays) == 1


async def test_leaving_while_a_client_connects():
    for turns in range(5):
        async with serving() as server:
            stream = connected(server.address)
            tcp = await stream.__aenter__()
            for _ in range(turns):
                await asyncio.sleep(0)
        assert await tcp.ended()
        await stream.__aexit__(None, None, None)


@pytest.mark.parametrize("garbage", [b"\xff" * 8, b"\0\1\xff\xfc", b"GET / HTTP/1.1\r\n" * 2000])
async def test_garbage_ends_a_connection(garbage):
    async with serving() as server, connected(server.address) as caller:
        caller.send(garbage)
        assert await caller.ended()
        assert server.counters.malformed >= 1


async def test_a_client_that_does_not_read_is_sent_no_more_data():
    async with serving() as server, connected(server.address) as caller, calling() as peer:
        relayed, ada = await allocate(caller, server.address)
        _, bind = permission_requests(ada, peer.address)
        await caller.ask(bind)

        caller.writer.transport.pause_reading()
        async with asyncio.timeout(DEADLINE_S):
            while server.counters.unsendable == 0:
                peer.send(bytes(50_000), relayed)
                await asyncio.sleep(0)
        caller.writer.transport.resume_reading()

        caller.send(c.message(c.BINDING, c.REQUEST))
        while (answer := await caller.receive())[0] == 0x40:
            assert answer == c.channel_data(0x4000, bytes(50_000))
        assert c.read(answer).address(c.XOR_MAPPED_ADDRESS) == caller.address


async def test_one_transport_only():
    async with serving(transports=[UDP]) as server:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*server.address)
    async with serving(transports=[TCP]) as server, connected(server.address) as caller:
        answer = c.read(await caller.ask(c.message(c.BINDING, c.REQUEST)))
        assert answer.address(c.XOR_MAPPED_ADDRESS) == caller.address


@BOTH
async def test_an_address_in_use(transport):
    async with serving(transports=[transport]) as server:
        reason = f"{transport.upper()} at 127.0.0.1:{server.address[1]} .*choose"
        with pytest.raises(OSError, match=reason):
            await serving(port=server.address[1]).__aenter__()


async def test_a_port_that_only_udp_can_have_is_not_taken(monkeypatch):
    """What a free port is, the system says for UDP; its TCP half may be somebody else's."""
    with socket.create_server((LOCALHOST, 0)) as taken:
        ports = iter([taken.getsockname()[1], 0])

        def unlucky(address, *rest):
            return open_endpoint((address[0], next(ports)), *rest)

        monkeypatch.setattr(module, "open_endpoint", unlucky)
        async with serving() as server, calling() as udp, connected(server.address) as tcp:
            assert server.address[1] != taken.getsockname()[1]
            for caller in udp, tcp:
                answer = await caller.ask(c.message(c.BINDING, c.REQUEST), server.address)
                assert c.read(answer).address(c.XOR_MAPPED_ADDRESS) == caller.address


async def test_it_is_not_looked_for_for_ever(monkeypatch):
    with socket.create_server((LOCALHOST, 0)) as taken:
        address = taken.getsockname()
        monkeypatch.setattr(module, "open_endpoint", lambda _, *rest: open_endpoint(address, *rest))
        with pytest.raises(OSError, match=f"TCP at 127.0.0.1:{address[1]} .*choose"):
            await serving().__aenter__()
