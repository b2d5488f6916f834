"""Ports, names and contexts of a host."""

import asyncio
import contextvars
import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.simulated.host import EPHEMERAL_PORTS, Host, current_host
from jamlab.networks.simulated.loop import run_simulated
from tests.networks.simulated.internets import Port, port, wired


def host(*addresses, names=(), first_port=EPHEMERAL_PORTS.start):
    return Host("alice", addresses or ("10.0.0.1",), print, dict(names), first_port)


class Bound:
    def __init__(self):
        self.packets = []

    def receive(self, packet):
        self.packets.append(packet)


# Who runs where


def test_code_outside_of_a_host_is_told_so():
    with pytest.raises(RuntimeError, match="start it inside `with host:`"):
        current_host()


def test_hosts_nest():
    outer, inner = host(), host()
    with outer:
        with inner, inner:
            assert current_host() is inner
        assert current_host() is outer


async def test_tasks_keep_the_host_they_were_started_on():
    """Two tasks inside of one host, leaving in the order they entered."""
    here, there = host(), host()

    async def visit(rounds):
        assert current_host() is here
        with there:
            for _ in range(rounds):
                await asyncio.sleep(0)
                assert current_host() is there
        assert current_host() is here

    with here:
        tasks = [asyncio.create_task(visit(rounds)) for rounds in (1, 3, 2)]
    with pytest.raises(RuntimeError):
        current_host()
    await asyncio.gather(*tasks)


def test_a_packet_is_handled_in_the_receivers_context():
    said = contextvars.ContextVar("said", default="nothing")

    class Listening(Port):
        def datagram_received(self, data, addr):
            self.heard = current_host().name, said.get()

        def connection_lost(self, exc):
            self.last = current_host().name

    async def main():
        (a, b), _ = wired()
        said.set("by the receiver")
        with b:
            transport, listening = await asyncio.get_running_loop().create_datagram_endpoint(
                Listening
            )
        said.set("by the sender")
        sender = await port(a)
        with a:
            sender.send(b"x", listening.address)
        await asyncio.sleep(1)
        with a:
            transport.close()
        await asyncio.sleep(1)
        assert listening.heard == ("h2", "by the receiver")
        assert listening.last == "h2"

    run_simulated(main())


# Names


@pytest.mark.parametrize("name", ["10.0.0.7", "bob"])
def test_names_and_addresses_resolve(name):
    assert host(names={"bob": "10.0.0.7"}).resolve(name) == "10.0.0.7"


@pytest.mark.parametrize("address", ["2001:2::a", "2001:0002:0:0:0:0:0:A"])
def test_ipv6_addresses_resolve_to_their_short_form(address):
    """RFC 5952 section 4."""
    assert host().resolve(address) == "2001:2::a"


@pytest.mark.parametrize(
    "name", ["nobody", "1.2.3", "1.2.3.4.5", "256.1.1.1", "12", "", "²", "::g", "2001:2::1%eth0"]
)
def test_what_is_neither_is_an_error_of_the_kind_sockets_raise(name):
    with pytest.raises(socket.gaierror, match="no host"):
        host().resolve(name)


# Ports


@given(
    st.integers(EPHEMERAL_PORTS.start, EPHEMERAL_PORTS.stop - 1),
    st.sets(st.integers(EPHEMERAL_PORTS.start, EPHEMERAL_PORTS.stop - 1), max_size=50),
)
def test_free_ports_are_ephemeral_and_never_taken(first, taken):
    machine = host(first_port=first)
    for number in taken:
        machine.bind(UDP, ("10.0.0.1", number), Bound())
    given_out = set()
    for _ in range(20):
        address = machine.free_address(UDP)
        machine.bind(UDP, address, Bound())
        given_out.add(address[1])
    assert len(given_out) == 20
    assert not given_out & taken
    assert given_out <= set(EPHEMERAL_PORTS)


