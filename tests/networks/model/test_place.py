"""Places made into topologies."""

import pytest

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC, Filtering, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig, Topology

ACCESS = LinkConfig(delay_s=0.02)
BLOCKED = FirewallType(Filtering.APDF, udp_blocked=True)


def test_in_the_open():
    assert Place("open").member("ada", ACCESS) == HostConfig("ada", ACCESS)


def test_layers_go_from_the_inside_out():
    place = Place("CGN", ((PORT_RESTRICTED, BLOCKED), (SYMMETRIC,)))
    outer = place.member("ada", ACCESS)
    assert isinstance(outer, LanConfig)
    assert (outer.boxes, outer.link) == ((SYMMETRIC,), ACCESS)
    (inner,) = outer.members
    assert (inner.boxes, inner.link) == ((PORT_RESTRICTED, BLOCKED), PERFECT)
    assert inner.members == (HostConfig("ada"),)


@pytest.mark.parametrize("layers", [(), ((PORT_RESTRICTED,),), ((PORT_RESTRICTED,), (SYMMETRIC,))])
def test_two_of_a_kind_fit_into_one_topology(layers):
    place = Place("place", layers)
    Topology((place.member("ada", ACCESS), place.member("bob", ACCESS)))


PLAIN = Place("home", ((PORT_RESTRICTED, BLOCKED), (SYMMETRIC,)))


class TestVariant:
    def test_of_nothing_is_the_place(self):
        assert PLAIN.variant() == PLAIN

    def test_says_what_it_is(self):
        both = PLAIN.variant(Ipv6Firewall.STATEFUL, port_mapping=True)
        assert both.name == "home, IPv6 stateful, port mapping"
        assert both.ipv6 is Ipv6Firewall.STATEFUL

    def test_only_the_own_router_maps(self):
        mapping = PLAIN.variant(port_mapping=True)
        assert mapping.maps_ports
        (own, firewall), (carrier,) = mapping.layers
        assert (own.port_mapping, carrier.port_mapping) == (True, False)
        assert firewall == BLOCKED
        assert not PLAIN.maps_ports

    @pytest.mark.parametrize("layers", [(), ((BLOCKED,),), ((BLOCKED,), (PORT_RESTRICTED,))])
    def test_without_a_router_of_its_own(self, layers):
        with pytest.raises(ValueError, match="'some' has no router of its own"):
            Place("some", layers).variant(port_mapping=True)

    @pytest.mark.parametrize(
        "variant",
        [PLAIN.variant(Ipv6Firewall.NONE), PLAIN.variant(port_mapping=True)],
        ids=lambda place: place.name,
    )
    def test_of_a_variant(self, variant):
        """Its name would say one thing and the boxes another."""
        with pytest.raises(ValueError, match="a variant already"):
            variant.variant(Ipv6Firewall.CLOSED)


class TestIpv6:
    def test_passes_the_firewall_once(self):
        """The carrier routes, the participant's own router filters."""
        outer = PLAIN.variant(Ipv6Firewall.CLOSED).member("ada", ACCESS)
        assert outer.ipv6 is Ipv6Firewall.NONE
        (inner,) = outer.members
        assert inner.ipv6 is Ipv6Firewall.CLOSED
        assert inner.members == (HostConfig("ada", ipv6=True),)

    def test_in_the_open(self):
        host = Place("open").variant(Ipv6Firewall.NONE).member("ada", ACCESS)
        assert host == HostConfig("ada", ACCESS, ipv6=True)

    @pytest.mark.parametrize("firewall", [Ipv6Firewall.STATEFUL, Ipv6Firewall.CLOSED])
    def test_behind_a_firewall_that_leaves_ipv4_open(self, firewall):
        network = Place("open").variant(firewall).member("ada", ACCESS)
        assert isinstance(network, LanConfig)
        assert (network.boxes, network.ipv6, network.link) == ((), firewall, ACCESS)
