"""Readings of single clicks in noise, at known places between frames."""

import numpy as np
import pytest

from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.measure.recording.listening.faint_reading import CONTEXT, REACH, read_faint
from tests.measure.recording.takes import delayed

CLICK = Metronome(voice=3, level_dbfs=0.0).click(7)
FRAMES = CLICK_FRAMES + 2 * CONTEXT


def read(sound):
    return read_faint(sound.astype(np.float32), 3, 7, CLICK)


def placed(off, level=1.0):
    sound = np.zeros(FRAMES)
    sound[CONTEXT : CONTEXT + CLICK_FRAMES] = level * CLICK
    return delayed(sound, off)


def noise(seed, below_db):
    """White noise whose power in the whole band is so far above that of a click."""
    rms = np.sqrt(np.mean(np.square(CLICK))) * 10 ** (below_db / 20)
    return np.random.default_rng(seed).normal(0, rms, FRAMES)


@pytest.mark.parametrize("off", [-15.3, 0.0, 0.4, 12.6])
def test_a_click_in_little_noise(off):
    found = read(placed(off, 0.1) + 0.1 * noise(1, -20))
    assert found.off == pytest.approx(off, abs=0.1)
    assert found.amplitude == pytest.approx(0.1, rel=0.1)
    assert found.confidence > 0.9


def test_clicks_15_db_below_noise_are_read_without_a_bias():
    found = [read(placed(2.7) + noise(seed, 15)) for seed in range(40)]
    heard = [each for each in found if each is not None]
    assert len(heard) > 35
    assert np.median([each.off for each in heard]) == pytest.approx(2.7, abs=0.5)
    assert np.median([each.amplitude for each in heard]) == pytest.approx(1.0, rel=0.2)


def test_noise_has_none():
    assert sum(read(noise(seed, 0)) is not None for seed in range(200)) <= 2


def test_a_click_beyond_the_window_is_missing():
    for off in (-3 * REACH, 2 * REACH, 100.0):
        assert read(placed(off) + noise(1, -20)) is None


def test_silence_has_none():
    assert read(np.zeros(FRAMES)) is None
