"""Build plans: the addresses of the simulated internet, and a route to each of them."""

import itertools

import pytest
from hypothesis import given

from jamlab.networks.kernel.nftables import KernelRefusalError
from jamlab.networks.kernel.wiring import plan
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import FULL_CONE, PORT_RESTRICTED, SYMMETRIC, FirewallType
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology, networks_around
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from tests.examples import examples
from tests.networks.kernel.boxes import home, kernel_topologies

ALICE = HostConfig("alice")
SHORT = FirewallType(lifetime_s=5.0, inbound_refresh=True)


async def simulated(topology):
    hosts = Internet(topology).hosts
    return {host.name: (host.addresses, host.ipv6_addresses) for host in hosts}


@given(kernel_topologies())
@examples(60)
def test_addresses_are_the_simulated_ones(topology):
    built = plan(topology)
    planned = {name: (own, built.ipv6[name]) for name, (_, own) in built.hosts.items()}
    assert planned == run_simulated(simulated(topology), seed=1)


def addresses_of(built, place):
    return {a for cable in built.cables if cable.inner == place for a in cable.addresses}


def delivered(built, place, destination):
    """Follow a packet by the tables of routes: down where there is one, else up."""
    passed = [place]
    while destination not in addresses_of(built, place):
        down = [c for c in built.cables if c.outer == place and destination in c.reached]
        up = [c for c in built.cables if c.inner == place]
        assert len(down) <= 1
        assert len(up) <= 1
        if not down and not up:
            return passed, None
        place = down[0].inner if down else up[0].outer
        passed.append(place)
        assert len(passed) < 50, "it runs in circles"
    return passed, place


@given(kernel_topologies())
@examples(60)
def test_there_is_a_way_to_whatever_is_not_hidden(topology):
    """From every host to every other: to it, or if that is behind a NAT, to the backbone's end."""
    built = plan(topology)
    for name, (start, _) in built.hosts.items():
        mine = networks_around(topology, name)
        for other, (end, addresses) in built.hosts.items():
            hidden = any(
                lan.translates for lan in networks_around(topology, other) if lan not in mine
            )
            for address in addresses:
                passed, reached = delivered(built, start, address)
                assert reached == (None if hidden else end)
                if hidden:
                    assert passed[-1] == 0
            for address in built.ipv6[other]:
                assert delivered(built, start, address)[1] == end


@given(kernel_topologies())
@examples(60)
def test_ipv6_is_where_it_has_to_pass_and_nowhere_else(topology):
    built = plan(topology)
    needed = set()
    for name, addresses in built.ipv6.items():
        if addresses:
            needed |= {*delivered(built, built.hosts[name][0], "2001:db8::1")[0]}
    for place, node in enumerate(built.nodes):
        assert (node.settings["ipv6/conf/all/disable_ipv6"] == "0") is (place in needed)
        hosts = {start for start, _ in built.hosts.values()}
        forwards = node.settings.get("ipv6/conf/all/forwarding") == "1"
        assert forwards is (place in needed and place not in hosts)


@given(kernel_topologies())
@examples(60)
def test_a_host_gets_out_through_its_boxes_in_their_order(topology):
    built = plan(topology)
    for name, (start, _) in built.hosts.items():
        passed, _ = delivered(built, start, "203.0.113.1")
        lans = networks_around(topology, name)
        assert passed == [start, *(place for lan in lans for place in built.boxes[lan.name]), 0]
        for lan in lans:
            for place, box in zip(built.boxes[lan.name], lan.boxes, strict=True):
                translates = "hook postrouting" in built.nodes[place].rules
                assert translates is not isinstance(box, FirewallType)


@given(kernel_topologies())
@examples(60)
def test_interfaces_and_ports_are_there_once(topology):
    built = plan(topology)
    ends = [(cable.outer, cable.outer_end) for cable in built.cables]
    ends += [(cable.inner, cable.inner_end) for cable in built.cables]
    assert len(set(ends)) == len(ends)
    assert all(len(name) <= 15 for _, name in ends)  # IFNAMSIZ, with the closing zero
    ports = []
    for place, _ in built.hosts.values():
        first, last = map(int, built.nodes[place].settings["ipv4/ip_local_port_range"].split())
        assert 1024 <= first < last <= 65535
        ports.append(range(first, last + 1))
    ports.sort(key=lambda own: own.start)
    assert all(one[-1] < other[0] for one, other in itertools.pairwise(ports))


DUAL = HostConfig("dual", ipv6=True)


def test_the_ipv6_firewall_is_in_the_innermost_box():
    boxes = (FULL_CONE, FirewallType())
    built = plan(Topology((LanConfig("lan", (DUAL,), boxes, ipv6=Ipv6Firewall.STATEFUL),)))
    inner, outer = (built.nodes[place].rules for place in built.boxes["lan"])
    assert "table ip6" in inner
    assert "table ip6" not in outer


def test_an_ipv6_firewall_alone_is_a_box():
    built = plan(Topology((LanConfig("lan", (DUAL,), (), ipv6=Ipv6Firewall.CLOSED),)))
    (place,) = built.boxes["lan"]
    node = built.nodes[place]
    assert "table ip " not in node.rules
    assert "table ip6" in node.rules
    assert node.settings["netfilter/nf_conntrack_udp_timeout"] == "300"
    assert delivered(built, 0, "198.18.0.1")[1] == delivered(built, 0, "2001:2::1")[1] != 0


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (LanConfig("lan", (ALICE,), (FULL_CONE,), addresses=2), "'lan' has 2 addresses"),
        (home("alice", (PORT_RESTRICTED,), (SYMMETRIC, FirewallType(lifetime_s=5.0))), "alice-1"),
        (
            LanConfig("lan", (DUAL,), (SHORT,), ipv6=Ipv6Firewall.STATEFUL),
            "'lan': the kernel has the same lifetimes for both versions of IP",
        ),
    ],
)
def test_what_cannot_be_built(member, words):
    with pytest.raises(KernelRefusalError) as error:
        plan(Topology((member,)))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_more_hosts_than_there_are_ports_for():
    plan(Topology(tuple(HostConfig(f"h{n}") for n in range(768))))
    with pytest.raises(KernelRefusalError, match=r"769 hosts leave .* 63 ports .* at most 768"):
        plan(Topology(tuple(HostConfig(f"h{n}") for n in range(769))))
