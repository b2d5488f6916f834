import asyncio
import contextlib
import time

import numpy as np
import pytest

from jamlab.audio.card import Recording, VirtualCard, no_sound
from jamlab.audio.metronome import Metronome
from jamlab.measure.latency.participants import (
    BusyError,
    Participant,
    Rig,
    difference,
    increase,
    rig_participant,
    stream_times,
    wait_until,
)
from jamlab.measure.latency.plan import MAX_LATENCY_S, LatencyPlan
from jamlab.mesh.connection.events import ConnectionState
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until


async def test_everybody_is_connected_with_everybody():
    async with Rig.build(LatencyPlan(peers=3)) as rig:
        assert len(rig.pairs) == 6
        for a, b in rig.pairs:
            assert a.session.service.connection_state(b.name) is ConnectionState.CONNECTED
            assert b.playout_origins[a.name] % b.card.block_frames == 0
        assert set(rig.stream_counters()) == {(a.name, b.name) for a, b in rig.pairs}
    assert all(p.session.service.peers == frozenset() for p in rig.participants)


async def test_sound_concealed_before_a_stretch_takes_nothing_from_it():
    async with Rig.build(LatencyPlan()) as rig:
        a, b = rig.participants
        playout = b.session.service.playout(a.name)
        await until(lambda: playout.counters.played_frames > 0)
        playout.pull(4800)  # no packet comes meanwhile, so the end is concealed, and undecided
        undecided = playout.undecided_frames
        assert undecided > 0
        before, so_far = b.counters(a.name, beginning=True), b.counters(a.name)
        assert so_far["concealed_frames"] - before["concealed_frames"] == undecided
        playout._restart()  # what was undecided was never sent, then
        assert difference(b.counters(a.name), so_far)["concealed_frames"] < 0
        assert difference(b.counters(a.name), before)["concealed_frames"] == 0


async def test_an_echo_says_what_its_card_played():
    async with Rig.build(LatencyPlan()) as rig:
        emitter, echoing = rig.participants
        emitter.click()
        echoing.echo()
        echoed = []
        source = echoing.card.source
        echoing.card.source = lambda start, n: (
            echoed.append((start, source(start, n))) or (echoed[-1][1])
        )
        await wait_until(echoing.card, 48_000)
        captured = [(start, block) for start, block in echoed if np.abs(block).max() > 0]
    assert captured, "the click never reached the echo"
    for start, block in captured:
        np.testing.assert_array_equal(block, echoing.recording.block(start, len(block)))


@pytest.mark.parametrize("duration_s", [5.0, 20.0, 600.0])
async def test_packets_are_remembered_for_as_long_as_is_measured(duration_s):
    """At 2.5 ms a packet 600 s are 240,000 of them; there were 16,384, the last 41 s."""
    async with Rig.build(LatencyPlan(duration_s=duration_s)) as rig:
        a, b = rig.participants
        playout = b.session.service.playout(a.name)
        for history in a.session.service.sent_frames, playout.history:
            assert history.maxlen * 0.0025 >= duration_s + MAX_LATENCY_S
            assert history.maxlen * 0.0025 < duration_s + 10


async def test_what_a_participant_says_can_be_chosen():
    async with Rig.build(LatencyPlan()) as rig:
        participant = rig.participants[0]
        assert participant.card.source is no_sound
        participant.click()
        assert participant.card.source == participant.metronome.block
        participant.echo()
        assert participant.card.source == participant.recording.block


async def test_both_ends_know_the_packets_between_them():
    async with Rig.build(LatencyPlan()) as rig:
        a, b = rig.participants

        def known():
            times = stream_times(a, b)
            return [times.at(position) for position, _ in times.sent] if times else []

        await until(lambda: sum(stages is not None for stages in known()) > 50)


async def test_waiting_for_a_frame_that_has_passed_returns_at_once():
    async with Rig.build(LatencyPlan()) as rig:
        card = rig.participants[0].card
        await wait_until(card, -48_000)
        passed = int(card.frame_at(asyncio.get_running_loop().time())) + 4_800
        await wait_until(card, passed)
        assert card.frame_at(asyncio.get_running_loop().time()) >= passed


async def test_a_card_that_lags_is_waited_for():
    def slow(captured):
        time.sleep(0.005)  # of the 1.3 ms that a block may take
        return captured

    recording = Recording()
    card = VirtualCard(recording=recording)
    card.start(slow)
    await wait_until(card, 4_800)
    assert len(recording) >= 4_800
    card.stop()
    await wait_until(card, 9_600)  # a card that was stopped passes no frame


@pytest.mark.parametrize(
    ("after", "before", "gained"),
    [({"a": 5}, {"a": 3}, {"a": 2}), ({"a": 5}, {}, {"a": 5}), ({}, {"a": 1}, {})],
)
def test_difference_of_counters(after, before, gained):
    assert difference(after, before) == gained


def test_the_increase_of_a_stream_that_is_gone_is_nothing():
    assert increase({"a": 0, "b": 5}, {"a": 3, "b": 4}) == {"a": 0, "b": 1}


async def test_of_a_peer_without_a_connection_nothing_is_counted():
    me = rig_participant("ada", Metronome(), lambda _: MemoryChannel(), LatencyPlan())
    assert me.playout("ben") is None
    counted = me.counters("ben")
    assert {counted[name] for name in ("received", "played_frames", "concealed_frames")} == {0}


def test_a_microphone_is_played_into_by_one_at_a_time_and_left_as_it_was():
    metronome, recording = Metronome(), Recording()
    card = VirtualCard(recording.block)
    participant = Participant("ada", metronome, None, card, recording)
    with contextlib.suppress(KeyError), participant.playing(metronome.block):
        assert card.source == metronome.block
        with pytest.raises(BusyError, match="'ada' is measuring already"):
            participant.playing(no_sound).__enter__()
        assert card.source == metronome.block
        raise KeyError
    assert card.source == recording.block
    assert not participant.busy
