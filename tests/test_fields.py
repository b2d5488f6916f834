"""Errors of `fields.read` and their places; also fixes the texts of msgspec that it parses."""

from enum import StrEnum
from typing import Annotated, Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec import Meta, Struct

from jamlab.fields import FieldError, read


class Colour(StrEnum):
    RED = "red"


class Inner(Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=0)]


class Outer(Struct):
    name: Annotated[str, Meta(min_length=1)]
    colour: Colour = Colour.RED
    inner: list[Inner] = []
    named: dict[str, Inner] = {}

    def __post_init__(self):
        if self.name == "nobody":
            raise ValueError("Nobody is no name")


@pytest.mark.parametrize(
    ("value", "path", "fault"),
    [
        (None, "", "expected `object`, got `null`"),
        ({}, "name", "missing"),
        ({"name": 3}, "name", "expected `str`, got `int`"),
        ({"name": ""}, "name", "expected `str` of length >= 1"),
        ({"name": "nobody"}, "", "nobody is no name"),
        ({"name": "a", "colour": "blue"}, "colour", "invalid enum value 'blue'"),
        ({"name": "a", "inner": [{"size": 1}, {}]}, "inner[1].size", "missing"),
        ({"name": "a", "inner": [{"size": 1, "x": 0}]}, "inner[0].x", "unknown"),
        ({"name": "a", "inner": [{"size": True}]}, "inner[0].size", "expected `int`, got `bool`"),
        ({"name": "a", "inner": [{"size": 1.0}]}, "inner[0].size", "expected `int`, got `float`"),
        ({"name": "a", "inner": [{"size": -(10**400)}]}, "inner[0].size", "expected `int` >= 0"),
        ({"name": "a", "named": {"b": {}}}, "named[...].size", "missing"),
        ({"name": "a", "named": {1: {}}}, "named", "expected `str`, got `int`"),
    ],
)
def test_a_fault_has_its_place(value, path, fault):
    with pytest.raises(FieldError) as caught:
        read(value, Outer)
    assert (caught.value.path, caught.value.fault) == (path, fault)
    assert str(caught.value) == (f"field {path!r}: {fault}" if path else fault)


@pytest.mark.parametrize("value", [{"\ud800": 1}, {"name": "a", "colour": "\ud800"}])
def test_half_a_surrogate_pair_is_a_fault(value):
    with pytest.raises(FieldError, match="text that is not Unicode"):
        read(value, Outer)


def test_what_is_quoted_is_cut_short():
    with pytest.raises(FieldError) as caught:
        read({"name": "a", "colour": "x" * 10_000}, Outer)
    assert len(str(caught.value)) < 200


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["name", "inner", "size", "named"]) | st.text(), inner)
    ),
)


@given(values)
def test_anything_is_read_or_a_fault(value: Any):
    try:
        outer = read(value, Outer)
    except FieldError:
        return
    assert outer.name == value["name"]
    assert [each.size for each in outer.inner] == [each["size"] for each in value.get("inner", [])]
