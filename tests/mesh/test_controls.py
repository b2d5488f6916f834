"""Faders against their definition, and their effect on peers: real Opus, in virtual time."""

import asyncio
import math
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.levels import peak_dbfs, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.media.quality import HIGH_QUALITY, LOW_LATENCY
from jamlab.mesh.controls import MAX_GAIN_DB, MIN_GAIN_DB, Controls, Fader, GainError
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel

GAINS = st.floats(MIN_GAIN_DB, MAX_GAIN_DB) | st.just(-math.inf)
ONES = np.ones((64, 2), np.float32)


class TestFader:
    def test_at_0_db_the_block_is_the_same_object(self):
        assert Fader().apply(ONES) is ONES

    @given(GAINS)
    def test_a_gain_is_20_log_of_the_amplitude(self, gain_db):
        fader = Fader()
        fader.set(gain_db)
        fader.apply(ONES)
        np.testing.assert_allclose(fader.apply(ONES), 10 ** (gain_db / 20), rtol=1e-6)
        assert fader.gain_db == gain_db

    @given(st.lists(GAINS, min_size=1, max_size=5), st.integers(1, 500))
    def test_a_change_is_a_straight_ramp_over_one_block(self, gains_db, frames):
        fader, sound, heard = Fader(), np.ones((frames, 2), np.float32), [1.0]
        for gain_db in gains_db:
            fader.set(gain_db)
            heard += [*fader.apply(sound)[:, 0]]
        targets = [1.0, *(10 ** (gain_db / 20) for gain_db in gains_db)]
        for number, (a, b) in enumerate(pairwise(targets)):
            steps = np.diff(heard[number * frames : (number + 1) * frames + 1])
            np.testing.assert_allclose(steps, (b - a) / frames, atol=1e-5)

    @given(GAINS)
    def test_an_empty_block_does_not_use_the_ramp_up(self, gain_db):
        fader = Fader()
        fader.set(gain_db)
        assert fader.apply(silence(0)).shape == (0, 2)
        assert fader.apply(ONES)[0, 0] == pytest.approx(1 + (10 ** (gain_db / 20) - 1) / 64)

    def test_silence_is_digital_and_comes_back(self):
        fader = Fader()
        fader.set(-math.inf)
        fader.apply(ONES)
        assert not fader.apply(ONES).any()
        fader.set(0.0)
        fader.apply(ONES)
        assert fader.apply(ONES) is ONES

    def test_the_captured_block_is_not_written_to(self):
        fader, block = Fader(), ONES.copy()
        fader.set(-6.0)
        fader.apply(block)
        fader.apply(block)
        assert (block == 1).all()

    @given(st.floats().filter(lambda x: not (MIN_GAIN_DB <= x <= MAX_GAIN_DB or x == -math.inf)))
    def test_any_other_number_is_refused_and_changes_nothing(self, gain_db):
        fader = Fader()
        fader.set(-6.0)
        with pytest.raises(GainError, match="choose -60 to 12, or -inf"):
            fader.set(gain_db)
        assert fader.gain_db == -6.0


class TestControls:
    def test_nothing_is_set_at_first(self):
        controls = Controls()
        assert not controls.muted
        assert controls.gain_db("ben") == 0.0
        assert controls.sent(ONES) is ONES
        assert controls.heard("ben", ONES) is ONES

    def test_each_peer_has_its_own(self):
        controls = Controls()
        controls.set_gain("ben", -20.0)
        controls.heard("ben", ONES)
        assert controls.heard("ben", ONES)[0, 0] == pytest.approx(0.1)
        assert controls.heard("cleo", ONES) is ONES
        assert (controls.gain_db("ben"), controls.gain_db("cleo")) == (-20.0, 0.0)

    def test_a_gain_that_is_refused_leaves_no_fader(self):
        controls = Controls()
        with pytest.raises(GainError):
            controls.set_gain("ben", 40.0)
        assert controls.heard("ben", ONES) is ONES

    def test_muting_is_what_we_send_and_nothing_else(self):
        controls = Controls()
        controls.muted = True
        controls.sent(ONES)
        assert not controls.sent(ONES).any()
        assert controls.heard("ben", ONES) is ONES
        controls.muted = False
        controls.sent(ONES)
        assert controls.sent(ONES) is ONES


