"""The choice of channels: how it is written, and where samples go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.conversion.channels import (
    channels_of,
    channels_or_default,
    fault_of,
    placed,
    stereo,
)
from jamlab.audio.pcm import silence

ROW = np.arange(12, dtype=np.float32).reshape(2, 6)  # channel c of frame f is 6 f + c - 1


class TestWritten:
    @pytest.mark.parametrize(
        ("text", "channels"), [("2", (2,)), ("3,4", (3, 4)), (" 8 , 1", (8, 1))]
    )
    def test_one_or_two(self, text, channels):
        assert channels_of(text) == channels

    @pytest.mark.parametrize(
        "text", ["", "0", "1,2,3", "2,2", "two", "1.5", "-1", "1,", "9" * 5000]
    )
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match=r"channel"):
            channels_of(text)

    @given(st.text())
    def test_any_text_is_a_choice_or_refused(self, text):
        try:
            channels = channels_of(text)
        except ValueError:
            return
        assert 1 <= len(channels) <= 2
        assert min(channels) >= 1


class TestOfADevice:
    @pytest.mark.parametrize(("count", "channels"), [(1, (1,)), (2, (1, 2)), (8, (1, 2))])
    def test_the_first_two_are_the_default(self, count, channels):
        assert channels_or_default(None, count) == channels
        assert channels_or_default((2,), count) == (2,)

    def test_those_it_lacks_are_a_fault(self):
        assert fault_of((3, 4), 4) == ""
        assert fault_of((5,), 4) == "has channels 1 to 4, and not 5"
        assert fault_of((1, 2), 1).endswith("has channel 1 only, and not 1 and 2")


class TestCaptured:
    def test_one_is_heard_on_both_sides(self):
        assert stereo(ROW, 2, (2,)).tolist() == [[1, 1], [7, 7]]

    def test_the_only_one_is_heard_on_both_sides(self):
        captured = np.array([[0.5], [-0.25]], dtype=np.float32)
        assert stereo(captured, 2).tolist() == [[0.5, 0.5], [-0.25, -0.25]]

    def test_of_many_the_first_two_are_the_default(self):
        assert stereo(ROW, 2).tolist() == [[0, 1], [6, 7]]

    def test_two_are_left_and_right_in_their_order(self):
        assert stereo(ROW, 2, (6, 3)).tolist() == [[5, 2], [11, 8]]

    def test_none_is_silence(self):
        np.testing.assert_array_equal(stereo(None, 3), silence(3))

    def test_it_is_a_copy(self):
        captured = np.zeros((2, 2), dtype=np.float32)
        block = stereo(captured, 2)
        captured[:] = 1
        assert not block.any()


class TestPlayed:
    BLOCK = np.array([[1.0, 0.0], [0.5, -0.5]], dtype=np.float32)

    def test_one_channel_has_the_mean(self):
        assert placed(self.BLOCK, 1, (1,)).tolist() == [[0.5], [0]]
        assert placed(self.BLOCK, 3, (3,)).tolist() == [[0, 0, 0.5], [0, 0, 0]]

    def test_the_others_are_silent(self):
        assert placed(self.BLOCK, 4, (3, 4)).tolist() == [[0, 0, 1, 0], [0, 0, 0.5, -0.5]]
        assert placed(self.BLOCK, 2, (2, 1)).tolist() == [[0, 1], [-0.5, 0.5]]

    def test_a_stereo_device_has_the_block_itself(self):
        assert placed(self.BLOCK, 2) is self.BLOCK
