"""The model of the tempo, against its solution in closed form and against what was published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.ensemble import tempo
from jamlab.measure.ensemble.tempo import (
    COMFORTABLE_S,
    OWN,
    UNEXPECTED,
    play,
    slope_bpm_min,
    tempo_outlook,
)
from jamlab.measure.latency.plan import PlanError
from tests.examples import examples
from tests.measure.ensemble.meshes import even, of_pairs

LATENCY_S = st.floats(0, 0.1)


def between(there_s, back_s):
    return np.array([[0, there_s], [back_s, 0]])


@given(LATENCY_S, LATENCY_S, st.floats(0, 0.08), st.floats(60, 180))
@examples(100)
def test_two_musicians_reach_the_solution_in_closed_form(there_s, back_s, unexpected, bpm):
    """Once settled, both change by the same time d a beat, so d (1 - own) is what each hears."""
    notes = play(between(there_s, back_s), bpm, unexpected, played_s=100.0)[-5:]
    mean_s = unexpected * ((there_s + back_s) / 2 - COMFORTABLE_S)
    growth = np.diff(notes, n=2, axis=0)
    assert growth == pytest.approx(np.full_like(growth, mean_s / 2 / (1 - OWN)), abs=1e-6)
    apart = notes[:, 0] - notes[:, 1]  # the one who hears the other later is later
    assert apart == pytest.approx(np.full(5, unexpected * (back_s - there_s) / 2), abs=1e-5)


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_more_musicians_lose_more_tempo(count):
    """Each hears all others late, and corrects by 1/N for each."""
    apart_s = 0.03 * ~np.eye(count, dtype=bool)
    growth = np.diff(play(apart_s, 120.0, 0.05)[-3:], n=2, axis=0)
    expected = 0.05 * (0.03 - COMFORTABLE_S) * (count - 1) / count / (1 - OWN)
    assert growth == pytest.approx(np.full_like(growth, expected), rel=1e-3)


def test_a_steady_tempo_stays_and_an_error_is_corrected():
    notes = play(np.full((2, 2), COMFORTABLE_S), 120.0, 0.05)
    assert np.diff(notes, axis=0) == pytest.approx(np.full_like(notes[1:], 0.5))
    assert slope_bpm_min(notes) == pytest.approx(0, abs=1e-9)


def test_the_slope_is_that_of_an_even_change_of_tempo():
    tempo_bpm = np.linspace(120, 110, 120)
    ends_s = np.cumsum(60 / tempo_bpm)
    beats = np.concatenate([[0.0], ends_s])
    assert slope_bpm_min(np.column_stack([beats, beats])) == pytest.approx(
        -10 / ends_s[-1] * 60, rel=0.02
    )


def test_the_published_performance_lies_in_the_outlook():
    """Duo 3 of Cheston et al. at 90 ms: from 96 bpm, its two players lost 0.19 bpm a second."""
    low, high = (slope_bpm_min(play(between(0.09, 0.09), 96.0, each)) for each in UNEXPECTED[::-1])
    assert low < -0.19 * 60 < high


@pytest.fixture
def outlook(monkeypatch):
    def of(latencies, bpm=120.0):
        monkeypatch.setattr(tempo, "latencies_of", lambda _: latencies)
        return tempo_outlook(None, bpm)

    return of


@pytest.mark.parametrize(("ms", "sign"), [(2.0, 1), (40.0, -1)])
def test_short_latencies_hurry_and_long_ones_drag(outlook, ms, sign):
    low, high = outlook(even(3, ms)).slope_bpm_min
    assert min(sign * low, sign * high) == pytest.approx(0, abs=1e-9)
    assert max(sign * low, sign * high) > 0.5


def test_a_wider_interval_makes_a_wider_outlook(outlook):
    narrow, wide = outlook(even(2, 30.0)).slope_bpm_min, outlook(even(2, 30.0, 10.0)).slope_bpm_min
    assert wide[0] < narrow[0]
    assert wide[1] >= narrow[1]


def test_who_is_heard_late_by_nobody_waits_most(outlook):
    latencies = of_pairs("abc", {"ab": (20, 20), "ac": (20, 20), "bc": (20, 20)})
    latencies.low_ms[1:, 0] = latencies.high_ms[1:, 0] = 80.0  # a hears the others late
    late = outlook(latencies).late_ms
    assert late["a"][1] > 1
    assert late["b"] == pytest.approx(late["c"], abs=1e-9)
    assert late["b"][0] < 0


def test_without_a_latency_there_is_no_outlook(outlook):
    assert outlook(of_pairs("abc", {"ab": (20, 21)})) is None
    assert outlook(of_pairs("a", {})) is None


def test_a_tempo_out_of_range_is_refused(outlook):
    with pytest.raises(PlanError, match="bpm is 10: choose 30 to 300"):
        outlook(even(2, 10.0), 10.0)
