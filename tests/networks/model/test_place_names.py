"""Places found by their names, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import Filtering, Mapping, NatType, PortAllocation
from jamlab.networks.model.packet import TCP, UDP, Packet
from jamlab.networks.model.place_names import place_named
from jamlab.networks.simulated.firewall import Firewall

BLOCKED = "UDP blocked"


class TestPlainPlaces:
    @given(st.sampled_from(Mapping), st.sampled_from(Filtering), st.sampled_from(PortAllocation))
    def test_a_nat_is_named_as_it_behaves_however_it_is_spelled(self, mapping, filtering, ports):
        nat = NatType(mapping, filtering, ports)
        spellings = {nat.name, nat.name.lower()}
        if ports is PortAllocation.PRESERVE:
            spellings.add(f"{mapping}/{filtering}")
        for spelling in spellings:
            place = place_named(spelling)
            assert (place.name, place.layers) == (nat.name, ((nat,),))

    def test_in_the_open_nothing_is_in_the_way(self):
        assert place_named("open").layers == ()

    def test_the_home_router_is_inside_the_carrier(self):
        place = place_named("CGN APDM/APDF/random + EIM/ADF")
        (home,), (carrier,) = place.layers
        assert place.name == "CGN APDM/APDF/random + EIM/ADF"
        assert (home.mapping, home.filtering) == (Mapping.EIM, Filtering.ADF)
        assert (carrier.mapping, carrier.port_allocation) == (Mapping.APDM, PortAllocation.RANDOM)

    def test_carriers_too_are_named_as_they_behave(self):
        spelled = place_named("CGN symmetric + port restricted")
        assert spelled == place_named("CGN APDM/APDF/random + EIM/APDF/preserve")
        assert spelled.name == "CGN APDM/APDF/random + EIM/APDF"

    def test_where_udp_is_blocked_tcp_is_not(self):
        ((nat, firewall),) = place_named(BLOCKED).layers
        assert (nat.mapping, nat.filtering) == (Mapping.EIM, Filtering.APDF)
        box = Firewall(firewall)
        for transport, gets_out in ((UDP, False), (TCP, True)):
            packet = Packet(("10.0.0.1", 5000), ("198.18.0.1", 3478), b"", transport)
            assert (box.outgoing(packet, 0.0) is not None) == gets_out

    @pytest.mark.parametrize(
        "name", ["", "Open", "CGN", "CGN EIM/APDF", "CGN EIM/APDF + open", "NAT"]
    )
    def test_what_is_none(self, name):
        with pytest.raises(ValueError, match=r"names one NAT|there is no NAT type"):
            place_named(name)


PLAIN = "open", "EIM/APDF", "APDM/APDF/random", BLOCKED, "CGN symmetric + port restricted"


class TestVariants:
    @given(st.sampled_from(PLAIN), st.none() | st.sampled_from(Ipv6Firewall), st.booleans())
    def test_are_found_by_their_own_names(self, plain, ipv6, maps):
        variant = place_named(plain).variant(ipv6, port_mapping=maps and plain != "open")
        assert place_named(variant.name) == variant

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("open, port mapping", "'open' has no router of its own"),
            ("EIM/APDF, IPv6 ajar", "no IPv6 firewall 'ajar': choose none, stateful, closed"),
            ("EIM/APDF, IPv6", "something else"),
            ("EIM/APDF, IPv6 none, IPv6 none", "something else"),
            ("EIM/APDF, port mapping, IPv6 none", "something else"),
            ("EIM/APDF, port mapping, port mapping", "something else"),
            ("EIM/APDF, ", "something else"),
            (", IPv6 none", "there is no NAT type ''"),
        ],
    )
    def test_of_another_form(self, name, words):
        with pytest.raises(ValueError, match=words):
            place_named(name)

    @given(st.text())
    def test_any_text_is_a_place_or_a_sentence(self, text):
        try:
            place = place_named(text)
        except ValueError:
            return
        assert place_named(place.name) == place
