"""Whitened sound: clicks keep their place and their amplitude, and other sound hides them less."""

import numpy as np
import pytest

from jamlab.audio.metronome import CLICK_FRAMES, GUARD_CHIPS, Metronome, chips
from jamlab.measure.recording.listening.whitening import STEP, whitened
from tests.measure.recording.takes import RATE

AT = 12_000
CHIPS = 229


def likeness(sound):
    """The coefficient of click 5 at its place, and its amplitude by the gains, in chips."""
    white = whitened(sound.astype(np.float32))
    first = AT // STEP + GUARD_CHIPS * 8 // STEP
    part = slice(first, first + 2 * CHIPS - 1, 2)
    window, code = white.samples[part], chips(0)[5].conj()
    match = abs((window * code).sum())
    return match / np.linalg.norm(window) / CHIPS**0.5, match / white.gains[part].sum()


def with_click(other, level=1.0):
    sound = other.copy()
    sound[AT : AT + CLICK_FRAMES] += level * Metronome(level_dbfs=0.0).click(5)
    return sound


def test_partials_far_above_a_click_do_not_hide_it():
    time_s = np.arange(RATE) / RATE
    tones = sum(np.sin(2 * np.pi * hz * time_s) for hz in (1_500, 2_222, 3_700, 5_900))
    assert likeness(with_click(tones, 0.05))[0] > 0.8
    assert likeness(tones)[0] < 0.2


def test_a_drum_before_a_click_does_not_hide_it():
    rng, drum = np.random.default_rng(1), np.zeros(RATE)
    drum[AT - 2_000 : AT - 500] = rng.normal(0, 1, 1_500)
    assert likeness(with_click(drum, 0.05))[0] > 0.8


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_gains_tell_the_amplitude(level):
    noise = np.random.default_rng(1).normal(0, 0.003, RATE)
    clean = likeness(with_click(np.zeros(RATE), 1.0))[1]
    assert likeness(with_click(noise * level, level))[1] == pytest.approx(clean * level, rel=0.1)


def test_silence_and_rounding_errors_stay_silent():
    assert not whitened(np.zeros(RATE, np.float32)).samples.any()
    faint = np.random.default_rng(1).normal(0, 1e-7, RATE).astype(np.float32)
    assert np.abs(whitened(faint).samples).max() < 0.1


@pytest.mark.parametrize("frames", [0, 1, 500, 1_897])
def test_sound_of_any_length(frames):
    assert np.isfinite(whitened(np.ones(frames, np.float32)).samples).all()
