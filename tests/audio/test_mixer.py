"""The mixer against its specification: transparent below the knee, never at full scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jamlab.audio.mixer import KNEE, mix, soft_limit
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE

KNEE_32 = np.float32(KNEE)
ULP = float(np.spacing(np.float32(1)))


def blocks(frames=8, limit=8.0):
    bound = float(np.float32(limit))
    samples = st.floats(-bound, bound, width=32)
    return hnp.arrays(np.float32, (frames, CHANNELS), elements=samples)


def ramp(start, stop, count):
    return np.linspace(start, stop, count, dtype=np.float32).repeat(2).reshape(-1, 2)


def sine(frequency, amplitude=1.0, frames=SAMPLE_RATE // 10, phase=0.0):
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(frames) / SAMPLE_RATE + phase)
    return wave.astype(np.float32).repeat(2).reshape(-1, 2)


def exact(magnitude):
    """The curve in double precision."""
    room = 1 - KNEE
    return np.where(magnitude > KNEE, KNEE + room * np.tanh((magnitude - KNEE) / room), magnitude)


class TestSoftLimit:
    def test_knee_is_3_db_below_full_scale(self):
        assert 20 * np.log10(KNEE) == pytest.approx(-3)

    @given(blocks(limit=float(np.nextafter(KNEE_32, np.float32(0)))))
    def test_bit_identical_below_the_knee(self, block):
        assert soft_limit(block).tobytes() == block.tobytes()

    @given(blocks())
    def test_quiet_samples_are_untouched_beside_loud_ones(self, block):
        quiet = np.abs(block) <= KNEE_32
        assert soft_limit(block)[quiet].tobytes() == block[quiet].tobytes()

    @given(blocks(limit=1e30))
    def test_never_reaches_full_scale(self, block):
        limited = soft_limit(block)
        assert np.all(np.abs(limited) < 1)
        assert np.all(np.abs(limited) <= np.abs(block))
        assert limited.dtype == np.float32
        assert limited.shape == block.shape

    @given(blocks())
    def test_is_odd(self, block):
        np.testing.assert_array_equal(soft_limit(-block), -soft_limit(block))

    def test_is_the_tanh_of_its_docstring(self):
        block = ramp(0, 8, 100_001)
        np.testing.assert_allclose(soft_limit(block), exact(block.astype(float)), atol=2 * ULP)

    def test_is_monotone(self):
        for stop in (0.71, 1.0, 8.0):
            assert np.all(np.diff(soft_limit(ramp(0.7, stop, 200_001))[:, 0]) >= 0)

    def test_slope_is_continuous_at_the_knee(self):
        step = 1e-3
        block = ramp(KNEE - 50 * step, KNEE + 50 * step, 101)
        slopes = np.diff(soft_limit(block)[:, 0].astype(float)) / step
        steepest = 4 / 3**1.5 / (1 - KNEE)  # change of tanh's slope, per unit of amplitude
        assert slopes[:49] == pytest.approx(1, abs=1e-3)
        assert np.abs(np.diff(slopes)).max() < steepest * step + 2 * ULP / step
        assert slopes[50] == pytest.approx(1, abs=1e-3)

    @given(blocks())
    def test_leaves_its_input_alone(self, block):
        before = block.tobytes()
        soft_limit(block)
        assert block.tobytes() == before


class TestMix:
    def test_nothing_is_silence(self):
        np.testing.assert_array_equal(mix([], 64), np.zeros((64, 2)))

    def test_takes_any_iterable(self):
        block = sine(440, 0.1)
        expected = mix([block, block], len(block))
        np.testing.assert_array_equal(mix(iter([block, block]), len(block)), expected)

    @given(blocks(limit=0.7))
    def test_one_player_at_a_normal_level_is_not_touched(self, block):
        assert np.array_equal(mix([block], 8), block)

    @given(st.lists(blocks(limit=0.1), max_size=7))
    def test_adds(self, players):
        expected = np.sum(players, axis=0, dtype=float) if players else np.zeros((8, 2))
        np.testing.assert_allclose(mix(players, 8), expected, atol=7 * ULP)

    @given(st.lists(blocks(4), max_size=7))
    def test_leaves_its_inputs_alone(self, players):
        before = [block.tobytes() for block in players]
        mixed = mix(players, 4)
        mixed += 1
        assert [block.tobytes() for block in players] == before

    @pytest.mark.parametrize("frequencies", [[440] * 6, [82, 110, 147, 196, 247, 330]])
    def test_six_full_scale_sines_fit_the_card(self, frequencies):
        mixed = mix([sine(f) for f in frequencies], SAMPLE_RATE // 10)
        assert 0.99 < np.abs(mixed).max() < 1

    def test_a_block_of_another_length_is_refused(self):
        with pytest.raises(ValueError, match="broadcast"):
            mix([sine(440, frames=32)], 64)
