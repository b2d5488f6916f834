"""The analyser against the Web Audio API's definition, on known signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.analyser import FFT_FRAMES, Analyser
from jamlab.audio.levels import SILENT_DBFS
from jamlab.audio.pcm import SAMPLE_RATE

COHERENT_GAIN_DB = 20 * np.log10(0.42)
HALF_DB = 20 * np.log10(0.5)


def sine(hz, amplitude, frames, right=1.0):
    mono = amplitude * np.sin(2 * np.pi * hz * np.arange(frames) / SAMPLE_RATE)
    return np.stack([mono, right * mono], axis=1).astype(np.float32)


def middle(index):
    return index * SAMPLE_RATE / FFT_FRAMES


@given(st.integers(4, FFT_FRAMES // 2 - 5), st.floats(-60, 0))
def test_a_sine_in_the_middle_of_a_bin_reads_its_level_half_and_windowed(index, level_db):
    spectrum = Analyser(smoothing=0).read(sine(middle(index), 10 ** (level_db / 20), FFT_FRAMES))
    assert np.argmax(spectrum) == index
    assert spectrum[index] == pytest.approx(level_db + HALF_DB + COHERENT_GAIN_DB, abs=0.01)
    for beside, share in ((1, 0.25), (-1, 0.25), (2, 0.04), (-2, 0.04)):  # Blackman's other terms
        fall_db = spectrum[index + beside] - spectrum[index]
        assert fall_db == pytest.approx(20 * np.log10(share / 0.42), abs=0.1)


def test_bins_have_the_browsers_frequencies():
    frequencies = Analyser().frequencies_hz
    assert len(frequencies) == 1024
    assert frequencies[[0, 1, -1]] == pytest.approx([0, 23.4375, 24000 - 23.4375])


def test_channels_are_mixed_down_to_the_mean():
    both = Analyser(smoothing=0).read(sine(middle(40), 0.5, FFT_FRAMES))
    left = Analyser(smoothing=0).read(sine(middle(40), 0.5, FFT_FRAMES, right=0))
    opposed = Analyser(smoothing=0).read(sine(middle(40), 0.5, FFT_FRAMES, right=-1))
    assert both[40] - left[40] == pytest.approx(6.02, abs=0.01)
    assert opposed.max() < -120


def test_readings_are_smoothed_from_silence_on():
    analyser, steady = Analyser(), Analyser(smoothing=0)
    block = sine(middle(40), 0.5, FFT_FRAMES)
    truth = steady.read(block)[40]
    first, second = analyser.read(block)[40], analyser.read(block)[40]
    assert first - truth == pytest.approx(20 * np.log10(0.2), abs=0.01)
    assert second - truth == pytest.approx(20 * np.log10(0.2 + 0.8 * 0.2), abs=0.01)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6))
def test_it_does_not_matter_how_the_sound_is_cut(lengths):
    whole = sine(1000, 0.5, sum(lengths))
    analyser = Analyser(smoothing=0)
    for block in np.split(whole, np.cumsum(lengths)[:-1]):
        spectrum = analyser.read(block)
    assert spectrum == pytest.approx(Analyser(smoothing=0).read(whole))


def test_silence_and_what_is_no_sound_are_silent():
    analyser = Analyser()
    assert analyser.read(np.zeros((10, 2), dtype=np.float32)) == pytest.approx(SILENT_DBFS)
    assert np.isfinite(analyser.read(np.full((10, 2), np.nan, dtype=np.float32))).all()


@pytest.mark.parametrize(
    ("frames", "smoothing"), [(1000, 0.8), (16, 0.8), (2048, 1.0), (2048, -0.1)]
)
def test_parameters_out_of_range_are_refused(frames, smoothing):
    with pytest.raises(ValueError, match="power of two"):
        Analyser(frames, smoothing)
