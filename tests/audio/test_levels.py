"""Levels against their definition: a full-scale sine reads 0 dBFS, peak and RMS."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jamlab.audio.levels import SILENT_DBFS, amplitude_of, dbfs_of, peak_dbfs, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE, silence

LEVELS = st.floats(-140, 20)
BLOCKS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 50), st.just(2)),
    elements=st.floats(-4, 4, width=32, allow_subnormal=False),
)


def sine(left, right=0.0, hz=1000.0, frames=SAMPLE_RATE // 10):
    """Whole periods, so that a mean over them is a mean over the sine."""
    wave = np.sin(2 * np.pi * hz * np.arange(frames) / SAMPLE_RATE)
    return np.outer(wave, (left, right)).astype(np.float32)


class TestSine:
    def test_full_scale_reads_0_by_peak_and_by_rms(self):
        block = sine(1.0, 0.5)
        np.testing.assert_allclose(peak_dbfs(block), [0, -6.0206], atol=1e-4)
        np.testing.assert_allclose(rms_dbfs(block), [0, -6.0206], atol=1e-4)

    @given(LEVELS)
    def test_a_level_comes_back(self, level_dbfs):
        block = sine(amplitude_of(level_dbfs))
        assert rms_dbfs(block)[0] == pytest.approx(level_dbfs, abs=1e-3)

    def test_a_square_wave_reads_3_more_by_rms(self):
        block = np.sign(sine(1.0, 1.0, hz=1001.0))
        np.testing.assert_allclose(rms_dbfs(block), 20 * math.log10(math.sqrt(2)), atol=0.01)
        np.testing.assert_allclose(peak_dbfs(block), 0, atol=1e-6)


class TestSilence:
    def test_it_has_a_level_and_no_infinity(self):
        for level in (peak_dbfs, rms_dbfs):
            np.testing.assert_allclose(level(silence(10)), SILENT_DBFS)

    def test_below_it_is_nothing(self):
        np.testing.assert_allclose(dbfs_of([1e-9, -1e-12, 0.0]), SILENT_DBFS)


class TestRefusals:
    @pytest.mark.parametrize("shape", [(0, 2), (10,), (1, 2, 3)])
    def test_what_is_no_block(self, shape):
        with pytest.raises(ValueError, match="has no level"):
            peak_dbfs(np.zeros(shape, dtype=np.float32))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_sound(self, value):
        block = silence(4)
        block[1, 0] = value
        with pytest.raises(ValueError, match="NaN or infinite"):
            rms_dbfs(block)


@given(LEVELS)
def test_amplitude_and_level_are_each_others_inverse(level_dbfs):
    assert dbfs_of(amplitude_of(level_dbfs)) == pytest.approx(level_dbfs)
    assert dbfs_of(-amplitude_of(level_dbfs)) == pytest.approx(level_dbfs)


@given(BLOCKS)
def test_no_rms_is_above_its_peak_by_more_than_a_square_waves(block):
    assert (rms_dbfs(block) <= peak_dbfs(block) + 3.0104).all()


@given(BLOCKS, st.floats(-40, -0.1))
def test_levels_follow_a_gain(block, gain_db):
    quieter = (block * amplitude_of(gain_db)).astype(np.float32)
    before, after = peak_dbfs(block), peak_dbfs(quieter)
    audible = after > SILENT_DBFS + 1
    np.testing.assert_allclose((after - before)[audible], gain_db, atol=1e-3)
