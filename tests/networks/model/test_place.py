"""Places made into topologies."""

import pytest

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