def test_the_last_port_is_found_and_then_there_is_none():
    machine = host()
    for number in EPHEMERAL_PORTS:
        if number != 60_000:
            machine.bind(UDP, ("10.0.0.1", number), Bound())
    assert machine.free_address(UDP) == ("10.0.0.1", 60_000)
    machine.bind(UDP, ("10.0.0.1", 60_000), Bound())
    with pytest.raises(OSError, match="no udp port left") as error:
        machine.free_address(UDP)
    assert error.value.errno == errno.EADDRINUSE
    assert machine.free_address(TCP)[1] in EPHEMERAL_PORTS


def test_a_port_is_taken_per_address_and_transport():
    machine = host("10.0.0.1", "10.0.0.2")
    machine.bind(UDP, ("10.0.0.1", 3478), Bound())
    with pytest.raises(OSError, match="alice has udp port 3478 in use") as error:
        machine.free_address(UDP, ("10.0.0.1", 3478))
    assert error.value.errno == errno.EADDRINUSE
    assert machine.free_address(UDP, ("10.0.0.2", 3478)) == ("10.0.0.2", 3478)
    assert machine.free_address(TCP, ("10.0.0.1", 3478)) == ("10.0.0.1", 3478)
    machine.release(UDP, ("10.0.0.1", 3478))
    assert machine.free_address(UDP, ("0.0.0.0", 3478)) == ("10.0.0.1", 3478)


def test_a_foreign_address_cannot_be_bound():
    with pytest.raises(OSError, match=r"alice has no address 9\.9\.9\.9") as error:
        host().free_address(UDP, ("9.9.9.9", 0))
    assert error.value.errno == errno.EADDRNOTAVAIL


def test_packets_reach_the_socket_of_their_address_port_and_transport():
    machine, bound = host("10.0.0.1", "10.0.0.2"), {}
    keys = [
        (transport, (address, number))
        for transport in (UDP, TCP)
        for address in machine.addresses
        for number in (1, 2)
    ]
    for key in keys:
        bound[key] = Bound()
        machine.bind(*key, bound[key])
    for transport, destination in keys:
        machine.receive(Packet(("8.8.8.8", 1), destination, b"x", transport))
        assert bound[transport, destination].packets[0].destination == destination
    assert [len(one.packets) for one in bound.values()] == [1] * len(keys)
    machine.receive(Packet(("8.8.8.8", 1), ("10.0.0.1", 3), b"x"))
    assert machine.unclaimed == 1


# UDP


def test_a_connected_port_takes_and_sends_nothing_else():
    async def main():
        (a, b, c), carried = wired(3)
        server, other = await port(b), await port(c)
        client = await port(a, remote=server.address)
        other.send(b"stranger", client.address)
        server.send(b"friend", client.address)
        client.send(b"by default", None)
        client.send(b"the same", server.address)
        with pytest.raises(ValueError, match="send to that address only"):
            client.send(b"x", other.address)
        with pytest.raises(ValueError, match="give a destination address"):
            server.send(b"x", None)
        await asyncio.sleep(1)
        assert client.received == [(b"friend", server.address)]
        assert [data for data, _ in server.received] == [b"by default", b"the same"]
        assert client.transport.get_extra_info("peername") == server.address
        assert len(carried) == 4

    run_simulated(main())


def test_a_closed_port_is_free_silent_and_told_once():
    async def main():
        (a, b), carried = wired()
        here, there = await port(a, 5000), await port(b)
        there.send(b"too late", here.address)
        here.transport.close()
        here.transport.abort()
        here.send(b"nothing", there.address)
        assert here.transport.is_closing()
        assert here.lost == 0
        again = await port(a, 5000)
        await asyncio.sleep(1)
        assert here.lost == 1
        assert (here.received, there.received) == ([], [])
        assert again.received == [(b"too late", there.address)]
        assert len(carried) == 1

    run_simulated(main())


