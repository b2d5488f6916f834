"""NAT types: valid combinations, and their names in the spellings of users."""

import math
from dataclasses import FrozenInstanceError, fields, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.nat_behaviour import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    PRESETS,
    SYMMETRIC,
    Filtering,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
    UnknownNatError,
    nat_named,
    remote_key,
)

LIFETIMES = ("mapping_lifetime_s", "filtering_lifetime_s", "tcp_lifetime_s")
TEXTS = st.builds(
    "/".join, st.lists(st.sampled_from([*Mapping, *Filtering, "random", " eim", ""]), max_size=4)
)
POPULATION = """\
EIM,preserve,APDF APDM,random,APDF EIM,random,APDF EIM,preserve,EIF EIM,random,EIF EIM,preserve,ADF
EIM,contiguous,EIF APDM,preserve,APDF APDM,preserve,EIF APDM,random,EIF EIM,contiguous,APDF
EIM,random,ADF ADM,random,APDF"""
"""The types a published survey of NATs found (nat-traverser, 2014), as its table writes them."""


class TestNatType:
    def test_defaults_are_what_rfc_4787_recommends(self):
        """REQ-2, 5c and RFC 5382 REQ-5; port preservation is what nearly all do."""
        nat = NatType(Mapping.EIM, Filtering.ADF)
        assert nat.pooling is Pooling.PAIRED
        assert nat.mapping_lifetime_s == nat.filtering_lifetime_s == 5 * 60
        assert nat.tcp_lifetime_s == (2 * 60 + 4) * 60
        assert nat.port_allocation is PortAllocation.PRESERVE

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("mapping", "EIM", "mapping of a NAT is 'EIM': give one of Mapping.EIM, Mapping.ADM,"),
            ("mapping", Filtering.EIF, "mapping of a NAT is .* give one of Mapping.EIM"),
            ("filtering", None, "filtering of a NAT is None: give one of Filtering.EIF"),
            ("port_allocation", "same", "port allocation of a NAT is 'same': give one of"),
            ("pooling", True, "pooling of a NAT is True: give one of Pooling.PAIRED"),
        ],
    )
    def test_no_member(self, field, value, sentence):
        with pytest.raises(ValueError, match=sentence):
            replace(FULL_CONE, **{field: value})

    @pytest.mark.parametrize("field", LIFETIMES)
    @pytest.mark.parametrize("value", [0, 0.0, -1, -math.inf, math.nan, None, "300", True])
    def test_no_lifetime(self, field, value):
        with pytest.raises(ValueError, match=f"{field} of a NAT is .*: give a number of seconds"):
            replace(FULL_CONE, **{field: value})

    @pytest.mark.parametrize("field", LIFETIMES)
    @pytest.mark.parametrize("value", [1, 0.5, math.inf])
    def test_lifetime(self, field, value):
        assert getattr(replace(FULL_CONE, **{field: value}), field) == value

    def test_is_a_value(self):
        assert NatType(Mapping.EIM, Filtering.EIF) == FULL_CONE
        assert len({FULL_CONE, NatType(Mapping.EIM, Filtering.EIF)}) == 1
        with pytest.raises(FrozenInstanceError):
            FULL_CONE.hairpinning = True

    def test_every_field_counts(self):
        other = NatType(
            Mapping.APDM,
            Filtering.APDF,
            PortAllocation.RANDOM,
            pooling=Pooling.ARBITRARY,
            mapping_lifetime_s=1,
            filtering_lifetime_s=1,
            tcp_lifetime_s=1,
            inbound_refresh=True,
            hairpinning=True,
            port_mapping=True,
        )
        for field in fields(NatType):
            assert replace(FULL_CONE, **{field.name: getattr(other, field.name)}) != FULL_CONE


class TestPresets:
    """RFC 3489 section 5, said in the terms of RFC 4787."""

    @pytest.mark.parametrize(
        ("preset", "mapping", "filtering"),
        [
            (FULL_CONE, Mapping.EIM, Filtering.EIF),
            (ADDRESS_RESTRICTED, Mapping.EIM, Filtering.ADF),
            (PORT_RESTRICTED, Mapping.EIM, Filtering.APDF),
            (SYMMETRIC, Mapping.APDM, Filtering.APDF),
        ],
    )
    def test_type(self, preset, mapping, filtering):
        assert (preset.mapping, preset.filtering) == (mapping, filtering)

    def test_names(self):
        assert {name: nat_named(name) for name in PRESETS} == PRESETS
        assert PORT_RESTRICTED.name == "EIM/APDF/preserve"
        assert SYMMETRIC.name == "APDM/APDF/random"


class TestNatNamed:
    @pytest.mark.parametrize("nat", [NatType(*p) for p in product(Mapping, Filtering)])
    def test_two_parts(self, nat):
        assert nat_named(f"{nat.mapping}/{nat.filtering}") == nat

    @pytest.mark.parametrize("parts", [*product(Mapping, Filtering, PortAllocation)])
    def test_a_type_has_its_name(self, parts):
        assert nat_named(NatType(*parts).name) == NatType(*parts)

    @pytest.mark.parametrize("row", POPULATION.split())
    def test_population(self, row):
        mapping, ports, filtering = row.split(",")
        nat = nat_named(f"{mapping}/{filtering}/{ports}")
        assert (nat.mapping, nat.port_allocation, nat.filtering) == (mapping, ports, filtering)

    @pytest.mark.parametrize(
        ("text", "nat"),
        [
            ("  Port-Restricted ", PORT_RESTRICTED),
            ("full_cone", FULL_CONE),
            ("ADDRESS\tRESTRICTED", ADDRESS_RESTRICTED),
            ("Symmetric", SYMMETRIC),
            ("eim / apdf", PORT_RESTRICTED),
            ("apdm/Apdf/RANDOM", SYMMETRIC),
        ],
    )
    def test_as_people_write(self, text, nat):
        assert nat_named(text) == nat

    @pytest.mark.parametrize(
        "text",
        ["", "cone", "open", "EIM", "EIM/", "/", "EIM/APDF/", "APDF/EIM", "EIM/APDF/preserve/x"],
    )
    def test_unknown(self, text):
        with pytest.raises(UnknownNatError) as caught:
            nat_named(text)
        assert str(caught.value) == (
            f"there is no NAT type {text!r}: "
            'give "full cone", "address restricted", "port restricted", "symmetric", '
            "or mapping/filtering[/ports] of EIM, ADM, APDM; EIF, ADF, APDF; "
            'preserve, contiguous, random, as in "EIM/APDF"'
        )

    @given(st.text() | TEXTS)
    def test_names_a_type_or_says_so(self, text):
        try:
            nat = nat_named(text)
        except UnknownNatError:
            return
        assert nat in PRESETS.values() or nat.name.lower().startswith(text.lower().strip())


REMOTES = st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.integers(1, 2))


@given(REMOTES, REMOTES)
def test_what_a_filter_remembers(one, other):
    """Section 5: regardless of the external address; same address; same address and port."""

    def same(filtering):
        key = remote_key(filtering)
        return key(one) == key(other)

    assert same(Filtering.EIF)
    assert same(Filtering.ADF) is (one[0] == other[0])
    assert same(Filtering.APDF) is (one[0] == other[0] and one[1] == other[1])
