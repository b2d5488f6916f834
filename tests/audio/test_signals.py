"""Test signals against their specification, measured without the meters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import welch

from jamlab.audio.levels import peak_dbfs, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio.signals import PINK_S, clipped, one_side, pink_noise

WHOLE = PINK_S * SAMPLE_RATE
NOISE = pink_noise(-20.0)


def loud(start, frames):
    mono = 2 * np.sin(2 * np.pi * 440 * np.arange(start, start + frames) / SAMPLE_RATE)
    return np.stack([mono, mono / 4], axis=1).astype(np.float32)


def test_pink_noise_has_its_level_and_independent_channels():
    noise = NOISE(0, WHOLE)
    assert noise.dtype == np.float32
    assert rms_dbfs(noise) == pytest.approx([-20, -20], abs=0.01)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1


def test_pink_noise_loses_3_db_per_octave():
    frequencies_hz, power = welch(NOISE(0, WHOLE)[:, 0], SAMPLE_RATE, nperseg=8192)
    bands = [40 * 2**octave for octave in range(9)]
    levels = [
        10 * np.log10(power[(frequencies_hz >= low) & (frequencies_hz < 2 * low)].mean())
        for low in bands
    ]
    slope_db, _ = np.polyfit(range(len(levels)), levels, 1)
    assert slope_db == pytest.approx(-3.01, abs=0.15)


@given(st.integers(0, 3 * WHOLE), st.integers(1, 2000))
def test_pink_noise_goes_on_for_ever(start, frames):
    again = NOISE(start + WHOLE, frames)
    assert np.array_equal(NOISE(start, frames), again)
    assert again.shape == (frames, 2)


def test_what_is_too_loud_is_cut_off_and_the_rest_is_left():
    cut, whole = clipped(loud)(100, 4800), loud(100, 4800)
    assert peak_dbfs(cut)[0] == pytest.approx(0)
    below = np.abs(whole) < 1
    assert np.array_equal(cut[below], whole[below])


@pytest.mark.parametrize("channel", [0, 1])
def test_one_side_is_silent_on_the_other(channel):
    block = one_side(loud, channel)(0, 480)
    assert np.array_equal(block[:, channel], loud(0, 480)[:, channel])
    assert not block[:, 1 - channel].any()
    assert block.dtype == np.float32
