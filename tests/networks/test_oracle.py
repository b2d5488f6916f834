"""The connectivity rule against a published table and a search for a way through.

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

from jamlab.networks import oracle
from jamlab.networks.behaviour import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    Mapping,
    NatType,
    PortAllocation,
)
from jamlab.networks.nat import Nat
from jamlab.networks.oracle import ALL_TYPES, direct_possible
from tests.networks.naive import NaiveNat, hole_punching

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
        assert [node.module for node in imports] == ["jamlab.networks.behaviour"]


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
