from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.rtp import RTP_TIMESTAMPS, timestamp_difference

HALF = 1 << 31


@given(earlier=st.integers(0, RTP_TIMESTAMPS - 1), frames=st.integers(-HALF, HALF - 1))
def test_the_difference_of_timestamps_is_the_frames_between_them_wherever_they_wrap(
    earlier, frames
):
    assert timestamp_difference((earlier + frames) % RTP_TIMESTAMPS, earlier) == frames
