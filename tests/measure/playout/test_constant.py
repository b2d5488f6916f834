"""The buffer of a constant delay against each packet's own deadline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.playout.constant import constant
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.packets import packets_of
from jamlab.measure.playout.playback import NEVER
from tests.examples import examples

PACKETS = packets_of(example_trace(10))


@examples(30)
@given(st.integers(0, 3000))
def test_a_packet_is_played_if_it_is_there_at_the_pull_that_needs_it(delay_frames):
    playback = constant(PACKETS, delay_frames)
    begins = int(PACKETS.floor_frames) + delay_frames
    for number in range(0, PACKETS.count, 50):
        plays_at = number * 240 + begins
        in_time = PACKETS.playable_frames[number] <= plays_at
        assert playback.played_frames[number] == (plays_at if in_time else NEVER)


def test_its_delay_and_its_share_are_exact():
    playback = constant(PACKETS, 480)
    assert playback.mean_delay_s == pytest.approx(0.01)
    late = np.count_nonzero(PACKETS.needs_frames > 480)
    first = int(playback.is_played.argmax())
    assert playback.concealed_share == (late - first) / (PACKETS.count - first)
