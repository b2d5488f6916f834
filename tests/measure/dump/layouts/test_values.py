import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.dump.layouts.values import LONGEST, decoded, fields, items, number, text, unix_s
from tests.examples import examples


@pytest.mark.parametrize(("value", "read"), [(3, 3.0), (0.5, 0.5), (-1, -1.0), (5e-324, 0.0)])
def test_a_number_is_a_number(value, read):
    assert number(value) == read


@pytest.mark.parametrize(
    "value", [True, None, "3", [3], math.inf, -math.inf, math.nan, 10**400, 1e300, {"a": 1}]
)
def test_anything_else_is_none(value):
    assert math.isnan(number(value))


def test_a_time_is_milliseconds_of_this_century():
    assert unix_s(1_700_000_000_500) == 1_700_000_000.5
    assert all(map(math.isnan, map(unix_s, [0, -5, 5, 5e12, "1700000000000"])))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        ("plain ünïcödé 🎸", "plain ünïcödé 🎸"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ("line\nline\ttab\r\n", "line\nline\ttab\r\n"),
        ("\x1b[31mred\u202e", "\ufffd[31mred\ufffd"),
        ("half \ud800", "half ?"),
    ],
)
def test_text_is_what_a_page_can_show(value, written):
    assert text(value) == written


def test_text_is_cut_and_says_so():
    assert text("x" * (LONGEST + 1)) == "x" * LONGEST + "…"


@examples(200)
@given(st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists, max_leaves=5))
def test_text_of_anything_can_be_written(value):
    text(value).encode("utf-8")


def test_a_deep_object_is_no_error():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert text(deep) == "…"
    assert decoded("[" * 5000) == "[" * 5000


def test_objects_and_arrays_are_those_alone():
    assert fields({"a": 1}) == {"a": 1}
    assert fields([1]) == {}
    assert items([1]) == [1]
    assert items("ab") == []


@pytest.mark.parametrize(
    ("value", "read"),
    [('"connected"', "connected"), ("connected", "connected"), ("", ""), ("[1]", [1]), (3, 3)],
)
def test_json_in_text_is_decoded(value, read):
    assert decoded(value) == read
