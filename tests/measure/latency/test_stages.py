"""The stages of a packet, compared with a drawing of its journey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.measure.latency.stages import Stages, StreamTimes
from jamlab.media.playout.counters import PlayedPacket

ORIGIN = (1 << 32) - 500  # wraps around early
FRAME = 120


def started(at_s, block_frames=64):
    card = VirtualCard(block_frames=block_frames)
    card.started_s = at_s
    return card


def journey(sent, history, *, sender_at=10.0, receiver_at=10.0, playout_origin=0, block=64):
    return StreamTimes(
        sent,
        history,
        ORIGIN,
        started(sender_at),
        started(receiver_at, block),
        playout_origin,
        0.0025,
    )


def test_one_packet_by_hand():
    """Frame 0 is captured at 10 s, complete at 2.5 ms, sent at 2.7 ms, arrives at 3 ms; the
    callback at frame 192 (4 ms) plays it from frame 256 (5.33 ms) on: blocks 2 of 64 from 0."""
    sent = [(0, 10.0027), (FRAME, 10.0052)]
    packet = PlayedPacket(ORIGIN, 10.003, 128)
    stages = journey(sent, [packet]).at(0)
    assert stages.frame_s == pytest.approx(0.0025)
    assert stages.capture_s == pytest.approx(0.0002)
    assert stages.network_s == pytest.approx(0.0003)
    assert stages.playout_s == pytest.approx(192 / SAMPLE_RATE - 0.003)
    assert stages.card_s == pytest.approx(64 / SAMPLE_RATE)
    assert stages.lookahead_s == 0.0025
    assert stages.total_s == pytest.approx(256 / SAMPLE_RATE + 0.0025)


@given(
    st.integers(0, 10_000),
    st.floats(0, 0.01),
    st.floats(0, 0.5),
    st.integers(0, 100_000),
    st.integers(0, 50),
    st.sampled_from([16, 64, 128, 480]),
    st.floats(-1, 1),
)
def test_the_sum_is_from_capture_to_sound(
    number, encode_s, network_s, output, blocks, block, apart_s
):
    start = number * FRAME
    sent_s = 10 + (start + FRAME) / SAMPLE_RATE + encode_s
    packet = PlayedPacket((start + ORIGIN) % (1 << 32), sent_s + network_s, output)
    times = journey(
        [(start, sent_s), (start + FRAME, sent_s + 0.0025)],
        [packet],
        receiver_at=10 + apart_s,
        playout_origin=blocks * block,
        block=block,
    )
    stages = times.at(start + FRAME // 2)
    sounds_s = 10 + apart_s + (blocks * block + output + 2 * block) / SAMPLE_RATE
    captured_s = 10 + start / SAMPLE_RATE
    assert stages.total_s == pytest.approx(sounds_s - captured_s + 0.0025, abs=1e-9)
    assert stages.network_s == pytest.approx(network_s, abs=1e-9)
    assert 0 < stages.card_s - (block / SAMPLE_RATE) + 1e-9 <= block / SAMPLE_RATE + 1e-9


def test_card_stage_is_what_a_card_does():
    """The callback a sample is taken by, and when it sounds, as a started card tells."""
    card = started(0.0)
    card._begin(0.0, lambda captured: silence(len(captured)))
    times = journey([(0, 0.0), (FRAME, 0.0)], [PlayedPacket(ORIGIN, 0.0, 64)], receiver_at=0.0)
    stages = times.at(0)
    second_callback_s = card.time_of(2 * 64)
    assert stages.playout_s == pytest.approx(second_callback_s)
    assert stages.card_s == pytest.approx(card.time_of(64 + card.round_trip_frames) - 2 * 64 / 48e3)


@pytest.mark.parametrize("position", [-1, 2 * FRAME, 10_000])
def test_unknown_positions_have_no_stages(position):
    sent = [(0, 10.0), (FRAME, 10.0025), (2 * FRAME, 10.005)]
    assert journey(sent, [PlayedPacket(ORIGIN, 10.0, 0)]).at(position) is None


def test_a_packet_that_was_not_played_has_no_stages():
    sent = [(0, 10.0), (FRAME, 10.0025), (2 * FRAME, 10.005)]
    assert journey(sent, [PlayedPacket(ORIGIN, 10.0, 0)]).at(FRAME) is None


def test_total_adds_up():
    assert Stages(1, 2, 3, 4, 5, 6).total_s == 21
