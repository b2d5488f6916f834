"""The packets of a trace, by their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import LOST, PacketTimes, packets_of
from jamlab.networks.model.trace import DelayTrace
from tests.examples import examples

SENT_S = 0.01 * np.arange(100)


def flat(delay_s=0.02):
    return DelayTrace("flat", SENT_S, np.full(100, delay_s))


@examples(50)
@given(
    st.sampled_from([120, 240, 480]), st.sampled_from([64, 128]), st.floats(0, 63), st.floats(0, 1)
)
def test_a_packet_is_playable_at_the_first_pull_after_its_arrival(frame, block, phase, delay_s):
    packets = packets_of(
        flat(delay_s), 2.0, frame_frames=frame, block_frames=block, phase_frames=phase
    )
    assert packets.count == 2 * SAMPLE_RATE // frame
    for number in range(0, packets.count, 37):
        arrived = (number + 1) * frame + delay_s * SAMPLE_RATE - phase
        pull = packets.playable_frames[number]
        assert pull % block == 0
        assert pull - block - 1e-6 < arrived <= pull + 1e-6


def test_a_faster_sender_captures_sooner():
    packets = packets_of(flat(), 1.0, skew_ppm=1000.0)
    assert packets.captured_frames[100] == pytest.approx(24_000 / 1.001)
    assert packets.arrived_frames[0] == pytest.approx(240 / 1.001 + 960)


def test_a_lost_packet_is_never_playable_and_not_among_the_arrivals():
    delay_s = np.full(100, 0.02)
    delay_s[50] = np.nan
    packets = packets_of(DelayTrace("lossy", SENT_S, delay_s), frame_frames=480)
    (lost,) = np.flatnonzero(packets.playable_frames == LOST)
    assert abs((lost + 1) * 480 / SAMPLE_RATE - SENT_S[50]) < 0.0051
    assert lost not in packets.by_arrival
    assert np.isinf(packets.needs_frames[lost])


def test_the_luckiest_packet_needs_no_delay_above_the_floor():
    captured = np.arange(4) * 240.0
    packets = PacketTimes("few", captured, captured + np.array([700, 300, 900, np.inf]))
    assert packets.floor_frames == 576 - 240
    assert packets.needs_frames.tolist() == [368.0, 0.0, 592.0, np.inf]
    assert packets.by_arrival.tolist() == [1, 0, 2]
