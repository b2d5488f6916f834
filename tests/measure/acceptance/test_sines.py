"""Fits of sines against sines, noise and distortion of known sizes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.levels import amplitude_of, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.acceptance.sines import AES17_HZ, Steps, fit_sines, tone, windows
from tests.examples import examples

FRAMES = SAMPLE_RATE // 10
TIMES_S = np.arange(FRAMES) / SAMPLE_RATE


def sine(hz, level_dbfs, phase=0.0):
    return amplitude_of(level_dbfs) * np.sin(2 * np.pi * hz * TIMES_S + phase)


class TestLevels:
    @given(
        st.floats(100, 20_000),
        st.floats(-100, 0),
        st.floats(0, 2 * math.pi),
        st.floats(-0.5, 0.5),
    )
    def test_any_sine_at_any_phase_over_any_constant(self, hz, level_dbfs, phase, constant):
        (found,) = fit_sines(sine(hz, level_dbfs, phase) + constant, [hz]).levels_dbfs
        assert found == pytest.approx(level_dbfs, abs=0.01)

    def test_several_at_once(self):
        mixed = sine(997, -20, 0.3) + sine(1499, -50, 1.0) + sine(2503, -90, 2.0)
        levels_dbfs = fit_sines(mixed, [2503, 997, 1499]).levels_dbfs
        assert levels_dbfs == pytest.approx((-90, -20, -50), abs=1e-3)

    def test_one_that_is_not_there(self):
        there, absent = fit_sines(sine(997, -20), [997, 1499]).levels_dbfs
        assert there == pytest.approx(-20)
        assert absent < -140

    def test_halves_that_oppose_each_other_cancel(self):
        """What a jump by half a period does to a window: it spoils the fit, and shows as such."""
        turned = np.where(TIMES_S[FRAMES // 2] > TIMES_S, 1, -1) * sine(1000, -20)
        fit = fit_sines(turned, [1000])
        assert fit.levels_dbfs[0] < -60
        assert fit.sinad_db < 0


class TestSinad:
    @examples(20)
    @given(st.floats(0, 60), st.integers(0, 2**32 - 1))
    def test_noise_of_a_known_size(self, sinad_db, seed):
        """White noise: its RMS over 4800 values is known to 1 %, 0.09 dB, three times over."""
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=FRAMES) * amplitude_of(-20 - sinad_db) / math.sqrt(2)
        fit = fit_sines(sine(AES17_HZ, -20) + noise, [AES17_HZ])
        assert fit.sinad_db == pytest.approx(sinad_db, abs=0.5)

    @pytest.mark.parametrize("share", [0.01, 0.1])
    def test_a_harmonic_is_distortion(self, share):
        """IEC 60268-3: a harmonic of a hundredth is 1 % of THD, which is 40 dB."""
        harmonic = share * sine(3 * 1000, -20, 0.5)
        fit = fit_sines(sine(1000, -20) + harmonic, [1000])
        assert fit.sinad_db == pytest.approx(-20 * math.log10(share), abs=0.01)

    def test_sines_that_are_wanted_are_no_distortion(self):
        assert fit_sines(sine(997, -20) + sine(1499, -20), [997, 1499]).sinad_db > 120

    def test_sixteen_bits(self):
        """Quantising to Q steps leaves 6.02 bits + 1.76 dB below full scale (W. R. Bennett)."""
        rounded = np.round(sine(AES17_HZ, 0) * 2**15) / 2**15
        assert fit_sines(rounded, [AES17_HZ]).sinad_db == pytest.approx(98.1, abs=0.5)

    def test_a_gap_spoils_it(self):
        recorded = sine(AES17_HZ, -20)
        recorded[1000:1128] = 0.0
        assert fit_sines(recorded, [AES17_HZ]).sinad_db < 20

    def test_silence_is_no_signal(self):
        fit = fit_sines(np.zeros(FRAMES), [AES17_HZ])
        assert fit.sinad_db <= 0
        assert fit.levels_dbfs == (-144.0,)


class TestRefusals:
    @pytest.mark.parametrize("hz", [[], [0.0], [-5.0], [24_000.0], [997, 997], [math.nan]])
    def test_frequencies_that_are_none(self, hz):
        with pytest.raises(ValueError, match="frequencies are"):
            fit_sines(np.zeros(FRAMES), hz)

    def test_two_channels(self):
        with pytest.raises(ValueError, match="pass one channel"):
            fit_sines(np.zeros((FRAMES, 2)), [997])

    def test_a_stretch_too_short_says_how_long_it_has_to_be(self):
        with pytest.raises(ValueError, match="at least 481") as told:
            fit_sines(np.zeros(400), [1000, 1100])
        enough = int(str(told.value).split()[-1])
        fit_sines(np.zeros(enough), [1000, 1100])


class TestWindows:
    def test_they_lie_side_by_side_and_the_rest_is_dropped(self):
        block = np.arange(20, dtype=np.float32).reshape(10, 2)
        cut = windows(block, 4)
        np.testing.assert_array_equal(np.concatenate(cut), block[:8])

    def test_a_recording_that_is_too_short_has_none(self):
        assert windows(np.zeros((3, 2), dtype=np.float32), 4) == []


class TestTone:
    def test_blocks_laid_side_by_side_are_one_sine_per_channel(self):
        source = tone((997, 1499), -20)
        block = np.concatenate([source(start, 64) for start in range(0, 4800, 64)])
        for channel, hz in zip(block.T, (997, 1499), strict=True):
            fit = fit_sines(channel, [hz])
            assert fit.levels_dbfs[0] == pytest.approx(-20, abs=1e-3)
            assert fit.sinad_db > 100


class TestSteps:
    STEPS = Steps(((-6, -50), (-20, -20)), (1000, 2000), step_frames=4800, begin=960)

    def test_each_step_has_its_levels(self):
        for number, levels_dbfs in enumerate(self.STEPS.levels_dbfs):
            block = self.STEPS.source(*self.STEPS.inner(number))
            np.testing.assert_allclose(rms_dbfs(block), levels_dbfs, atol=0.01)

    def test_before_and_after_it_is_silent(self):
        assert self.STEPS.end == 960 + 2 * 4800
        assert not self.STEPS.source(0, 960).any()
        assert not self.STEPS.source(self.STEPS.end, 960).any()
        assert self.STEPS.source(self.STEPS.end - 10, 20)[:10].any()

    @given(st.integers(-2000, 12_000), st.integers(1, 3000))
    def test_blocks_are_cut_from_one_track(self, start, frames):
        track = self.STEPS.source(-2000, 18_000)
        np.testing.assert_array_equal(
            self.STEPS.source(start, frames), track[start + 2000 : start + 2000 + frames]
        )
