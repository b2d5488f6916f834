"""The connectivity rule against a published table and an exhaustive search for a path.

The search (`tests.networks.naive`) knows nothing of the rule: it sends checks through NATs written
down from RFC 4787's definitions until nothing new can happen. The same search through `Nat` tests
the translator: its truth is then the rule.
"""

import ast
import inspect
import random
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.call import Call, simulate
from jamlab.networks.model import rule as oracle
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
    PortAllocation,
)
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import (
    ALL_TYPES,
    Expectation,
    as_one_nat,
    direct_over_ipv6,
    direct_possible,
    expected,
    expected_in_one_carrier,
)
from jamlab.networks.simulated.nat import Nat
from tests.examples import examples
from tests.networks.naive import NaiveNat, hole_punching

EXPECTATION_NATS = ALL_TYPES[1:]


EXPECTATION_OPEN = Place("open")


BLOCKED = Place("UDP blocked", ((EXPECTATION_NATS[2], FirewallType(udp_blocked=True)),))


RELAYS = "", "udp", "tcp"


def behind(*nats):
    """Return a place behind NATs, one network in the other."""
    return Place("+".join(nat.name for nat in nats), tuple((nat,) for nat in nats))


BOXES = st.sampled_from(EXPECTATION_NATS) | st.builds(
    FirewallType, st.sampled_from(Filtering), udp_blocked=st.booleans()
)


def maps(box):
    return replace(box, port_mapping=True) if isinstance(box, NatType) else box


PLACES = st.builds(
    lambda layers, asked, ipv6: Place(
        "some", tuple((maps(box) if asked else box,) for box in layers), ipv6
    ),
    st.lists(BOXES, max_size=3),
    st.booleans(),
    st.none() | st.sampled_from(Ipv6Firewall),
).filter(lambda place: has_a_rule(place))


class Row:
    """NATs in a row, for `hole_punching`."""

    def __init__(self, nats, host):
        self.nats = [NaiveNat(nat, (f"{host}.{place}",)) for place, nat in enumerate(nats)]

    def outgoing(self, packet, now_s):
        for nat in self.nats:
            packet = nat.outgoing(packet, now_s)
        return packet

    def incoming(self, packet, now_s):
        for nat in reversed(self.nats):
            packet = packet and nat.incoming(packet, now_s)
        return packet

    def map_port(self, inside):
        return self.nats[0].map_port(inside)


class TestRows:
    @pytest.mark.parametrize("inner", EXPECTATION_NATS, ids=lambda nat: nat.name)
    @pytest.mark.parametrize("outer", EXPECTATION_NATS, ids=lambda nat: nat.name)
    def test_of_two_act_as_the_search_finds(self, inner, outer):
        self.check([inner, outer])

    @given(st.lists(st.sampled_from(EXPECTATION_NATS), min_size=3, max_size=3))
    def test_of_three_act_as_the_search_finds(self, nats):
        self.check(nats)

    def check(self, nats):
        place = behind(*nats)
        if not has_a_rule(place):
            return
        for other in ALL_TYPES:
            found = hole_punching(
                Row(nats, "198.51.100"), other and NaiveNat(other, ("203.0.113.1",))
            )
            rule = expected(place, behind(other) if other else EXPECTATION_OPEN, stun=True)
            assert rule == Expectation(direct=found, relayed=False)

    def test_at_both_ends(self):
        pairs = list(
            product([EXPECTATION_NATS[0], EXPECTATION_NATS[2], EXPECTATION_NATS[8]], repeat=2)
        )
        for one, other in product(pairs, repeat=2):
            if has_a_rule(behind(*one)) and has_a_rule(behind(*other)):
                rows = Row(one, "198.51.100"), Row(other, "203.0.113")
                rule = expected(behind(*one), behind(*other), stun=True)
                assert rule.direct is hole_punching(*rows)

    def test_are_refused_where_the_rule_would_be_wrong(self):
        """The inner box knows the host that the outer one lets in to another port."""
        row = [NatType(Mapping.EIM, Filtering.ADF), NatType(Mapping.ADM, Filtering.EIF)]
        other = NatType(Mapping.ADM, Filtering.ADF)
        assert hole_punching(Row(row, "198.51.100"), NaiveNat(other))
        assert not direct_possible(NatType(Mapping.ADM, Filtering.ADF), other)
        with pytest.raises(ValueError, match="no rule for"):
            expected(behind(*row), behind(other), stun=True)

    def test_all_of_equal_boxes_have_a_rule(self):
        assert all(has_a_rule(behind(nat, nat, nat)) for nat in EXPECTATION_NATS)