def sine(hz):
    def source(start, frames):
        wave = 0.25 * np.sin(2 * np.pi * hz * np.arange(start, start + frames) / SAMPLE_RATE)
        return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)

    return source


class Pair:
    """Ada plays a sine, Ben listens, in virtual time."""

    def __init__(self, stack, hz=997.0):
        hosts = tuple(HostConfig(name, LinkConfig(delay_s=0.001)) for name in ("ada", "ben"))
        self._net = Internet(Topology(hosts))
        self._room, self._stack, self.recording = MemoryChannel(), stack, Recording()
        self.ada = self.session("ada", VirtualCard(sine(hz)))
        self.ben = self.session("ben", VirtualCard(recording=self.recording))

    def session(self, name, card):
        return JamSession("room", name, signaling=lambda _: self._room, card=card)

    async def enter(self, session):
        with self._net.host(session.name):
            await self._stack.enter_async_context(session)

    @property
    def at(self):
        """How much Ben has played."""
        return len(self.recording)

    def last(self, seconds):
        frames = int(seconds * SAMPLE_RATE)
        return self.recording.block(self.at - frames, frames)

    @property
    def counters(self):
        return self.ben.service.playout("ada").counters


def played(scenario, **options):
    """Run a scenario with both in their session."""

    async def main():
        async with AsyncExitStack() as stack:
            pair = Pair(stack, **options)
            await pair.enter(pair.ada)
            await pair.enter(pair.ben)
            await pair.ben.wait_connected(20, "ada")
            await asyncio.sleep(2.0)
            return await scenario(pair)

    with simulated_world():
        return run_simulated(main(), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("gain_db", [-30.0, -6.0, -0.5, 6.0])
def test_a_peer_is_heard_at_its_gain_to_a_tenth_of_a_decibel(gain_db):
    async def scenario(pair):
        before = rms_dbfs(pair.last(0.5))
        pair.ben.service.controls.set_gain("ada", gain_db)
        await asyncio.sleep(1.0)
        return before, rms_dbfs(pair.last(0.5))

    before, after = played(scenario)
    np.testing.assert_allclose(before, -12.04, atol=0.2)
    np.testing.assert_allclose(after - before, gain_db, atol=0.1)


def test_a_peers_gain_is_kept_when_it_comes_back():
    async def scenario(pair):
        controls = pair.ben.service.controls
        controls.set_gain("ada", -20.0)
        await asyncio.sleep(1.0)
        before = rms_dbfs(pair.last(0.5))
        await pair.ada.leave()
        await asyncio.sleep(1.0)
        gone = peak_dbfs(pair.last(0.5))
        again = pair.session("ada", VirtualCard(sine(997.0)))
        await pair.enter(again)
        await pair.ben.wait_connected(20, "ada")
        await asyncio.sleep(2.0)
        return before, gone, rms_dbfs(pair.last(0.5)), controls.gain_db("ada")

    before, gone, after, gain_db = played(scenario)
    assert gone.max() == -144.0
    np.testing.assert_allclose(before, -32.04, atol=0.2)
    np.testing.assert_allclose(after, before, atol=0.1)
    assert gain_db == -20.0


def test_who_is_muted_sends_packets_of_silence():
    async def scenario(pair):
        pair.ada.service.controls.muted = True
        await asyncio.sleep(0.5)
        received = pair.counters.received
        await asyncio.sleep(1.0)
        silent = pair.last(0.5), pair.counters.received - received
        pair.ada.service.controls.muted = False
        await asyncio.sleep(1.0)
        return *silent, rms_dbfs(pair.last(0.5)), pair.ben.service.connection_state("ada")

    silent, packets, back, state = played(scenario)
    assert np.abs(silent).max() < 1e-30  # 600 dB below the least of 24 bits: the decoder's filter
    assert packets == pytest.approx(400, abs=4)  # 2.5 ms frames
    np.testing.assert_allclose(back, -12.04, atol=0.2)
    assert state == "connected"


def steps(block):
    """The largest step between two samples."""
    return float(np.abs(np.diff(block[:, 0])).max())


def test_muting_and_unmuting_do_not_click():
    """A sine of 997 Hz steps by 0.033 at most; a cut at its crest, by 0.25."""

    async def scenario(pair):
        start = pair.at
        for muted in (True, False) * 5:
            pair.ada.service.controls.muted = muted
            await asyncio.sleep(0.1)
        return pair.recording.block(start, pair.at - start)

    assert steps(played(scenario)) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), [(LOW_LATENCY, HIGH_QUALITY), (HIGH_QUALITY, LOW_LATENCY)]
)
def test_a_switch_of_quality_is_not_heard(first, second):
    async def scenario(pair):
        await pair.ada.switch_quality(first)
        await asyncio.sleep(1.0)
        start, before = pair.at, asdict(pair.counters)
        await pair.ada.switch_quality(second)
        await asyncio.sleep(2.0)
        gained = {name: count - before[name] for name, count in asdict(pair.counters).items()}
        return pair.recording.block(start, pair.at - start), gained

    heard, gained = played(scenario, hz=440.0)
    lost = "concealed_frames", "silent_frames", "skipped_frames", "late", "strayed", "restarted"
    assert {name: gained[name] for name in lost} == dict.fromkeys(lost, 0)
    assert steps(heard) < 0.02  # the sine's own: 0.0144


