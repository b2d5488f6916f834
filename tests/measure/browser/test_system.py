"""Tests of jamlab.measure.browser.system, on recordings with known delays."""

import asyncio

import numpy as np
import pytest

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.browser.system import SystemAudio, node_of
from jamlab.measure.latency.graph_clicks import OwnDelay

METRONOMES = {f"player {number}": Metronome(400.0, number) for number in (1, 2)}
PUNCTUAL = Punctuality(1000, 0, 0, 0, 0.002)
OWN = OwnDelay(0.001, 0.0001, 10, PUNCTUAL)


class Graph:
    """An audio graph whose players hear each other after a known number of frames."""

    def __init__(self, delays, punctuality=PUNCTUAL):
        self.delays = delays
        self.punctuality = punctuality

    def environment(self, node):
        return {"PULSE_SINK": node}

    async def record(self, metronomes, duration_s):
        frames = round(duration_s * SAMPLE_RATE)
        mouths = {node: each.block(0, frames)[:, 0] for node, each in metronomes.items()}
        ears = {node: np.zeros(frames, np.float32) for node in mouths}
        for (emitter, listener), delay in self.delays.items():
            ears[listener][delay:] += mouths[emitter][: frames - delay]
        return Recording(mouths, ears, self.punctuality)


def audio(**options):
    delays = {("player-1", "player-2"): 4800, ("player-2", "player-1"): 9600}
    return SystemAudio(Graph(delays, **options), OWN, METRONOMES)


async def heard(measured):
    await measured.play([], 8.0)
    return await measured.hear(3.0)


async def test_the_latency_is_from_mouth_to_ear_without_the_rig_s_own():
    found = await heard(audio())
    latencies = {(each.sender, each.receiver): each.latency_s for each in found.clicks}
    assert latencies == pytest.approx(
        {("player 1", "player 2"): 0.099, ("player 2", "player 1"): 0.199}, abs=1e-5
    )
    assert all(0 <= each.emitted_s < 3.0 for each in found.clicks)
    assert len(found.clicks) == pytest.approx(2 * 3.0 * 400 / 60, abs=2)
    assert (found.own_delay_s, found.error_s, found.pauses_s) == (0.001, 0.0001, 0.002)
    assert found.remarks == []


async def test_a_machine_that_was_late_is_told():
    found = await heard(audio(punctuality=Punctuality(1000, 2, 1, 0, 0.02)))
    assert "2 of 1000 cycles missed, 1 late, 0 xruns" in found.remarks[0]
    assert found.pauses_s == 0.02


async def test_a_recording_that_nobody_waits_for_ends():
    measured = audio()
    await measured.play([], 8.0)
    await measured.end()
    assert len(asyncio.all_tasks()) == 1


def test_every_player_has_devices_of_its_own():
    assert node_of("player 1") == "player-1"
    measured = audio()
    assert measured.environments["player 2"] == {"PULSE_SINK": "player-2"}
    assert measured.microphones["player 1"] == "player-1-microphone"
