"""The metronome against arithmetic in fractions and the raw definition of its code."""

from dataclasses import FrozenInstanceError, asdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from jamlab.audio.metronome import (
    CLICK_BAND_HZ,
    CLICK_FRAMES,
    IDENTITIES,
    VOICES,
    Metronome,
)
from jamlab.audio.pcm import SAMPLE_RATE
from tests.examples import examples

TEMPI = st.floats(1, 1500)
FEW_VOICES = st.integers(0, 5)  # each voice's waveforms take a while to make


def coefficients(one, other):
    """Correlation coefficient of two clicks at every lag, on full energies."""
    return signal.correlate(one, other) / np.linalg.norm(one) / np.linalg.norm(other)


class TestOnset:
    def test_whole_beats(self):
        metronome = Metronome(bpm=240, first_s=0.25)
        assert [metronome.onset(k) for k in range(4)] == [12_000, 24_000, 36_000, 48_000]

    @given(bpm=TEMPI, index=st.integers(0, 10**9), first_s=st.floats(0, 10))
    def test_is_the_exact_beat_rounded(self, bpm, index, first_s):
        onset = Metronome(bpm=bpm, first_s=first_s).onset(index)
        exact = round(first_s * SAMPLE_RATE) + index * 60 * SAMPLE_RATE / Fraction(bpm)
        assert isinstance(onset, int)
        assert abs(onset - exact) <= Fraction(1, 2)

    def test_odd_tempo_does_not_drift_in_a_year(self):
        metronome = Metronome(bpm=133.7, first_s=0)
        clicks = 133 * 60 * 24 * 365
        exact = clicks * 60 * SAMPLE_RATE / Fraction(133.7)
        assert abs(metronome.onset(clicks) - exact) <= Fraction(1, 2)

    def test_fastest_tempo_leaves_room_for_each_click(self):
        metronome = Metronome(bpm=60 * SAMPLE_RATE / CLICK_FRAMES)
        onsets = [metronome.onset(k) for k in range(500)]
        assert min(b - a for a, b in pairwise(onsets)) >= CLICK_FRAMES


class TestClicksBetween:
    @given(bpm=TEMPI, start=st.integers(-(10**6), 10**7), length=st.integers(0, 10**6))
    def test_finds_exactly_the_onsets_inside(self, bpm, start, length):
        metronome = Metronome(bpm=bpm)
        stop = start + length
        found = metronome.clicks_between(start, stop)
        assert all(start <= metronome.onset(k) < stop for k in (*found[:2], *found[-2:]))
        if found.start > 0:
            assert metronome.onset(found.start - 1) < start
        assert metronome.onset(found.stop) >= stop

    def test_borders(self):
        metronome = Metronome(bpm=240, first_s=0.25)
        assert metronome.clicks_between(12_000, 24_000) == range(1)
        assert metronome.clicks_between(12_001, 24_001) == range(1, 2)

    def test_nothing_before_the_first(self):
        assert len(Metronome(first_s=1).clicks_between(-(10**9), 48_000)) == 0


class TestClick:
    def test_shape_and_type(self):
        click = Metronome().click(0)
        assert click.shape == (CLICK_FRAMES,)
        assert click.dtype == np.float32
        assert 0.020 <= CLICK_FRAMES / SAMPLE_RATE <= 0.040

    @given(voice=FEW_VOICES, index=st.integers(0, 1000), level_dbfs=st.floats(-80, 0))
    @examples(30)
    def test_peak_is_the_level(self, voice, index, level_dbfs):
        click = Metronome(voice=voice, level_dbfs=level_dbfs).click(index)
        assert 20 * np.log10(np.abs(click).max()) == pytest.approx(level_dbfs, abs=1e-4)

    def test_energy_is_in_the_band(self):
        frequency_hz = np.fft.rfftfreq(8192, 1 / SAMPLE_RATE)
        inside = (frequency_hz >= CLICK_BAND_HZ[0]) & (frequency_hz <= CLICK_BAND_HZ[1])
        for index in range(IDENTITIES):
            power = np.abs(np.fft.rfft(Metronome().click(index), 8192)) ** 2
            assert power[~inside].sum() < 1e-4 * power.sum()

    def test_fades_in_and_out(self):
        click = Metronome(level_dbfs=0).click(7)
        assert np.abs(click[[0, 1, -2, -1]]).max() < 1e-3

    def test_crest_factor_spares_the_headroom(self):
        clicks = np.array([Metronome(level_dbfs=0).click(k) for k in range(IDENTITIES)])
        crest_db = -10 * np.log10(np.mean(clicks**2, axis=1))
        assert crest_db.max() < 8

    def test_chips_have_the_phases_of_the_definition(self):
        voice, index = 2, 5
        click = Metronome(voice=voice).click(index).astype(float)
        position = np.arange(CLICK_FRAMES)
        baseband = click * np.exp(-2j * np.pi * 4_800 / SAMPLE_RATE * position)
        low_pass = signal.firwin(63, 4_000, fs=SAMPLE_RATE)
        chips = np.convolve(baseband, low_pass, "same")[4 * 8 : -4 * 8 : 8]
        n = np.arange(IDENTITIES)
        expected = np.exp(2j * np.pi * ((voice + 1) * n**3 + 89 * index * n) / IDENTITIES)
        likeness = np.abs(np.vdot(expected, chips)) / np.linalg.norm(chips) / np.sqrt(IDENTITIES)
        assert likeness > 0.95

    def test_identities_return_after_the_period_and_not_before(self):
        metronome = Metronome()
        assert np.array_equal(metronome.click(3), metronome.click(3 + IDENTITIES))
        distinct = {metronome.click(k).tobytes() for k in range(IDENTITIES)}
        assert len(distinct) == IDENTITIES >= 64

    @given(
        voices=st.tuples(FEW_VOICES, FEW_VOICES),
        indices=st.tuples(st.integers(0, 228), st.integers(0, 228)),
    )
    @examples(150)
    def test_any_two_clicks_are_nearly_orthogonal_at_every_lag(self, voices, indices):
        one, other = (Metronome(voice=v).click(k) for v, k in zip(voices, indices, strict=True))
        likeness = np.abs(coefficients(one, other))
        if (voices[0], indices[0]) == (voices[1], indices[1]):
            likeness = likeness[: CLICK_FRAMES - 25]
        assert likeness.max() < 0.24

    def test_the_last_voice_is_as_distinct_as_the_first(self):
        others = [Metronome(voice=v).click(0) for v in (0, 1, 5)]
        last = Metronome(voice=VOICES - 1).click(0)
        assert max(np.abs(coefficients(last, other)).max() for other in others) < 0.24

    def test_is_a_copy(self):
        metronome = Metronome()
        metronome.click(0)[:] = 9
        assert np.abs(metronome.click(0)).max() < 1


