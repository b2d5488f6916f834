"""Players' names and periods, and the names of their devices and ports."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio_graph.plan import (
    PERIODS,
    AudioGraphError,
    GraphPlan,
    ears,
    loudspeaker_inputs,
    microphone_inputs,
    mouths,
)
from tests.examples import examples


@pytest.mark.parametrize("period", PERIODS)
def test_takes_up_to_six_players_and_any_of_the_periods(period):
    plan = GraphPlan(tuple("abcdef"), period)
    assert plan.period_frames == period


@pytest.mark.parametrize("players", [(), tuple("abcdefg"), ("ada", "ada")])
def test_too_few_too_many_or_equal_players_are_refused(players):
    with pytest.raises(AudioGraphError, match="name 1 to 6, each differently"):
        GraphPlan(players)


@pytest.mark.parametrize("name", ["", "ada ben", "7up", "ada:in", "a" * 32, 'a"b', "{a}", "ä"])
def test_a_name_that_no_port_can_have_is_refused(name):
    with pytest.raises(AudioGraphError, match=r"a player is called .* use at most 31 letters"):
        GraphPlan((name,))


@pytest.mark.parametrize("period", [0, 32, 100, 2048, -128])
def test_other_periods_are_refused(period):
    with pytest.raises(AudioGraphError, match=rf"is {period} frames: choose one of 64, 128, 256"):
        GraphPlan(("ada",), period)


@examples(100)
@given(st.text(max_size=40))
def test_a_name_is_taken_only_if_every_door_takes_it(name):
    safe = name.isascii() and name[:1].isalpha() and len(name) < 32
    safe = safe and name.replace("-", "").replace("_", "").isalnum()
    with nullcontext() if safe else pytest.raises(AudioGraphError, match="a player is called"):
        GraphPlan((name,))


def test_a_player_who_is_not_there_is_refused():
    plan = GraphPlan(("ada", "ben"))
    plan.check_player("ben")
    with pytest.raises(AudioGraphError, match="no player is called 'cyn': choose ada, ben"):
        plan.check_player("cyn")


def test_no_two_ports_have_one_name():
    ports = [
        port
        for player in ("a", "a-microphone", "a-loudspeaker")
        for kind in (microphone_inputs, mouths, loudspeaker_inputs, ears)
        for port in kind(player)
    ]
    assert len(set(ports)) == len(ports) == 24
