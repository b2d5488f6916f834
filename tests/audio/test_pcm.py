"""The PCM format: shape, type and values of `silence`."""

import numpy as np
import pytest

from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, silence


def test_format():
    assert (SAMPLE_RATE, CHANNELS) == (48_000, 2)  # the one clock rate Opus has in RTP (RFC 7587)


@pytest.mark.parametrize("frames", [0, 1, 64, 5760])
def test_silence(frames):
    block = silence(frames)
    assert block.shape == (frames, CHANNELS)
    assert block.dtype == np.float32
    assert block.flags.c_contiguous
    assert not block.any()


def test_each_silence_is_its_own():
    one, other = silence(8), silence(8)
    one += 1
    assert not other.any()


def test_no_silence_of_negative_length():
    with pytest.raises(ValueError, match="negative"):
        silence(-1)
