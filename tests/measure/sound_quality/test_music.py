"""Tests of jamlab.measure.sound_quality.music."""

import numpy as np
import pytest

from jamlab.measure.sound_quality.music import PEAK_DBFS, piece


def test_a_piece_has_its_length_and_level():
    sound = piece(1.5)
    assert sound.shape == (72_000, 2)
    assert sound.dtype == np.float32
    assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(PEAK_DBFS, abs=0.01)


def test_the_seed_decides():
    assert np.array_equal(piece(0.5, 3), piece(0.5, 3))
    assert not np.array_equal(piece(0.5, 3), piece(0.5, 4))


def test_it_sounds_all_the_time_and_up_to_where_microphones_hear():
    sound = piece(3.0)[24_000:, 0]
    levels = np.sqrt(np.square(sound[: len(sound) // 4800 * 4800].reshape(-1, 4800)).mean(axis=1))
    assert levels.min() > 0.003
    power = np.square(np.abs(np.fft.rfft(sound)))
    above = power[np.fft.rfftfreq(len(sound), 1 / 48_000) > 20_000].sum()
    assert above < 1e-3 * power.sum()


def test_it_is_like_itself_at_no_other_delay():
    sound = piece(4.0).sum(axis=1).astype(float)
    spectrum = np.fft.rfft(sound, 2 * len(sound))
    correlation = np.fft.irfft(np.square(np.abs(spectrum)))[: len(sound)] / np.square(sound).sum()
    assert correlation[4800:].max() < 0.5
