"""Routing of IPv6 beside IPv4, and of what routers map."""

import asyncio
import inspect
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import (
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
)
from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.line import IP_UDP_HEADER, IPV6_UDP_HEADER
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.nat import Nat
from jamlab.networks.simulated.routing import Middlebox
from tests.examples import examples
from tests.networks.simulated.internets import Port, delay, echo, internet, port

PUBLIC = HostConfig("public", ipv6=True)


def dual(name):
    return HostConfig(name, ipv6=True)


def lan(name, *members, ipv6=Ipv6Firewall.NONE, boxes=(PORT_RESTRICTED,), **options):
    return LanConfig(name, members, boxes, ipv6=ipv6, **options)


async def ipv6_port(host, answer=None):
    with host:
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Port(answer), local_addr=("::", 0)
        )
    return protocol


@pytest.mark.parametrize("box", [Nat, Firewall])
@pytest.mark.parametrize("question", ["outgoing", "incoming"])
def test_boxes_have_the_interface(box, question):
    asked = inspect.signature(getattr(box, question))
    assert asked == inspect.signature(getattr(Middlebox, question))


class TestIpv6:
    @pytest.mark.parametrize(
        ("firewall", "unsolicited", "answer"),
        [
            (Ipv6Firewall.NONE, True, True),
            (Ipv6Firewall.STATEFUL, False, True),
            (Ipv6Firewall.CLOSED, False, False),
        ],
    )
    def test_firewalls_let_in_what_rfc_6092_says(self, firewall, unsolicited, answer):
        async def main():
            net = internet(lan("home", dual("alice"), ipv6=firewall), PUBLIC)
            here = await ipv6_port(net.host("alice"))
            there = await ipv6_port(net.host("public"), answer=echo)
            there.send(b"first", here.address)
            await asyncio.sleep(1)
            assert [data for data, _ in here.received] == [b"first"] * unsolicited
            here.received.clear()
            here.send(b"asked", there.address)
            await asyncio.sleep(1)
            assert here.received == [(b"asked", there.address)] * answer

        run_simulated(main())

    def test_two_stateful_firewalls_open_when_both_send_first(self):
        async def main():
            stateful = Ipv6Firewall.STATEFUL
            homes = (lan(f"{name}-home", dual(name), ipv6=stateful) for name in ("alice", "bob"))
            net = internet(*homes)
            a, b = [await ipv6_port(host) for host in net.hosts]
            a.send(b"lost", b.address)
            b.send(b"arrives", a.address)
            a.send(b"arrives, too", b.address)
            await asyncio.sleep(1)
            assert [data for data, _ in a.received] == [b"arrives"]
            assert [data for data, _ in b.received] == [b"arrives, too"]

        run_simulated(main())

    def test_closed_lets_streams_out(self):
        """A relay over TCP could be reached."""

        async def main():
            net = internet(lan("office", dual("alice"), ipv6=Ipv6Firewall.CLOSED), PUBLIC)
            loop, server = asyncio.get_running_loop(), net.host("public")
            with server:
                listening = await loop.create_server(Port, server.ipv6_addresses[0], 443)
            with net.host("alice"):
                transport, _ = await loop.create_connection(Port, server.ipv6_addresses[0], 443)
            assert transport.get_extra_info("sockname")[0] == net.host("alice").ipv6_addresses[0]
            transport.close()
            listening.close()
            await asyncio.sleep(1)

        run_simulated(main())

    def test_addresses_are_kept_on_the_way_through_any_nats(self):
        async def main():
            home = lan("home", dual("alice"), boxes=(SYMMETRIC,))
            net = internet(lan("carrier", home, boxes=(SYMMETRIC,)), PUBLIC)
            here = await ipv6_port(net.host("alice"))
            there = await ipv6_port(net.host("public"), answer=echo)
            here.send(b"x", there.address)
            await asyncio.sleep(1)
            assert there.received == [(b"x", here.address)]
            assert here.received == [(b"x", there.address)]

        run_simulated(main())

    @pytest.mark.parametrize("filtering", Filtering)
    def test_boxes_for_ipv4_do_not_see_it(self, filtering):
        blocking = FirewallType(filtering, udp_blocked=True)

        async def main():
            net = internet(lan("home", dual("alice"), boxes=(blocking,)), PUBLIC)
            here = await ipv6_port(net.host("alice"))
            (await ipv6_port(net.host("public"))).send(b"in", here.address)
            await asyncio.sleep(1)
            assert [data for data, _ in here.received] == [b"in"]

        run_simulated(main())

    def test_the_two_versions_do_not_mix(self):
        async def main():
            net = internet(dual("alice"), PUBLIC)
            here, there = await port(net.host("alice")), await ipv6_port(net.host("public"))
            here.send(b"x", there.address)
            await asyncio.sleep(1)
            assert there.received == []
            assert net.lost == {"no such address": 1}

        run_simulated(main())

    def test_a_host_that_changes_networks_is_reached_at_its_new_address(self):
        async def main():
            net = internet(lan("carrier", lan("home", dual("alice"))), PUBLIC)
            alice, there = net.host("alice"), await ipv6_port(net.host("public"))
            old = await ipv6_port(alice)
            net.readdress("alice")
            new = await ipv6_port(alice)
            assert old.address[0] not in alice.ipv6_addresses
            for each in (old, new):
                there.send(b"x", each.address)
            await asyncio.sleep(1)
            assert (old.received, len(new.received)) == ([], 1)

        run_simulated(main())

    def test_its_header_is_longer(self):
        """RFC 8200 section 3: 40 bytes instead of 20; it shows on a slow link."""

        async def main():
            slow = LinkConfig(rate_bit_s=8e3)
            net = internet(HostConfig("alice", slow, ipv6=True), PUBLIC)
            for opened in (port, ipv6_port):
                here, there = await opened(net.host("alice")), await opened(net.host("public"))
                begun_s = asyncio.get_running_loop().time()
                here.send(bytes(100), there.address)
                await asyncio.sleep(1)
                header = IP_UDP_HEADER if opened is port else IPV6_UDP_HEADER
                (at_s,) = there.times_s
                assert at_s - begun_s == pytest.approx((100 + header) / 1000)

        run_simulated(main())
        assert IPV6_UDP_HEADER - IP_UDP_HEADER == 40 - 20