class TestBlock:
    def test_is_stereo_float32(self):
        block = Metronome().block(12_000, 64)
        assert block.shape == (64, 2)
        assert block.dtype == np.float32
        assert np.array_equal(block[:, 0], block[:, 1])

    @given(bpm=TEMPI, start=st.integers(-5_000, 200_000), frames=st.integers(0, 9_000))
    @examples(50)
    def test_holds_the_clicks_at_their_onsets(self, bpm, start, frames):
        metronome = Metronome(bpm=bpm)
        track = np.zeros(230_000, dtype=np.float32)
        for index in range(10_000):
            onset = metronome.onset(index)
            if onset > 215_000:
                break
            track[onset : onset + CLICK_FRAMES] += metronome.click(index)
        padded = np.concatenate([np.zeros(5_000, dtype=np.float32), track])
        expected = padded[5_000 + start : 5_000 + start + frames]
        assert np.array_equal(metronome.block(start, frames)[:, 0], expected)

    @pytest.mark.parametrize("frames", [1, 64, 120, 997])
    def test_blocks_side_by_side_are_the_track(self, frames):
        metronome = Metronome(bpm=1500, voice=1)
        starts = range(-2 * frames, 15_000, frames)
        joined = np.concatenate([metronome.block(start, frames) for start in starts])
        assert np.array_equal(joined, metronome.block(-2 * frames, len(joined)))

    def test_is_silent_before_the_first_click(self):
        assert not Metronome(first_s=0.25).block(-48_000, 48_000 + 12_000).any()

    def test_may_be_written_to(self):
        metronome = Metronome()
        metronome.block(12_000, 64)[:] = 9
        assert np.abs(metronome.block(12_000, 64)).max() < 1


class TestValue:
    def test_same_parameters_same_track(self):
        assert Metronome(bpm=100, voice=3) == Metronome(bpm=100, voice=3)
        assert asdict(Metronome()) == {
            "bpm": 240.0,
            "voice": 0,
            "level_dbfs": -12.0,
            "first_s": 0.25,
        }

    def test_is_frozen(self):
        with pytest.raises(FrozenInstanceError):
            Metronome().bpm = 3

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"bpm": 0}, "bpm is 0: choose above 0"),
            ({"bpm": -1}, "bpm is -1"),
            ({"bpm": float("nan")}, "bpm is nan"),
            ({"bpm": float("inf")}, "bpm is inf"),
            ({"bpm": 1520}, "up to 1518, because a click lasts 39.5 ms"),
            ({"voice": -1}, "voice is -1: choose 0 to 31"),
            ({"voice": VOICES}, "voice is 32"),
            ({"level_dbfs": 0.1}, "level_dbfs is 0.1: choose 0 dBFS or less"),
            ({"level_dbfs": float("nan")}, "level_dbfs is nan"),
            ({"first_s": -0.1}, "first_s is -0.1: choose 0 seconds or more"),
            ({"first_s": float("inf")}, "first_s is inf"),
        ],
    )
    def test_refuses_what_it_cannot_play(self, parameters, sentence):
        with pytest.raises(ValueError, match=sentence):
            Metronome(**parameters)

    @pytest.mark.parametrize("method", ["onset", "click"])
    def test_refuses_negative_indices(self, method):
        with pytest.raises(ValueError, match="click index is -1: clicks are numbered from 0"):
            getattr(Metronome(), method)(-1)