def has_a_rule(place):
    try:
        as_one_nat(place)
        as_one_nat(place, mapped=True)
    except ValueError:
        return False
    return True


class TestOneLayer:
    @pytest.mark.parametrize(("a", "b"), [*product(EXPECTATION_NATS, repeat=2)])
    def test_is_the_oracle(self, a, b):
        assert expected(behind(a), behind(b), stun=True).direct is direct_possible(a, b)

    def test_a_firewall_is_a_nat_that_translates_nothing(self):
        for filtering in Filtering:
            place = Place("firewall", ((FirewallType(filtering),),))
            assert as_one_nat(place) == NatType(Mapping.EIM, filtering)

    def test_nothing_is_nothing(self):
        assert as_one_nat(EXPECTATION_OPEN) is None


class TestRelays:
    @pytest.mark.parametrize(
        ("relay", "relayed"), [("", "no no"), ("udp", "yes no"), ("tcp", "yes yes")]
    )
    def test_over_each_transport(self, relay, relayed):
        """Between two who have UDP, and where one has not."""
        open_, blocked = relayed.split()
        symmetric = behind(EXPECTATION_NATS[8])
        assert expected(symmetric, EXPECTATION_OPEN, stun=True, relay=relay).relayed is (
            open_ == "yes"
        )
        assert expected(symmetric, BLOCKED, stun=True, relay=relay).relayed is (blocked == "yes")

    @given(PLACES, PLACES, st.sampled_from(RELAYS))
    def test_alone_leave_no_direct_path(self, a, b, relay):
        assert not expected(a, b, stun=True, relay=relay, relay_only=True).direct

    @given(PLACES, PLACES, st.booleans())
    def test_take_nothing_away(self, a, b, stun):
        direct = {expected(a, b, stun=stun, relay=relay).direct for relay in RELAYS}
        assert len(direct) == 1

    @given(PLACES, st.sampled_from(RELAYS), st.booleans())
    def test_without_udp_only_relays_over_tcp(self, other, relay, stun):
        possible = expected(BLOCKED, other, stun=stun, relay=relay)
        assert possible == Expectation(direct=False, relayed=relay == "tcp")


