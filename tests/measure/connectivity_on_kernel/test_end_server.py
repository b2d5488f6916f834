"""Ports of a `PortLoop`'s sockets, aioice's too, and coturn's answer to a used port."""

import asyncio
import contextlib
import itertools
from asyncio import DatagramProtocol

import pytest
from aioice import Connection, TransportPolicy

from jamlab.measure.connectivity_on_kernel.end_server import PortLoop
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.listening import free_ports

THERE = "127.0.0.1"
needs_coturn = pytest.mark.skipif(
    coturn.unavailable() is not None, reason=coturn.unavailable() or ""
)


def run(ports, main):
    with asyncio.Runner(loop_factory=lambda: PortLoop(ports)) as runner:
        return runner.run(main)


async def local_ports(*addresses):
    """Open a socket for each local and remote address, and return their ports."""
    loop = asyncio.get_running_loop()
    found = []
    with contextlib.ExitStack() as stack:
        for local, remote in addresses:
            transport, _ = await loop.create_datagram_endpoint(DatagramProtocol, local, remote)
            stack.callback(transport.close)
            found.append(transport.get_extra_info("sockname")[1])
    return found


class TestSockets:
    def test_get_the_ports_in_turn(self):
        ports = free_ports([THERE], 3)
        wanted = ((THERE, 0), None), (None, (THERE, 9)), ((THERE, 0), (THERE, 9))
        assert run(ports, local_ports(*wanted)) == ports

    def test_that_say_which_get_that(self):
        own, first, second = free_ports([THERE], 3)
        wanted = ((THERE, 0), None), ((THERE, own), None), ((THERE, 0), None)
        assert run([first, second], local_ports(*wanted)) == [first, own, second]

    def test_beyond_the_last_get_what_the_kernel_draws(self):
        (only,) = free_ports([THERE], 1)
        wanted = ((THERE, 0), None), ((THERE, 0), None), (None, (THERE, 9))
        first, *drawn = run([only], local_ports(*wanted))
        assert first == only
        assert 0 not in drawn
        assert only not in drawn

    def test_fail_on_a_port_that_is_taken_as_elsewhere(self):
        with pytest.raises(OSError, match="Address already in use"):
            run(free_ports([THERE], 1) * 2, local_ports(*[((THERE, 0), None)] * 2))


def agent(server, user):
    return Connection(
        ice_controlling=True,
        turn_server=(server.addresses[0], server.port),
        turn_username=user,
        turn_password="secret",
        transport_policy=TransportPolicy.RELAY,
        use_ipv6=False,
    )


async def relays(server, user):
    """Return how many relayed candidates an agent of aioice gathers; it gives them back."""
    one = agent(server, user)
    await one.gather_candidates()
    found = [candidate.type for candidate in one.local_candidates]
    await one.close()
    return found


def ports_of_agents(count):
    """Return a list of free ports for each: one for every address of this machine and one more."""
    free = iter(free_ports(["0.0.0.0"], 32))
    return [list(itertools.islice(free, 32 // count)) for _ in range(count)]


@needs_coturn
class TestWithATurnServer:
    def test_who_has_ports_of_his_own_gets_a_relay(self):
        first, second = ports_of_agents(2)
        with Coturn(users={"ada": "secret", "ben": "secret"}) as server:
            assert run(first, relays(server, "ada")) == ["relay"]
            assert run(second, relays(server, "ben")) == ["relay"]

    def test_who_has_somebody_elses_does_not(self):
        """Why there is such a loop: this is what becomes of the kernel's choice now and then."""
        (same,) = ports_of_agents(1)
        with Coturn(users={"ada": "secret", "ben": "secret"}) as server:
            assert run(same, relays(server, "ada")) == ["relay"]
            assert run(same, relays(server, "ben")) == []
        assert "error 437: Mismatched allocation" in server.log