@st.composite
def trees(draw):
    """Topologies of hosts and networks up to three deep, with IPv6 as deep as it comes."""
    names = itertools.count()

    def member(depth, dual_stack):
        name, has = f"n{next(names)}", dual_stack and draw(st.booleans())
        if depth == 0 or draw(st.booleans()):
            return HostConfig(name, ipv6=has)
        members = tuple(member(depth - 1, has) for _ in range(draw(st.integers(1, 3))))
        firewall = draw(st.sampled_from([Ipv6Firewall.NONE, Ipv6Firewall.STATEFUL]))
        box = draw(st.sampled_from([PORT_RESTRICTED, SYMMETRIC, FirewallType()]))
        return LanConfig(name, members, (box,), delay(0.01), ipv6=firewall if has else None)

    return Topology((PUBLIC, *(member(3, True) for _ in range(draw(st.integers(1, 3))))))


@examples(60)
@given(trees())
def test_everybody_with_ipv6_reaches_a_public_host_and_hears_its_answer(topology):
    async def main():
        net = Internet(topology)
        public = await ipv6_port(net.host("public"), answer=echo)
        clients = [await ipv6_port(host) for host in net.hosts[1:] if host.ipv6_addresses]
        for client in clients:
            client.send(b"x", public.address)
        await asyncio.sleep(1)
        assert [client.received for client in clients] == [[(b"x", public.address)]] * len(clients)
        assert {source for _, source in public.received} == {each.address for each in clients}
        assert not net.lost

    run_simulated(main())


MAPS = NatType(Mapping.APDM, Filtering.APDF, port_mapping=True)


class TestMappedPorts:
    def test_of_the_own_router_only(self):
        """It is the one that UPnP's multicast and a NAT-PMP client's default route reach."""

        async def main():
            below = lan("home", HostConfig("alice"), boxes=(PORT_RESTRICTED,), ipv6=None)
            maps = lan("home-2", HostConfig("bob"), boxes=(MAPS,), ipv6=None)
            carriers = [
                LanConfig("maps", (below,), (MAPS,)),
                LanConfig("maps-not", (maps,), (PORT_RESTRICTED,)),
            ]
            net = internet(*carriers, PUBLIC)
            assert net.host("alice").map_port(5000) is None
            assert net.host("public").map_port(5000) is None
            host, _ = net.host("bob").map_port(5000)
            assert host.startswith("100.64.")  # RFC 6598: of the carrier's network

        run_simulated(main())

    def test_are_open_to_everybody_until_they_are_given_back(self):
        async def main():
            net = internet(lan("home", HostConfig("alice"), boxes=(MAPS,), ipv6=None), PUBLIC)
            alice, stranger = net.host("alice"), await port(net.host("public"))
            here = await port(alice)
            outside = alice.map_port(here.address[1])
            stranger.send(b"1", outside)
            await asyncio.sleep(1)
            alice.unmap_port(here.address[1])
            stranger.send(b"2", outside)
            await asyncio.sleep(1)
            assert [data for data, _ in here.received] == [b"1"]

        run_simulated(main())

    def test_are_of_one_transport(self):
        nat = Nat(MAPS, ["198.51.100.1"], None)
        outside = nat.map_port(("10.0.0.1", 5000), 60.0, 0.0)
        assert outside == ("198.51.100.1", 5000)
        for transport, arrives in ((UDP, True), (TCP, False)):
            packet = Packet(("192.0.2.1", 1), outside, b"", transport)
            assert (nat.incoming(packet, 0.0) is not None) is arrives