class TestPortMapping:
    """Against the search, in which the router has a table of ports that it was asked for."""

    @pytest.mark.parametrize("nat", EXPECTATION_NATS, ids=lambda nat: nat.name)
    @pytest.mark.parametrize("stun", [True, False])
    @pytest.mark.parametrize("both", [True, False])
    def test_of_one_router_as_the_search_finds(self, nat, stun, both):
        for other in ALL_TYPES:
            self.check([nat], other, stun, both)

    @examples(300)
    @given(
        st.lists(st.sampled_from(EXPECTATION_NATS), min_size=2, max_size=3),
        st.sampled_from(ALL_TYPES),
        st.booleans(),
        st.booleans(),
    )
    def test_below_other_nats_as_the_search_finds(self, nats, other, stun, both):
        self.check(nats, other, stun, both)

    def check(self, nats, other, stun, both):
        place = behind(*map(maps, nats))
        if not has_a_rule(place):
            return
        found = hole_punching(
            Row(nats, "198.51.100"),
            other and NaiveNat(other, ("203.0.113.1",)),
            asking=(True, both and other is not None),
            stun=stun,
        )
        peer = behind(maps(other) if both else other) if other else EXPECTATION_OPEN
        assert expected(place, peer, stun=stun).direct is found

    @pytest.mark.parametrize("stun", [True, False])
    def test_makes_a_router_as_good_as_none(self, stun):
        """At one end it is enough, for any other end that has UDP."""
        for nat, other in product(EXPECTATION_NATS, ALL_TYPES):
            peer = behind(other) if other else EXPECTATION_OPEN
            assert expected(behind(maps(nat)), peer, stun=stun).direct

    @pytest.mark.parametrize("carrier", [PORT_RESTRICTED, SYMMETRIC])
    def test_below_a_carriers_nat_helps_nobody_outside(self, carrier):
        below = behind(PORT_RESTRICTED, carrier)
        mapping = Place("mapping", ((maps(PORT_RESTRICTED),), (carrier,)))
        for other, stun in product(ALL_TYPES, [True, False]):
            peer = behind(other) if other else EXPECTATION_OPEN
            assert expected(mapping, peer, stun=stun) == expected(below, peer, stun=stun)

    def test_opens_no_firewall_outside_of_the_router(self):
        filtered = Place("filtered", ((maps(SYMMETRIC), FirewallType(Filtering.APDF)),))
        assert not expected(filtered, behind(SYMMETRIC), stun=True).direct
        assert expected(filtered, behind(PORT_RESTRICTED), stun=True).direct

    @given(PLACES, PLACES, st.booleans())
    def test_that_nobody_asks_for_is_none(self, a, b, stun):
        plain = [
            replace(
                each,
                layers=tuple(
                    tuple(
                        replace(box, port_mapping=False) if isinstance(box, NatType) else box
                        for box in layer
                    )
                    for layer in each.layers
                ),
            )
            for each in (a, b)
        ]
        assert expected(a, b, stun=stun, port_mapping=False) == expected(*plain, stun=stun)


class TestOneCarrier:
    CARRIER = PORT_RESTRICTED
    HAIRPINS = replace(PORT_RESTRICTED, hairpinning=True)

    @pytest.mark.parametrize("nat", EXPECTATION_NATS, ids=lambda nat: nat.name)
    def test_a_mapped_address_reaches_the_neighbours(self, nat):
        mapping = Place("mapping", ((maps(nat),), (self.CARRIER,)))
        for other in EXPECTATION_NATS:
            neighbour = behind(other, self.CARRIER)
            assert expected_in_one_carrier(mapping, neighbour, stun=True)
            plain = behind(nat, self.CARRIER)
            assert not expected_in_one_carrier(plain, neighbour, stun=True)

    def test_customers_without_a_router_know_their_addresses(self):
        assert expected_in_one_carrier(behind(SYMMETRIC), behind(SYMMETRIC), stun=False)

    def test_a_carrier_that_turns_packets_back_is_as_outside(self):
        for one, other in product(EXPECTATION_NATS, repeat=2):
            places = behind(one, self.HAIRPINS), behind(other, self.HAIRPINS)
            if all(map(has_a_rule, places)):
                outside = expected(*places, stun=True).direct
                assert expected_in_one_carrier(*places, stun=True) is outside

    def test_two_carriers_are_not_one(self):
        with pytest.raises(ValueError, match="not behind one carrier's boxes"):
            expected_in_one_carrier(behind(SYMMETRIC), behind(PORT_RESTRICTED), stun=True)
        with pytest.raises(ValueError, match="not behind one carrier's boxes"):
            expected_in_one_carrier(EXPECTATION_OPEN, EXPECTATION_OPEN, stun=True)


FIREWALLS = [None, *Ipv6Firewall]


