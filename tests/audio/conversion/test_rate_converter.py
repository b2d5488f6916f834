"""Conversion between a card's rate and 48 kHz, compared with signals of known shape and delay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.conversion.rate_converter import RateConverter
from tests.examples import examples

RATES = st.sampled_from([8000, 16_000, 22_050, 32_000, 44_100, 88_200, 96_000, 192_000])


def through(converter, sound, frames):
    """Return what a card plays that captures a sound in blocks of a length."""
    blocks = [converter.exchange(sound[at : at + frames]) for at in range(0, len(sound), frames)]
    assert [len(block) for block in blocks] == [
        len(sound[at : at + frames]) for at in range(0, len(sound), frames)
    ]
    return np.concatenate(blocks)


def wire(block):
    return block


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
@pytest.mark.parametrize("block_frames", [64, 128, 480])
def test_what_comes_back_is_as_late_as_it_says_and_otherwise_the_same(rate, block_frames):
    converter = RateConverter(rate, block_frames, 1, 1, wire)
    delay = round(converter.delay_s * rate)
    time = np.arange(rate // 2) / rate
    sound = (0.5 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)[:, np.newaxis]
    heard = through(converter, sound, round(block_frames * rate / 48_000))
    settled = slice(delay + 500, None)
    error = heard[settled] - sound[500 : len(sound) - delay]
    assert np.sqrt(np.mean(error**2)) < 0.35 * 10 ** (-80 / 20)


@examples(60)
@given(RATES, st.integers(16, 1024), st.integers(1, 2048), st.integers(1, 3))
def test_a_card_never_lacks_a_frame_whatever_its_blocks(rate, block_frames, frames, channels):
    """The level after the start is constant: a frame that is missing would be a click."""
    converter = RateConverter(rate, block_frames, channels, channels, wire)
    length = max(rate // 4, 8 * frames)
    heard = through(converter, np.ones((length, channels), dtype=np.float32), frames)
    settled = heard[round(converter.delay_s * rate) + 600 :]
    assert settled == pytest.approx(1, abs=1e-3)


def test_exchanges_whole_blocks_with_their_channels_apart():
    blocks = []

    def exchange(block):
        blocks.append(block.shape)
        return np.repeat(block[:, 1:2], 2, axis=1) * np.array([1, 0], dtype=np.float32)

    converter = RateConverter(44_100, 128, 3, 2, exchange)
    sound = np.zeros((44_100, 3), dtype=np.float32)
    sound[:, 1] = 0.5
    heard = through(converter, sound, 118)
    assert {*blocks} == {(128, 3)}
    assert len(blocks) == pytest.approx(48_000 / 128, abs=2)
    assert heard[2000:, 0] == pytest.approx(0.5, abs=1e-3)
    assert not heard[:, 1].any()