@pytest.mark.slow
def test_peers_learn_how_far_the_new_encoder_looks_ahead():
    async def scenario(pair):
        looks_ahead = []
        for quality in (LOW_LATENCY, HIGH_QUALITY, LOW_LATENCY):
            await pair.ada.switch_quality(quality)
            await asyncio.sleep(2.5)
            looks_ahead.append((pair.ben.figures[-1].lookahead_s, pair.ben.figures[-1].frame_s))
        return looks_ahead

    assert played(scenario) == [(0.0025, 0.0025), (0.0065, 0.01), (0.0025, 0.0025)]


def test_what_a_peer_says_of_its_sound_is_no_report_for_listeners():
    """What is not as described is nobody's, so it is passed on as it is."""
    capture = {"blockFrames": 64, "lookaheadFrames": 120}
    malformed = (
        {"kind": "sound change", "capture": capture},
        {"kind": "sound change", "capture": capture, "frameFrames": 100},
        {"kind": "sound change", "capture": None, "frameFrames": 480},
        {"kind": "another", "capture": capture, "frameFrames": 480},
    )

    async def scenario(pair):
        reports = []
        pair.ben.on_report(reports.append)
        await pair.ada.switch_quality(HIGH_QUALITY)
        for told in malformed:
            await pair.ada.report("ben", told)
        await asyncio.sleep(1.5)
        return [report.data for report in reports], pair.ben.figures[-1].lookahead_s

    reports, lookahead_s = played(scenario)
    assert tuple(reports) == malformed
    assert lookahead_s == 0.0065


def test_without_the_announcement_the_first_longer_frames_are_late():
    """What the announcement is for."""

    async def scenario(pair):
        before = pair.counters.concealed_frames
        pair.ada.service.quality = HIGH_QUALITY
        await asyncio.sleep(1.0)
        return pair.counters.concealed_frames - before

    assert played(scenario) > 0


@pytest.mark.slow
def test_who_joins_between_announcement_and_switch_is_told_the_new_quality():
    async def scenario(pair):
        switching = asyncio.create_task(pair.ada.switch_quality(HIGH_QUALITY))
        await asyncio.sleep(0)
        await pair.ben.leave()
        again = pair.session("ben", VirtualCard())
        await pair.enter(again)
        await again.wait_connected(20, "ada")
        await switching
        await asyncio.sleep(3.0)
        return again.figures[-1].lookahead_s

    assert played(scenario) == 0.0065