class TestIpv6:
    @pytest.mark.parametrize(("a", "b"), [*product(FIREWALLS, repeat=2)])
    def test_between_two_that_have_nothing_else(self, a, b):
        """Against the search, each behind its firewall, written as a NAT that keeps addresses."""
        places = [replace(BLOCKED, ipv6=firewall) for firewall in (a, b)]
        boxes = [self.naive(firewall) for firewall in (a, b)]
        usable = None not in (a, b)
        found = usable and "closed" not in boxes and hole_punching(*boxes)
        assert expected(*places, stun=True).direct is found
        assert direct_over_ipv6(*places) is found

    def naive(self, firewall):
        if firewall is None or firewall.box is None:
            return None
        if firewall.box.udp_blocked:
            return "closed"
        return KeepingAddresses(NatType(Mapping.EIM, firewall.box.filtering))

    @given(PLACES, PLACES, st.booleans(), st.sampled_from(RELAYS))
    def test_adds_a_path_and_takes_none_away(self, a, b, stun, relay):
        without = expected(a, b, stun=stun, relay=relay, ipv6=False)
        both = expected(a, b, stun=stun, relay=relay)
        assert both.direct is (without.direct or direct_over_ipv6(a, b))
        assert both.relayed is without.relayed

    @given(PLACES, PLACES, st.booleans())
    def test_that_nobody_uses_is_none(self, a, b, stun):
        plain = [replace(each, ipv6=None) for each in (a, b)]
        assert expected(a, b, stun=stun, ipv6=False) == expected(*plain, stun=stun)

    def test_is_found_in_one_carriers_network_too(self):
        below = replace(behind(PORT_RESTRICTED, SYMMETRIC), ipv6=Ipv6Firewall.STATEFUL)
        assert expected_in_one_carrier(below, below, stun=True)
        assert not expected_in_one_carrier(below, below, stun=True, ipv6=False)


class KeepingAddresses(NaiveNat):
    def outgoing(self, packet, now_s):
        if self.used_by(packet, now_s) is None:
            self.add(packet, packet.source, now_s)
        self.used_by(packet, now_s).events.append((now_s, packet.destination))
        return packet


class TestAny:
    @given(PLACES, PLACES, st.booleans(), st.sampled_from(RELAYS), st.booleans())
    def test_whoever_calls(self, a, b, stun, relay, relay_only):
        asked = {"stun": stun, "relay": relay, "relay_only": relay_only}
        assert expected(a, b, **asked) == expected(b, a, **asked)

    @given(PLACES, PLACES, st.booleans())
    def test_asking_for_a_mapping_never_hurts(self, a, b, stun):
        without = expected(a, b, stun=stun, port_mapping=False).direct
        assert without <= expected(a, b, stun=stun).direct

    @given(PLACES, PLACES)
    def test_stun_never_hurts(self, a, b):
        assert expected(a, b, stun=False).direct <= expected(a, b, stun=True).direct


WITHOUT_STUN = [
    EXPECTATION_OPEN,
    *(behind(nat) for nat in EXPECTATION_NATS),
    *(Place(f"firewall {f}", ((FirewallType(f),),)) for f in Filtering),
    BLOCKED,
]


@pytest.mark.parametrize("caller", WITHOUT_STUN, ids=lambda place: place.name)
def test_without_stun_as_simulated(caller):
    """Who knows no address but its own."""
    host_only = embedded_configurations()["host only"]
    for callee in WITHOUT_STUN:
        call = Call(0, 1, caller, callee, 0.02, 0.02, 0.05)
        simulated = simulate(call, host_only, deadline_s=12.0).result
        assert expected(caller, callee, stun=False).direct is (simulated == "direct"), callee.name


OPEN = None
NAMED = (OPEN, FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC)
TABLE = """\
yes yes yes yes yes
yes yes yes yes yes
yes yes yes yes yes
yes yes yes yes no
yes yes yes no  no"""
"""Which of RFC 3489's types reach each other with STUN only, in the order of `NAMED`."""

