"""The history of levels against the levels of each whole interval."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.ballistics import Ballistics
from jamlab.audio.level_history import KEPT, LevelHistory
from jamlab.audio.levels import peak_dbfs, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE


def note(history, names, sound):
    meters = Ballistics(names)
    meters.read(np.asarray(sound, dtype=np.float32))
    history.note(tuple(names), meters.last)


def noise(seconds, seed=0):
    drawn = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * SAMPLE_RATE), 2))
    return (drawn * [1, 0.25]).astype(np.float32)


@given(st.lists(st.integers(1, SAMPLE_RATE), max_size=8))
def test_a_line_has_the_levels_of_its_interval_however_it_came(lengths):
    whole, history = noise(4), LevelHistory()
    edges = np.unique([0, *np.minimum(np.cumsum(lengths), len(whole)), len(whole)])
    for begin, end in pairwise(edges):
        note(history, ["ada"], whole[np.newaxis, begin:end])
    begin = 0
    for line in history.lines:
        end = round(line.at_s * SAMPLE_RATE)
        assert end - begin >= SAMPLE_RATE
        assert line.peak_dbfs == pytest.approx(peak_dbfs(whole[begin:end]).max(), abs=1e-3)
        assert line.rms_dbfs == pytest.approx(rms_dbfs(whole[begin:end]).max(), abs=1e-3)
        begin = end
    assert len(whole) - begin < SAMPLE_RATE


def test_who_was_there_for_a_part_is_judged_by_that_part():
    history, half = LevelHistory(), noise(0.5)
    note(history, ["ada"], half[np.newaxis])
    note(history, ["ada", "ben"], np.stack([half, half]))
    ada, ben = history.lines
    assert (ada.name, ben.name, ada.at_s) == ("ada", "ben", 1.0)
    assert ben.rms_dbfs == pytest.approx(ada.rms_dbfs)


def test_nothing_is_noted_of_nothing():
    history = LevelHistory()
    for _ in range(5):
        note(history, ["ada"], np.zeros((1, 0, 2), dtype=np.float32))
        note(history, [], np.zeros((0, SAMPLE_RATE, 2), dtype=np.float32))
    assert not history.lines


def test_a_long_session_keeps_its_last_hours():
    history, second = LevelHistory(), np.zeros((1, SAMPLE_RATE, 2), dtype=np.float32)
    history.lines.extend([None] * KEPT)
    note(history, ["ada"], second)
    assert len(history.lines) == KEPT
    assert history.lines[-1].name == "ada"
