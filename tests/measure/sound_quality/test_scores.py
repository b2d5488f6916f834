"""Scores, against noise of known power and gaps of known share."""

import sys

import numpy as np
import pytest

from jamlab.measure.sound_quality.alignment import Aligned
from jamlab.measure.sound_quality.music import piece
from jamlab.measure.sound_quality.scores import sinad_db, zimtohrli

PLAYED = piece(3.0).astype(np.float64)


def aligned(heard, played=PLAYED):
    return Aligned(played, heard, 0.0, 0.0)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0, 60.0])
def test_sinad_is_the_ratio_of_sound_and_noise(snr_db):
    rng = np.random.default_rng(1)
    even = rng.normal(0, 0.1, PLAYED.shape)
    noise = rng.normal(0, 0.1 * 10 ** (-snr_db / 20), PLAYED.shape)
    assert sinad_db(aligned(even + noise, even)) == pytest.approx(snr_db, abs=0.1)


def test_the_level_is_no_difference():
    assert sinad_db(aligned(0.25 * PLAYED)) > 100


def test_what_is_silent_says_nothing():
    assert np.isnan(sinad_db(aligned(np.zeros_like(PLAYED), np.zeros_like(PLAYED))))
    half = PLAYED.copy()
    half[: len(half) // 2] = 0
    noise = np.random.default_rng(1).normal(0, 1e-6, PLAYED.shape)
    assert sinad_db(aligned(half + noise, half)) > 60


def without(share):
    """The played sound with a share of its 5 ms frames lost."""
    heard = PLAYED.copy()
    for start in range(0, len(heard), 240):
        if np.random.default_rng(start).random() < share:  # what is lost once is lost with more
            heard[start : start + 240] = 0
    return heard


def test_zimtohrli_falls_with_every_further_loss():
    pytest.importorskip("zimtohrli")
    left = PLAYED[:, :1]
    shares = 0.0, 0.005, 0.02, 0.08, 0.3
    scores = [zimtohrli(aligned(without(share)[:, :1], left)) for share in shares]
    assert scores[0] == pytest.approx(5, abs=1e-6)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 4


def test_the_worse_channel_counts():
    pytest.importorskip("zimtohrli")
    heard = PLAYED.copy()
    heard[:, 1] = without(0.3)[:, 1]
    assert zimtohrli(aligned(heard)) == zimtohrli(aligned(heard[:, 1:], PLAYED[:, 1:])) < 4.5


def test_without_the_library_there_is_no_figure(monkeypatch):
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    assert np.isnan(zimtohrli(aligned(PLAYED)))
