"""Tests of jamlab.measure.rig.plan."""

import itertools
import json

import pytest

from jamlab.audio.metronome import CLICK_FRAMES
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.rig.plan import NAMES, RigPlan

TWO = ("play", "play")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"commands": ("play",)}, "commands for 1 players: choose 2 to 6"),
        ({"commands": ("play",) * 7}, "commands for 7 players"),
        ({"commands": ("play", " ")}, "a command is empty"),
        ({"before": ("'",)}, "cannot be read"),
        ({"period_frames": 100}, "period_frames is 100: choose 64, 128"),
        ({"duration_s": 1.0}, "duration_s is 1: choose 6 to 600"),
        ({"duration_s": float("nan")}, "duration_s is nan"),
        ({"sessions": 0}, "sessions is 0: choose 1 to 50"),
        ({"settle_s": -1.0}, "settle_s is -1"),
        ({"join_timeout_s": 0.0}, "join_timeout_s is 0"),
        ({"bpm": 1000.0}, "bpm is 1000"),
        ({"target_ms": 0.0}, "target_ms is 0"),
        ({"max_damaged_percent": 99.0}, "max_damaged_percent is 99"),
    ],
)
def test_what_cannot_be_run_is_refused(parameters, words):
    with pytest.raises(PlanError, match=words):
        RigPlan(**{"commands": TWO, **parameters})


@pytest.mark.parametrize("count", range(2, 7))
def test_clicks_of_all_players_differ_and_never_overlap(count):
    plan = RigPlan(("play",) * count)
    assert plan.players == NAMES[:count]
    metronomes = plan.metronomes(first_voice=3)
    assert [each.voice for each in metronomes.values()] == list(range(3, 3 + count))
    onsets = sorted(each.onset(click) for each in metronomes.values() for click in range(20))
    shared = onsets[: 19 * count]  # of the times in which all play
    assert min(b - a for a, b in itertools.pairwise(shared)) > CLICK_FRAMES


def test_the_peer_is_the_next_player():
    plan = RigPlan(("play",) * 3)
    assert [plan.peer(player) for player in plan.players] == ["ben", "cyn", "ada"]
    assert RigPlan(TWO).peer("ben") == "ada"


def test_it_is_named_by_its_user_or_its_program():
    assert RigPlan(("env A=1 sonobus", "x")).name == "sonobus"
    assert RigPlan(TWO, system="the studio").name == "the studio"


def test_a_record_has_its_parameters_as_json():
    told = RigPlan(TWO, before=("serve",)).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["system"], told["commands"], told["before"]) == ("play", ["play"] * 2, ["serve"])
