"""Splices: exact lengths, kept ends, and no step but the sine's and the fade's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.splice import lengthen, longest_splice, most_similar, shorten
from jamlab.media.quality import FRAME_LENGTHS

BOTH = pytest.mark.parametrize("splice", [shorten, lengthen], ids=["shorten", "lengthen"])
FREQUENCIES = st.floats(20, 8000)
ROUNDING = 4e-7


@st.composite
def block_and_count(draw, lengths=FRAME_LENGTHS):
    frames = draw(st.sampled_from(lengths))
    return frames, draw(st.integers(1, frames // 4))


def sine(frames, frequency, phase=0.0, start=0):
    angle = 2 * np.pi * frequency * np.arange(start, start + frames) / SAMPLE_RATE + phase
    return np.column_stack((np.sin(angle), np.cos(angle))).astype(np.float32)


def sign(splice):
    return 1 if splice is lengthen else -1


def steepest(frequency):
    """Largest step from one sample of a full-scale sine to the next."""
    return 2 * abs(np.sin(np.pi * frequency / SAMPLE_RATE))


def apart(frequency, count):
    """Largest difference of a full-scale sine and itself, `count` frames away."""
    return 2 * abs(np.sin(np.pi * frequency * count / SAMPLE_RATE))


def fade_step(frames):
    """Largest step of a raised cosine over half the block."""
    return np.sin(np.pi / 2 / (frames // 2))


def fade_start(frames):
    """The weight of the incoming copy at the first sample."""
    return np.sin(np.pi / 4 / (frames // 2)) ** 2


@BOTH
class TestBoth:
    @given(block_and_count((4, 5, 7, *FRAME_LENGTHS, 5760)))
    def test_length_is_exact(self, splice, case):
        frames, count = case
        spliced = splice(sine(frames, 440), count)
        assert spliced.shape == (frames + sign(splice) * count, 2)
        assert spliced.dtype == np.float32

    @given(block_and_count(), FREQUENCIES, st.floats(0, 7))
    def test_no_step_beyond_slope_and_fade(self, splice, case, frequency, phase):
        """Each sample of the fade is a mean of two sines, whose weights move by the fade's step."""
        frames, count = case
        before = sine(100, frequency, phase, start=-100)
        after = sine(100, frequency, phase, start=frames)
        spliced = splice(sine(frames, frequency, phase), count)
        steps = np.abs(np.diff(np.concatenate((before, spliced, after)).astype(float), axis=0))
        bound = steepest(frequency) + fade_step(frames) * apart(frequency, count)
        assert steps.max() <= bound + ROUNDING

    @given(block_and_count(), FREQUENCIES)
    def test_ends_stay(self, splice, case, frequency):
        """The last sample exactly, the first but for the fade's first weight."""
        frames, count = case
        block = sine(frames, frequency)
        spliced = splice(block, count)
        np.testing.assert_array_equal(spliced[-1], block[-1])
        first = np.abs(spliced[0] - block[0]).max()
        assert first <= fade_start(frames) * apart(frequency, count) + ROUNDING

    @given(block_and_count())
    def test_a_constant_stays_constant(self, splice, case):
        """The gains of the two copies add up to one."""
        frames, count = case
        spliced = splice(np.full((frames, 2), 0.7, np.float32), count)
        np.testing.assert_allclose(spliced, 0.7, atol=ROUNDING)

    @given(block_and_count())
    def test_time_never_runs_backwards(self, splice, case):
        """A ramp stays one, so no sound is heard twice in a row."""
        frames, count = case
        ramp = np.arange(frames, dtype=np.float64)[:, np.newaxis].repeat(2, axis=1)
        assert np.all(np.diff(splice(ramp, count), axis=0) > 0)

    @given(block_and_count(), st.integers(0, 2**32 - 1))
    def test_no_louder_than_the_block(self, splice, case, seed):
        frames, count = case
        noise = np.random.default_rng(seed).uniform(-1, 1, (frames, 2)).astype(np.float32)
        assert np.abs(splice(noise, count)).max() <= np.abs(noise).max() + ROUNDING

    @given(block_and_count())
    def test_channels_do_not_mix(self, splice, case):
        frames, count = case
        block = sine(frames, 440)
        block[:, 1] = 0
        spliced = splice(block, count)
        assert not spliced[:, 1].any()
        assert spliced[:, 0].any()

    def test_leaves_its_input_alone(self, splice):
        block = sine(120, 440)
        splice(block, 30)[:] = 0
        np.testing.assert_array_equal(block, sine(120, 440))

    @pytest.mark.parametrize(
        ("frames", "count"), [(120, 0), (120, -1), (120, 31), (3, 1), (0, 0), (0, 1)]
    )
    def test_refuses_what_does_not_fit(self, splice, frames, count):
        with pytest.raises(ValueError, match=f"a block of {frames} frames .*, not {count}"):
            splice(sine(frames, 440), count)


def test_longest_is_a_quarter():
    assert [longest_splice(frames) for frames in (0, 3, 4, 120, 961)] == [0, 0, 1, 30, 240]


@given(block_and_count(), FREQUENCIES)
def test_samples_outside_the_fade_are_the_blocks(case, frequency):
    """Shortening ends with the block's end; lengthening begins with its beginning as well."""
    frames, count = case
    block, half = sine(frames, frequency), frames // 2
    np.testing.assert_array_equal(shorten(block, count)[half:], block[half + count :])
    longer = lengthen(block, count)
    np.testing.assert_array_equal(longer[:count], block[:count])
    np.testing.assert_array_equal(longer[half + count :], block[half:])


class TestMostSimilar:
    @given(block_and_count(), st.floats(0.01, 1))
    def test_is_the_lag_of_the_largest_correlation(self, case, level):
        """Against the definition, lag by lag."""
        frames, most = case
        block = (np.random.default_rng(most).normal(0, level, (frames, 2))).astype(np.float32)
        head = block[: frames // 2].astype(float)

        def alike(lag):
            other = block[lag : lag + frames // 2].astype(float)
            return (head * other).sum() / np.sqrt((other * other).sum())

        best = max(range(max(1, most // 2), most + 1), key=alike)
        assert alike(most_similar(block, most)) == pytest.approx(alike(best))

    @pytest.mark.parametrize("period", [32, 40, 48, 60])
    def test_a_period_of_a_tone_leaves_the_tone_as_it_was(self, period):
        frequency = SAMPLE_RATE / period
        block = sine(240, frequency)
        assert most_similar(block, 60) == period
        np.testing.assert_allclose(shorten(block, period), block[: 240 - period], atol=1e-5)

    @pytest.mark.parametrize("frames", [120, 240, 480, 960])
    def test_silence_takes_the_most(self, frames):
        assert most_similar(np.zeros((frames, 2), np.float32), frames // 4) == frames // 4
