"""The connectivity rule against a published table and an exhaustive search for a path.

The search (`tests.networks.naive`) knows nothing of the rule: it sends checks through NATs written
down from RFC 4787's definitions until nothing new can happen. The same search through `Nat` tests
the translator: its truth is then the rule.
"""

import ast
import inspect
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.call import Call, simulate
from jamlab.networks.model import rule as oracle
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
from jamlab.networks.model.rule import ALL_TYPES, Expectation, as_one_nat, direct_possible, expected
from jamlab.networks.simulated.nat import Nat
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


PLACES = st.builds(
    lambda layers: Place("some", tuple((box,) for box in layers)), st.lists(BOXES, max_size=3)
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


class TestAny:
    @given(PLACES, PLACES, st.booleans(), st.sampled_from(RELAYS), st.booleans())
    def test_whoever_calls(self, a, b, stun, relay, relay_only):
        asked = {"stun": stun, "relay": relay, "relay_only": relay_only}
        assert expected(a, b, **asked) == expected(b, a, **asked)

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
        assert ours == {"jamlab.networks.model.nat_behaviour", "jamlab.networks.model.place"}


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
