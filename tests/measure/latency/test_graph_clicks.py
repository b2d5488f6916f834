"""Mouth to ear, read in recordings with known delays and on wires of a real graph."""

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.plan import AudioGraphError, loudspeaker_inputs, mouths
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.latency.graph_clicks import (
    click_latencies,
    measure_own_delay,
    own_delay,
)
from tests.audio_graph.on_graph import iodelay, needs, needs_graph, program
from tests.examples import examples
from tests.measure.latency.test_clicks import delayed

PLAYERS = "ada", "ben", "cyn"
METRONOMES = {name: Metronome(bpm=400.0, voice=voice) for voice, name in enumerate(PLAYERS)}
PUNCTUAL = Punctuality(1000, 0, 0, 0, 0.0)
FRAMES = 4 * 48_000


def spoken(name, late):
    """A metronome as it sounds in a microphone, so many frames after it was to begin."""
    return delayed(METRONOMES[name].block(0, FRAMES)[:, 0], late)[:FRAMES].astype(np.float32)


def recording(delays, late=None, punctuality=PUNCTUAL):
    """What is recorded where delays[emitter, listener] are the paths' in frames."""
    late = late or dict.fromkeys(PLAYERS, 0.0)
    ears = {name: np.zeros(FRAMES, np.float32) for name in PLAYERS}
    for (emitter, listener), frames in delays.items():
        ears[listener] += 0.5 * spoken(emitter, late[emitter] + frames)
    return Recording({name: spoken(name, late[name]) for name in PLAYERS}, ears, punctuality)


@examples(10)
@given(st.floats(0, 2000), st.floats(0, 20_000), st.floats(0, 20_000))
def test_the_delay_is_the_path_s_whenever_the_click_was_played(late, there, back):
    delays = {("ada", "ben"): there, ("ben", "ada"): back}
    sounds = recording(delays, late={"ada": late, "ben": late / 3, "cyn": 0.0})
    found = click_latencies(sounds, METRONOMES, max_latency_s=0.5)
    for pair, frames in delays.items():
        assert len(found[pair]) > 15
        for reading in found[pair]:
            assert reading.delay_s * 48_000 == pytest.approx(frames, abs=0.1)


def test_every_ordered_pair_of_three_is_told_apart():
    delays = {
        (emitter, listener): 480.25 * (1 + 2 * first + 5 * second)
        for first, emitter in enumerate(PLAYERS)
        for second, listener in enumerate(PLAYERS)
        if emitter != listener
    }
    found = click_latencies(recording(delays), METRONOMES, max_latency_s=0.5)
    assert found.keys() == delays.keys()
    for pair, frames in delays.items():
        medians = np.median([reading.delay_s for reading in found[pair]])
        assert medians * 48_000 == pytest.approx(frames, abs=1)


def test_the_rig_s_own_delay_is_taken_off():
    sounds = recording({("ada", "ben"): 500.0})
    found = click_latencies(sounds, METRONOMES, own_delay_s=100 / 48_000, max_latency_s=0.5)
    assert found["ada", "ben"][0].delay_s * 48_000 == pytest.approx(400, abs=0.1)


def test_a_click_that_does_not_arrive_is_not_heard():
    found = click_latencies(recording({("ada", "ben"): 500.0}), METRONOMES, max_latency_s=0.5)
    assert all(reading.heard for reading in found["ada", "ben"])
    assert not any(reading.heard for reading in found["ada", "cyn"])
    assert all(math.isnan(reading.delay_s) for reading in found["ada", "cyn"])


def test_a_click_that_was_never_sent_is_no_loss_of_the_path():
    sounds = recording({("ada", "ben"): 500.0})
    every = click_latencies(sounds, METRONOMES, max_latency_s=0.5)["ada", "ben"]
    onset = METRONOMES["ada"].onset(3)
    sounds.mouths["ada"][onset - 200 : onset + 2200] = 0
    rest = click_latencies(sounds, METRONOMES, max_latency_s=0.5)["ada", "ben"]
    assert [each.click for each in every if each.click != 3] == [each.click for each in rest]


def test_clicks_whose_echo_could_come_after_the_end_are_left_out():
    found = click_latencies(recording({("ada", "ben"): 47_000.0}), METRONOMES, max_latency_s=1.0)
    assert all(reading.heard for reading in found["ada", "ben"])
    assert max(each.spoken_frame for each in found["ada", "ben"]) < 3 * 48_000