NATS = st.builds(
    NatType,
    st.sampled_from(Mapping),
    st.sampled_from(Filtering),
    st.sampled_from(PortAllocation),
    mapping_lifetime_s=st.floats(1, 1e6),
    inbound_refresh=st.booleans(),
    hairpinning=st.booleans(),
)
ENDPOINTS = st.none() | NATS


def label(nat):
    return nat.name if nat else "open"


ALL_PAIRS = pytest.mark.parametrize(("a", "b"), [*product(ALL_TYPES, repeat=2)], ids=label)


class TestAllTypes:
    def test_each_once(self):
        assert ALL_TYPES[0] is OPEN
        kinds = [(nat.mapping, nat.filtering) for nat in ALL_TYPES[1:]]
        assert kinds == list(product(Mapping, Filtering))

    def test_the_named_ones_are_there(self):
        kinds = [nat and (nat.mapping, nat.filtering) for nat in ALL_TYPES]
        assert all((nat and (nat.mapping, nat.filtering)) in kinds for nat in NAMED)


class TestRule:
    @pytest.mark.parametrize(
        ("a", "b", "cell"),
        [
            (a, b, cell)
            for (a, b), cell in zip(product(NAMED, repeat=2), TABLE.split(), strict=True)
        ],
    )
    def test_table(self, a, b, cell):
        assert direct_possible(a, b) is (cell == "yes")

    @ALL_PAIRS
    def test_search(self, a, b):
        boxes = a and NaiveNat(a, ("198.51.100.1",)), b and NaiveNat(b, ("198.51.100.2",))
        assert direct_possible(a, b) is hole_punching(*boxes)

    @given(ENDPOINTS, ENDPOINTS)
    def test_symmetric(self, a, b):
        assert direct_possible(a, b) is direct_possible(b, a)

    @given(NATS, ENDPOINTS, st.sampled_from(Filtering))
    def test_less_filtering_never_hurts(self, a, b, filtering):
        strictness = list(Filtering).index
        if strictness(filtering) <= strictness(a.filtering) and direct_possible(a, b):
            assert direct_possible(NatType(a.mapping, filtering), b)

    @given(NATS, ENDPOINTS)
    def test_only_mapping_and_filtering_count(self, a, b):
        assert direct_possible(NatType(a.mapping, a.filtering), b) is direct_possible(a, b)

    @given(ENDPOINTS)
    def test_open_is_a_full_cone(self, other):
        assert direct_possible(OPEN, other) is direct_possible(FULL_CONE, other)

    def test_knows_no_simulation(self):
        """Of all the network it imports the vocabulary alone."""
        tree = ast.parse(inspect.getsource(oracle))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        ours = {node.module for node in imports if node.module.startswith("jamlab")}
        words = "ipv6_firewall", "nat_behaviour", "place"
        assert ours == {f"jamlab.networks.model.{word}" for word in words}


class TestTranslator:
    """`Nat` lets through what the rule says, however it chooses its ports."""

    @ALL_PAIRS
    @pytest.mark.parametrize("allocation", PortAllocation)
    def test_search(self, a, b, allocation):
        boxes = [
            nat
            and Nat(NatType(nat.mapping, nat.filtering, allocation), [host], random.Random(host))
            for nat, host in ((a, "198.51.100.1"), (b, "198.51.100.2"))
        ]
        assert hole_punching(*boxes) is direct_possible(a, b)

    @pytest.mark.parametrize("a", ALL_TYPES[1:], ids=label)
    @pytest.mark.parametrize("allocation", PortAllocation)
    def test_search_with_a_mapping(self, a, allocation):
        class Asking(Nat):
            def map_port(self, inside):
                return super().map_port(inside, 60.0, 0.0)

        for b, stun in product(ALL_TYPES, [True, False]):
            nat = NatType(a.mapping, a.filtering, allocation, port_mapping=True)
            boxes = [
                Asking(nat, ["198.51.100.1"], random.Random(1)),
                b and Nat(b, ["198.51.100.2"], random.Random(2)),
            ]
            assert hole_punching(*boxes, asking=(True, False), stun=stun)