def test_what_a_protocol_raises_harms_nobody_else(caplog):
    class Failing(Port):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            raise KeyError("in the protocol")

    async def main():
        (a, b), _ = wired()
        sender = await port(a)
        with b:
            _, failing = await asyncio.get_running_loop().create_datagram_endpoint(Failing)
        for data in (b"1", b"2"):
            sender.send(data, failing.address)
        await asyncio.sleep(1)
        assert [data for data, _ in failing.received] == [b"1", b"2"]

    run_simulated(main())
    assert caplog.text.count("in the protocol") >= 2


def test_what_was_sent_does_not_change_afterwards():
    async def main():
        (a, b), _ = wired()
        sender, receiver = await port(a), await port(b)
        data = bytearray(b"before")
        sender.send(data, receiver.address)
        data[:] = b"after."
        sender.send(memoryview(data)[:2], receiver.address)
        await asyncio.sleep(1)
        assert [data for data, _ in receiver.received] == [b"before", b"af"]

    run_simulated(main())


# Two versions of IP


DUAL = "2001:2::1", "2001:2::2"


def dual():
    return Host("alice", ("10.0.0.1",), print, {}, ipv6_addresses=DUAL)


def test_unspecified_addresses_are_the_first_of_their_version():
    assert dual().free_address(UDP, ("::", 5))[0] == DUAL[0]
    assert dual().free_address(UDP, ("0.0.0.0", 5))[0] == "10.0.0.1"
    assert dual().free_address(UDP, (DUAL[1], 5)) == (DUAL[1], 5)
    assert dual().free_address(UDP, (DUAL[1], 5, 0, 0)) == (DUAL[1], 5)


@pytest.mark.parametrize("address", ["::", "2001:2::3"])
def test_a_host_without_ipv6_has_no_such_port(address):
    """As where the kernel has no IPv6, it is an OSError, which aioice expects."""
    with pytest.raises(OSError, match="alice has no address") as caught:
        host().free_address(UDP, (address, 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_sockets_show_ipv6_addresses_as_pythons_do():
    """With flow information and scope (RFC 3493 section 3.3)."""

    async def main():
        sent = []
        here = Host("alice", ("10.0.0.1",), sent.append, {}, ipv6_addresses=DUAL)
        with here:
            transport, seen = await asyncio.get_running_loop().create_datagram_endpoint(
                Port, local_addr=(DUAL[0], 7)
            )
        assert transport.get_extra_info("sockname") == (DUAL[0], 7, 0, 0)
        here.receive(Packet((DUAL[1], 8), (DUAL[0], 7), b"x"))
        assert seen.received == [(b"x", (DUAL[1], 8, 0, 0))]
        seen.send(b"y", seen.received[0][1])
        assert sent == [Packet((DUAL[0], 7), (DUAL[1], 8), b"y")]
        transport.close()

    run_simulated(main())


def test_a_port_for_an_ipv6_destination_is_an_ipv6_port():
    async def main():
        here = dual()
        with here:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(Port, remote_addr=("2001:2::9", 7))
        assert transport.get_extra_info("sockname")[0] == DUAL[0]
        assert transport.get_extra_info("peername") == ("2001:2::9", 7, 0, 0)
        transport.close()

    run_simulated(main())


# Port mapping


def test_without_a_router_nobody_maps_ports():
    assert host().map_port(5000) is None
    host().unmap_port(5000)


def test_a_router_is_asked_for_the_first_address():
    class Router:
        asked = ()

        def map_port(self, inside, lifetime_s):
            self.asked = inside, lifetime_s
            return "198.51.100.1", 6000

        def unmap_port(self, inside):
            self.asked = inside, 0

    alice = host("10.0.0.1", "10.0.0.2")
    alice.router = Router()
    assert alice.map_port(5000) == ("198.51.100.1", 6000)
    assert alice.router.asked == (("10.0.0.1", 5000), 7200)  # RFC 6886 section 3.3
    alice.unmap_port(5000)
    assert alice.router.asked == (("10.0.0.1", 5000), 0)
