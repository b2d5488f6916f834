"""Tests of jamlab.measure.rig.commands."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.rig.commands import PLACES, filled, program_of, words_of
from tests.examples import examples

VALUES = {name: f"<{name}>" for name in PLACES}


@examples(100)
@given(st.lists(st.text(), min_size=1))
def test_words_come_back_as_they_were_quoted(words):
    assert words_of(shlex.join(words)) == words


def test_every_place_is_filled_and_other_braces_stay():
    command = " ".join(f"{{{name}}}" for name in PLACES)
    assert filled(command, VALUES) == list(VALUES.values())
    assert filled("{ } {x} {player}s", VALUES) == ["{", "}", "{x}", "<player>s"]


def test_a_value_is_one_word_and_filled_once():
    assert filled("play {player}", {"player": "a {number} b", "number": 1}) == [
        "play",
        "a {number} b",
    ]


@pytest.mark.parametrize(
    ("command", "words"), [("", "is empty"), ("  ", "is empty"), ("a 'b", "No closing")]
)
def test_a_command_that_cannot_be_read_is_told(command, words):
    with pytest.raises(PlanError, match=words):
        words_of(command)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("jacktrip -s", "jacktrip"),
        ("/opt/a b/x".replace(" ", "\\ "), "x"),
        ("env A=1 B_2=x=y -u sonobus -n", "sonobus"),
        ("env", "env"),
    ],
)
def test_a_program_has_its_name(command, name):
    assert program_of(command) == name
