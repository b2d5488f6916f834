"""Alignment, against sounds that numpy's FFT and a windowed sinc have delayed and stretched."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.measure.sound_quality.alignment import AlignmentError, align
from jamlab.measure.sound_quality.music import piece
from jamlab.measure.sound_quality.scores import sinad_db
from tests.examples import examples
from tests.measure.recording.takes import delayed, stretched

PLAYED = piece(2.0).astype(np.float64)
TAIL = np.zeros((4_000, 2))


def heard_after(frames):
    whole = np.concatenate([PLAYED, TAIL])
    return np.column_stack([delayed(channel, frames) for channel in whole.T])


@given(st.floats(0, 3_000))
@example(1.5)
@examples(40)
def test_the_delay_is_found_to_a_hundredth_of_a_frame(frames):
    aligned = align(PLAYED, heard_after(frames))
    assert aligned.delay_frames == pytest.approx(frames, abs=0.01)
    assert aligned.drift == 0
    assert sinad_db(aligned) > 60


@pytest.mark.parametrize("ppm", [-20.0, pytest.param(500.0, marks=pytest.mark.slow)])
def test_drift_is_found_and_removed(ppm):
    played = PLAYED[:, :1]
    later = np.concatenate([np.zeros(480), played[:, 0], TAIL[:, 0]])
    heard = stretched(later, ppm)[:, np.newaxis]
    aligned = align(played, heard)
    assert aligned.drift * 1e6 == pytest.approx(ppm, abs=0.5)
    assert aligned.delay_frames == pytest.approx(480, abs=0.1)
    assert sinad_db(aligned) > 60


def test_steps_of_the_delay_are_no_difference_of_the_sound():
    later = np.concatenate([np.zeros((900, 2)), PLAYED, TAIL])
    heard = np.concatenate([later[:30_000], later[30_040:60_000], TAIL[:25], later[60_000:]])
    aligned = align(PLAYED, heard)
    assert sinad_db(aligned) > 60
    off = np.abs(aligned.heard - PLAYED)[20_000:28_000]
    assert off.max() < 1e-6


def test_silence_afterwards_is_no_place_to_be_found_in():
    for tail in (np.zeros((96_000, 2)), 1e-7 * piece(2.0, seed=5)):
        heard = np.concatenate([np.zeros((300, 2)), PLAYED, tail])
        assert align(PLAYED, heard).delay_frames == pytest.approx(300, abs=0.01)


def test_a_delay_that_goes_down_in_steps_is_no_drift():
    later, parts = np.concatenate([np.zeros((900, 2)), PLAYED, TAIL]), []
    for start in range(0, len(later), 30_000):
        parts.append(later[start + (30 if start else 0) : start + 30_000])
    aligned = align(PLAYED, np.concatenate(parts))
    assert aligned.drift == 0
    assert sinad_db(aligned) > 60


def test_noise_and_gaps_move_no_delay():
    rng = np.random.default_rng(1)
    heard = heard_after(700.25) + rng.normal(0, 0.01, (len(PLAYED) + len(TAIL), 2))
    for start in rng.integers(0, len(PLAYED), 40):
        heard[start : start + 240] = 0
    aligned = align(PLAYED, heard)
    assert aligned.delay_frames == pytest.approx(700.25, abs=0.05)
    assert aligned.drift == 0


@pytest.mark.parametrize(
    ("played", "heard", "said"),
    [
        (PLAYED, piece(2.0, seed=9).astype(float), "is not the played one"),
        (PLAYED, np.zeros_like(PLAYED), "is not the played one"),
        (np.zeros_like(PLAYED), PLAYED, "is not the played one"),
        (PLAYED[:5_000], PLAYED, "give 0.17 s or more"),
        (PLAYED, PLAYED[:, :1], "have 2 and 1 channels: give equally many"),
        (PLAYED, PLAYED[:, 0], r"has the shape \(96000,\)"),
        (PLAYED, PLAYED * np.nan, "not finite"),
    ],
)
def test_what_cannot_be_aligned_is_refused_in_a_sentence(played, heard, said):
    with pytest.raises(AlignmentError, match=said):
        align(played, heard)