def test_a_recording_that_is_too_short_has_no_readings():
    found = click_latencies(recording({("ada", "ben"): 0.0}), METRONOMES, max_latency_s=30.0)
    assert found["ada", "ben"] == []


def test_own_delay_is_the_median_over_all_wires():
    wires = {(name, name): 128.0 + 0.5 * number for number, name in enumerate(PLAYERS)}
    found = own_delay(recording(wires), METRONOMES)
    assert found.delay_s * 48_000 == pytest.approx(128.5, abs=0.05)
    assert found.spread_s * 48_000 == pytest.approx(1.0, abs=0.1)
    assert found.clicks > 60


def test_a_wire_that_carries_nothing_leaves_it_unknown():
    wires = {("ada", "ada"): 0.0, ("ben", "ben"): 0.0}
    with pytest.raises(AudioGraphError, match="unknown: cyn's clicks do not come through"):
        own_delay(recording(wires), METRONOMES)


def test_cycles_that_were_missed_leave_the_other_clicks():
    wires = {(name, name): 128.0 for name in PLAYERS}
    sounds = recording(wires)
    sounds.ears["ada"][48_000:72_000] = 0
    found = own_delay(sounds, METRONOMES)
    assert found.delay_s * 48_000 == pytest.approx(128, abs=0.05)
    assert found.spread_s * 48_000 < 0.1
    assert found.clicks < own_delay(recording(wires), METRONOMES).clicks


def test_wires_that_differ_leave_it_unknown_and_the_machine_is_named():
    wires = {("ada", "ada"): 0.0, ("ben", "ben"): 0.0, ("cyn", "cyn"): 128.0}
    punctuality = Punctuality(1000, 3, 5, 1, 0.02)
    with pytest.raises(AudioGraphError, match=r"differ by 2\.67 ms \(3 of 1000 cycles missed, 5"):
        own_delay(recording(wires, punctuality=punctuality), METRONOMES)


IODELAY = needs("jackd2", "jack_iodelay", "stdbuf")


async def reading_of_iodelay(graph):
    """Return what ``jack_iodelay`` finds from ada's mouth to ben's ear, in frames.

    Its own loop is in both of its readings: to the mouth and back, and to the ear and back.
    """
    into = ["ada-microphone:input_FL", "ada-microphone:input_FR"]
    ear = await iodelay(graph, into, "ben-loudspeaker:monitor_FL")
    mouth = await iodelay(graph, into, "ada-microphone:capture_FL")
    return ear - mouth


async def reading_of_clicks(graph):
    """Return the median; one of a cycle in which the machine was late may differ, or be missing."""
    own = await measure_own_delay(graph)
    metronome = Metronome(bpm=400.0)
    recording = await graph.record({"ada": metronome}, 2.0)
    found = click_latencies(
        recording, {"ada": metronome}, own_delay_s=own.delay_s, max_latency_s=0.5
    )
    return float(np.nanmedian([each.delay_s for each in found["ada", "ben"]])) * 48_000


@needs_graph
@IODELAY
@pytest.mark.slow
@pytest.mark.parametrize("period", [64, 512])
async def test_a_wire_takes_what_jack_iodelay_reads(period):
    async with audio_graph(("ada", "ben"), period) as graph, graph.wired({"ada": "ben"}):
        theirs = await reading_of_iodelay(graph)
    async with audio_graph(("ada", "ben"), period) as graph, graph.wired({"ada": "ben"}):
        assert await reading_of_clicks(graph) == pytest.approx(theirs, abs=4.8)


@needs_graph
@needs("pipewire-bin", "pw-loopback")
@pytest.mark.slow
async def test_a_program_takes_the_delay_that_it_is_told_to():
    """It is PipeWire's own: both of its ends run in each cycle, with 20 ms between them."""
    command = (
        *("pw-loopback", "--delay", "0.02"),
        *("--capture-props", "node.name=tape-in target.object=ada-microphone"),
        *("--playback-props", "node.name=tape-out target.object=ben-loudspeaker"),
    )
    async with (
        audio_graph(("ada", "ben")) as graph,
        program(graph, "ada", *command, stdout=asyncio.subprocess.DEVNULL),
    ):
        for source, sink in (
            *zip(mouths("ada"), ("tape-in:input_FL", "tape-in:input_FR"), strict=True),
            *zip(
                ("tape-out:output_FL", "tape-out:output_FR"), loudspeaker_inputs("ben"), strict=True
            ),
        ):
            await graph.link(source, sink)
        assert await reading_of_clicks(graph) == pytest.approx(960, abs=0.1)
