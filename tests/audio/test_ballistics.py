"""The meters' ballistics against the standards' own rules, computed another way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.ballistics import (
    CLIP_FRAMES,
    FULL_SCALE,
    HOLD_S,
    RETURN_DB_S,
    Ballistics,
)
from jamlab.audio.levels import SILENT_DBFS, amplitude_of
from jamlab.audio.pcm import SAMPLE_RATE

FAST_BURSTS_MS = {1000: 0.0, 500: -0.1, 200: -1.0, 100: -2.6, 50: -4.8, 20: -8.3, 10: -11.1}
"""IEC 61672-1, table of reference 4 kHz toneburst responses, time weighting F, in dB."""


def sine(level_dbfs, frames, hz=4000.0):
    times = np.arange(frames) / SAMPLE_RATE
    mono = amplitude_of(level_dbfs) * np.sin(2 * np.pi * hz * times)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def sound(*blocks):
    return np.stack(blocks).astype(np.float32)


def silent(seconds):
    return sound(np.zeros((round(seconds * SAMPLE_RATE), 2)))


def one(mono):
    return sound(np.stack([mono, np.zeros_like(mono)], axis=1))


@pytest.mark.parametrize("level_dbfs", [-6.0, -18.0, -60.0, 0.0])
def test_a_steady_sine_reads_its_level_everywhere(level_dbfs):
    levels = Ballistics(["ada"]).read(sound(sine(level_dbfs, 2 * SAMPLE_RATE, 997.0)))
    for shown in (levels.peak_dbfs, levels.rms_dbfs, levels.hold_dbfs):
        assert shown == pytest.approx(level_dbfs, abs=0.05)


@pytest.mark.parametrize(("duration_ms", "response_db"), FAST_BURSTS_MS.items())
def test_rms_follows_tone_bursts_as_time_weighting_f(duration_ms, response_db):
    burst = sound(sine(-10.0, round(duration_ms / 1000 * SAMPLE_RATE)))
    levels = Ballistics(["ada"]).read(burst)
    assert levels.rms_dbfs == pytest.approx(-10 + response_db, abs=0.1)
    assert levels.peak_dbfs == pytest.approx(-10, abs=0.05)  # the peak meter integrates nothing


def test_rms_falls_as_fast_as_a_time_constant_of_an_eighth_of_a_second():
    meter = Ballistics(["ada"])
    before = meter.read(sound(sine(-10.0, 2 * SAMPLE_RATE))).rms_dbfs
    after = meter.read(silent(0.5)).rms_dbfs
    assert before - after == pytest.approx(10 * np.log10(np.e) * 0.5 / 0.125, abs=0.01)


def test_the_peak_returns_by_20_db_in_1_7_seconds():
    meter = Ballistics(["ada"])
    meter.read(one(np.array([0.5])))
    assert meter.read(silent(1.7)).peak_dbfs[0, 0] == pytest.approx(-26.02, abs=0.01)
    assert meter.read(silent(17)).peak_dbfs[0, 0] == SILENT_DBFS


def test_the_held_peak_stays_its_time_and_then_returns():
    meter = Ballistics(["ada"])
    meter.read(one(np.array([0.5])))
    assert meter.read(silent(HOLD_S - 0.001)).hold_dbfs[0, 0] == pytest.approx(-6.02, abs=0.01)
    assert meter.read(silent(1.001)).hold_dbfs[0, 0] == pytest.approx(-6.02 - RETURN_DB_S, abs=0.1)


def test_a_higher_peak_is_held_and_a_lower_one_is_not():
    meter = Ballistics(["ada"])
    meter.read(one(np.array([0.5])))
    meter.read(silent(1.0))
    assert meter.read(one(np.array([0.25]))).hold_dbfs[0, 0] == pytest.approx(-6.02, abs=0.01)
    meter.read(one(np.array([0.8])))
    assert meter.read(silent(1.4)).hold_dbfs[0, 0] == pytest.approx(-1.94, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 50])
@pytest.mark.parametrize("at", [0, 5, 197])
def test_a_clip_is_so_many_samples_in_a_row_at_full_scale(count, at):
    mono = np.full(400, 0.9)
    mono[at : at + count] = -1.0
    levels = Ballistics(["ada"]).read(one(mono))
    assert levels.clipped.tolist() == [[count >= CLIP_FRAMES, False]]


def test_a_run_over_the_edge_of_two_blocks_is_one_run():
    meter = Ballistics(["ada"])
    assert not meter.read(one(np.array([0.0, 1.0, 1.0]))).clipped.any()
    assert meter.read(one(np.array([1.0, 0.0]))).clipped.tolist() == [[True, False]]


def test_full_scale_of_16_bits_is_full_scale_and_a_loud_sine_is_no_clip():
    assert Ballistics(["a"]).read(one(np.full(3, FULL_SCALE))).clipped[0, 0]
    assert not Ballistics(["a"]).read(sound(sine(-0.1, SAMPLE_RATE, 997.0))).clipped.any()


def test_a_clip_stays_until_it_is_reset_and_only_where_it_is_reset():
    meter = Ballistics(["ada", "ben"])
    loud = np.ones((10, 2))
    meter.read(sound(loud, loud))
    assert meter.read(sound(0 * loud, 0 * loud)).clipped.all()
    meter.reset("ada")
    assert meter.read(sound(0 * loud, 0 * loud)).clipped.tolist() == [[False] * 2, [True] * 2]
    meter.reset()
    assert not meter.read(sound(0 * loud, 0 * loud)).clipped.any()


def test_a_reset_lets_the_held_peak_go_to_the_peak():
    meter = Ballistics(["ada"])
    meter.read(one(np.array([0.5])))
    meter.read(silent(1.0))
    meter.reset()
    levels = meter.read(silent(0.0))
    assert levels.hold_dbfs == pytest.approx(levels.peak_dbfs)


def test_who_stays_goes_on_and_who_comes_is_silent():
    meter = Ballistics(["ada", "ben"])
    meter.read(sound(np.full((9, 2), 0.5), np.full((9, 2), 0.25)))
    meter.follow(["ben", "cleo"])
    levels = meter.read(np.zeros((2, 0, 2), dtype=np.float32))
    assert levels.peak_dbfs[0] == pytest.approx(-12.04, abs=0.01)
    assert levels.peak_dbfs[1] == pytest.approx(SILENT_DBFS)
    meter.follow([])
    assert meter.read(np.zeros((0, 9, 2), dtype=np.float32)).peak_dbfs.shape == (0, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_counts_as_silence(bad):
    meter = Ballistics(["ada"])
    levels = meter.read(one(np.array([0.25, bad, bad, bad])))
    assert levels.peak_dbfs[0, 0] == pytest.approx(-12.04, abs=0.01)
    assert np.isfinite(levels.rms_dbfs).all()
    assert not levels.clipped.any()


def slowly(samples):
    """Move a meter of one channel sample by sample, by the words of the standards."""
    peak = square = hold = 0.0
    held = run = 0
    clipped = False
    back = 10 ** (-20 / 1.7 / 20 / SAMPLE_RATE)
    forget = np.exp(-1 / (0.125 * SAMPLE_RATE))
    for value in np.abs(samples.astype(np.float64)):
        peak = max(peak * back, value)
        square = square * forget + (1 - forget) * value**2
        held += 1
        if held > HOLD_S * SAMPLE_RATE:
            hold *= back
        if value >= hold:
            hold, held = value, 0
        run = run + 1 if value >= FULL_SCALE else 0
        clipped = clipped or run >= CLIP_FRAMES
    return peak, np.sqrt(2 * square), hold, clipped


@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.5, width=32), st.integers(1, 400)), min_size=1, max_size=12
    ),
    st.lists(st.integers(1, 2000), max_size=6),
)
def test_it_reads_the_same_however_the_sound_is_cut(stretches, cuts):
    mono = np.concatenate([np.full(length, level) for level, length in stretches])
    edges = np.unique([0, *(cut % len(mono) for cut in cuts), len(mono)])
    meter = Ballistics(["ada"])
    for begin, end in pairwise(edges):
        levels = meter.read(one(mono[begin:end]))
    peak, rms, hold, clipped = slowly(mono.astype(np.float32))
    for shown, truth in (
        (levels.peak_dbfs, peak),
        (levels.rms_dbfs, rms),
        (levels.hold_dbfs, hold),
    ):
        assert shown[0, 0] == pytest.approx(max(20 * np.log10(max(truth, 1e-12)), -144), abs=0.01)
    assert levels.clipped[0, 0] == clipped
