"""Valid topologies, and the messages for invalid ones."""

import pytest

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FULL_CONE, PORT_RESTRICTED, FirewallType
from jamlab.networks.model.topology import (
    HostConfig,
    LanConfig,
    Topology,
    TopologyError,
    networks_around,
)

ALICE, BOB = HostConfig("alice"), HostConfig("bob")


def lan(*members, boxes=(PORT_RESTRICTED,), name="home", **options):
    return LanConfig(name, members, boxes, **options)


def test_equal_topologies_are_equal_and_can_be_keys():
    assert len({Topology((lan(ALICE), BOB)), Topology((lan(ALICE), BOB))}) == 1


def test_a_network_translates_when_a_nat_is_among_its_boxes():
    assert lan(ALICE, boxes=(FirewallType(), FULL_CONE)).translates
    assert not lan(ALICE, boxes=(FirewallType(), FirewallType())).translates


def test_the_largest_that_can_be():
    members = [HostConfig(f"h{n}", addresses=16) for n in range(15)]
    assert lan(*members, HostConfig("last", addresses=14), addresses=16).translates


def refused(build, *words):
    with pytest.raises(TopologyError) as error:
        build()
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["", "a.b", " a", "a\n", None, 7])
def test_names(name):
    refused(lambda: HostConfig(name), repr(name), "not a name for a host")
    refused(lambda: lan(ALICE, name=name), repr(name), "not a name for a network")


@pytest.mark.parametrize("addresses", [0, -1, 17, 1.0, "2", True, None])
def test_numbers_of_addresses(addresses):
    refused(lambda: HostConfig("alice", addresses=addresses), "'alice'", "1 to 16")
    refused(lambda: lan(ALICE, addresses=addresses), "'home'", "1 to 16")


@pytest.mark.parametrize("link", [0.01, None, LinkConfig])
def test_links(link):
    refused(lambda: HostConfig("alice", link), "link of host 'alice'", "LinkConfig")
    refused(lambda: lan(ALICE, link=link), "link of network 'home'", "LinkConfig")


@pytest.mark.parametrize("stranger", ["alice", None, PORT_RESTRICTED, Topology((ALICE,))])
def test_members_of_a_wrong_type(stranger):
    refused(lambda: Topology((ALICE, stranger)), "members of the internet", "HostConfig or Lan")
    refused(lambda: lan(ALICE, stranger), "members of network 'home'", "HostConfig or LanConfig")


@pytest.mark.parametrize("stranger", ["APDF", None, ALICE, PORT_RESTRICTED.mapping])
def test_boxes_of_a_wrong_type(stranger):
    refused(lambda: lan(ALICE, boxes=(stranger,)), "boxes of network 'home'", "NatType or Fire")


@pytest.mark.parametrize("members", [ALICE, [ALICE], None])
def test_members_that_are_not_a_tuple(members):
    refused(lambda: Topology(members), "members of the internet", "tuple")
    refused(lambda: LanConfig("home", members, (FULL_CONE,)), "members of network 'home'", "tuple")
    refused(lambda: lan(ALICE, boxes=FULL_CONE), "boxes of network 'home'", "tuple")


def test_no_members():
    refused(lambda: Topology(()), "the internet has no members")
    refused(lambda: lan(), "network 'home' has no members")
    refused(lambda: lan(ALICE, boxes=()), "network 'home' has no boxes")


def test_names_used_twice_at_any_depth():
    refused(lambda: Topology((ALICE, lan(lan(ALICE, name="inner")))), "have the same name (alice)")
    refused(lambda: Topology((lan(HostConfig("home")),)), "have the same name (home)")


def test_two_nats_on_one_set_of_addresses():
    boxes = (PORT_RESTRICTED, FirewallType(), FULL_CONE)
    refused(lambda: lan(ALICE, boxes=boxes), "'home' has 2 NATs", "nest")


def test_addresses_without_a_nat():
    refused(lambda: lan(ALICE, boxes=(FirewallType(),), addresses=2), "'home'", "no NAT to use")


def test_more_inside_than_there_are_addresses():
    hosts = [HostConfig(f"h{n}", addresses=16) for n in range(15)]
    plain = lan(*hosts, boxes=(FirewallType(),), name="plain")
    nat = lan(BOB, name="nat", addresses=14)
    assert lan(plain, nat)
    refused(lambda: lan(plain, nat, ALICE), "'home' needs 255 addresses", "254")


def test_the_networks_around_a_host():
    inner = lan(ALICE, name="inner")
    carrier = lan(inner, lan(HostConfig("eve"), name="other"), name="carrier")
    topology = Topology((BOB, carrier))
    assert networks_around(topology, "alice") == (inner, carrier)
    assert networks_around(topology, "bob") == ()
    with pytest.raises(KeyError, match="there is no host 'carrier'"):
        networks_around(topology, "carrier")


DUAL = HostConfig("dual", ipv6=True)


@pytest.mark.parametrize("firewall", Ipv6Firewall)
def test_a_host_with_ipv6_in_a_network_with_ipv6(firewall):
    assert lan(lan(DUAL, ALICE, name="inner", ipv6=firewall), ipv6=Ipv6Firewall.NONE)


def test_ipv6_that_ends_at_a_network():
    """An address that nobody outside can reach is not public."""
    words = "network 'home' has no IPv6", "'dual'"
    refused(lambda: lan(DUAL), *words)
    refused(lambda: lan(lan(DUAL, name="inner", ipv6=Ipv6Firewall.NONE)), "'inner'", "'home'")


@pytest.mark.parametrize("ipv6", ["stateful", True, FirewallType()])
def test_ipv6_of_a_wrong_type(ipv6):
    refused(lambda: lan(ALICE, ipv6=ipv6), "ipv6 of network 'home'", "Ipv6Firewall.STATEFUL")


@pytest.mark.parametrize("ipv6", ["yes", None, Ipv6Firewall.NONE])
def test_ipv6_of_a_host_is_yes_or_no(ipv6):
    refused(lambda: HostConfig("alice", ipv6=ipv6), "ipv6 of host 'alice'", "True or False")


def test_a_network_with_an_ipv6_firewall_alone():
    assert not lan(DUAL, boxes=(), ipv6=Ipv6Firewall.STATEFUL).translates
    refused(lambda: lan(DUAL, boxes=(), ipv6=Ipv6Firewall.NONE), "'home' has no boxes")
