from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.rtp import RTP_TIMESTAMPS, sequence_difference, timestamp_difference

HALF = 1 << 31


@given(earlier=st.integers(0, RTP_TIMESTAMPS - 1), frames=st.integers(-HALF, HALF - 1))
def test_the_difference_of_timestamps_is_the_frames_between_them_wherever_they_wrap(
    earlier, frames
):
    assert timestamp_difference((earlier + frames) % RTP_TIMESTAMPS, earlier) == frames


@given(earlier=st.integers(0, 65535), packets=st.integers(-32768, 32767))
def test_the_difference_of_sequence_numbers_is_the_packets_between_them(earlier, packets):
    assert sequence_difference((earlier + packets) % 65536, earlier) == packets
