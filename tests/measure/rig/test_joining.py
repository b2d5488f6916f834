"""Tests of jamlab.measure.rig.joining: what is said when somebody is not heard."""

import re

import numpy as np
import pytest

from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.ports import Port
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.rig.joining import joined, obstacle
from jamlab.measure.rig.plan import RigPlan
from jamlab.measure.rig.programs import RigError
from tests.audio_graph.on_graph import needs, needs_graph

PAIR = "ada", "ben"
SILENCE = np.zeros(4800, np.float32)


def port(name):
    return Port(5, "x:in", True, 4, 99, False, frozenset({name}))


READS, PLAYS = port("ada-microphone:capture_FL"), port("ben-loudspeaker:playback_FL")


@pytest.mark.parametrize(
    ("ports", "ear", "words"),
    [
        ([], SILENCE, "nothing records ada's microphone"),
        ([PLAYS], SILENCE, "nothing records ada's microphone"),
        ([READS], SILENCE, "nothing plays to ben's loudspeaker"),
        ([READS, PLAYS], SILENCE, "ben's loudspeaker is played nothing but silence"),
        ([READS, PLAYS], SILENCE + 0.1, "plays sound of up to -20 dBFS, no click in it"),
    ],
)
def test_the_first_link_that_is_missing_is_named(ports, ear, words):
    recording = Recording({}, {"ada": SILENCE, "ben": ear}, Punctuality(1, 0, 0, 0, 0.0))
    assert words in obstacle(PAIR, recording, ports)


async def told(plan):
    """Return what is said when the programs of a plan cannot be joined."""
    async with audio_graph(plan.players, plan.period_frames) as graph:
        with pytest.raises(RigError) as raised:
            async with joined(plan, graph):
                pass
    return str(raised.value)


def plan(*commands, **parameters):
    return RigPlan(commands, **{"join_timeout_s": 1.0, **parameters})


@needs_graph
@pytest.mark.slow
async def test_a_program_without_sound_is_said_to_be_silent():
    silent = "sh -c 'echo {player} has no sound >&2; sleep 300'"
    sentence = await told(plan(silent, silent))
    assert sentence.startswith("no click of ada was heard by ben in 1 s: nothing records ada's")
    assert "ada's program said last: ada has no sound" in sentence
    assert "ben's program said last: ben has no sound" in sentence


@pytest.mark.slow
@needs_graph
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "ben's program ended with status 4 after .*its last words were: no room ben"),
        ({"before": ("sh -c 'exit 5'",)}, "the program before the players' ended with status 5"),
        ({"before": ("sh -c 'sleep 300' {port}",)}, "nothing listens at the port .* after 1 s, as"),
        ({"before": ("no-such-server",)}, "there is no program 'no-such-server' here"),
    ],
)
async def test_a_program_that_does_not_run_is_told_with_its_last_words(parameters, words):
    dies = "sh -c 'if [ {number} = 2 ]; then echo no room {player} >&2; exit 4; fi; sleep 300'"
    parameters = {"join_timeout_s": 1.0 if parameters else 30.0, **parameters}
    assert re.search(words, await told(plan(dies, dies, **parameters)))


@needs_graph
@needs("pulseaudio-utils", "pacat")
@pytest.mark.slow
async def test_one_way_that_is_missing_is_told():
    """Both programs hear their player, and play to nobody."""
    hears = "pacat --record --latency-msec=10 --device={player}-microphone"
    sentence = await told(plan(f"sh -c '{hears} > /dev/null'", f"sh -c '{hears} > /dev/null'"))
    assert "nothing plays to ben's loudspeaker" in sentence
