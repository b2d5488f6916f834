"""Tests of jamlab.measure.browser.click_paths, on sound that was delayed by a known time."""

import numpy as np
import pytest
from scipy import signal

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.browser.click_paths import Ear, Mouth, at_48_khz, latencies, level_db


def delayed(samples, frames):
    """Delay by a fractional number of frames, in the frequency domain."""
    padded = np.concatenate([samples, np.zeros(4096)])
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(padded)) * frames)
    return np.fft.irfft(np.fft.rfft(padded) * turn, len(padded)).astype(np.float32)


def clock(begin_s, skew=0.0):
    return lambda frame: begin_s + frame / SAMPLE_RATE * (1 + skew)


@pytest.fixture(scope="module")
def track():
    return Metronome(590.0, 3).block(0, 4 * SAMPLE_RATE)[:, 0]


@pytest.mark.parametrize("frames", [0.0, 100.25, 4000.5, 40_000.75])
def test_the_latency_is_the_delay_and_the_difference_of_the_times(track, frames):
    mouth = Mouth(Metronome(590.0, 3), clock(100.0))
    ear = Ear(delayed(np.concatenate([track, np.zeros(50_000)]), frames), clock(99.5))
    clicks = mouth.clicks(100.6, 102.0)
    found = latencies(mouth, [ear], clicks)
    assert len(found) == len(clicks) >= 13
    if frames >= 25_000:
        expected = frames - 0.5 * SAMPLE_RATE
        assert [each.delay for each in found] == pytest.approx([expected] * len(found), abs=0.05)
    elif frames < 23_000:  # heard before it was emitted: not by more than the clocks' error
        assert not any(each.heard for each in found)


def test_clocks_of_other_rates_are_allowed_for(track):
    mouth = Mouth(Metronome(590.0, 3), clock(0.0, 100e-6))
    ear = Ear(delayed(track, 960.0), clock(0.0, 300e-6))
    found = latencies(mouth, [ear], mouth.clicks(0.0, 3.5))
    expected = [
        (ear.time_of(each.onset + 960) - mouth.time_of(each.onset)) * SAMPLE_RATE for each in found
    ]
    assert [each.delay for each in found] == pytest.approx(expected, abs=0.05)
    assert expected[-1] - expected[0] > 20


def test_the_ear_that_hears_a_click_first_counts(track):
    mouth = Mouth(Metronome(590.0, 3), clock(0.0))
    late, early = (Ear(delayed(track, frames), clock(0.0)) for frames in (2000, 500))
    early.samples[: 2 * SAMPLE_RATE] = 0
    found = latencies(mouth, [late, early], mouth.clicks(0.5, 3.0))
    assert {round(each.delay) for each in found if each.onset < 1.9 * SAMPLE_RATE} == {2000}
    assert {round(each.delay) for each in found if each.onset > 2 * SAMPLE_RATE} == {500}


def test_without_ears_nothing_is_heard():
    mouth = Mouth(Metronome(), clock(0.0))
    assert not any(each.heard for each in latencies(mouth, [], range(3)))


@pytest.mark.parametrize("rate_hz", [44_100, 16_000, 96_000, 48_000])
def test_a_recording_at_another_rate_keeps_its_times(track, rate_hz):
    short = track[: 2 * SAMPLE_RATE]
    recorded = signal.resample(short, round(len(short) * rate_hz / SAMPLE_RATE))
    mouth = Mouth(Metronome(590.0, 3), clock(0.0))
    ear = Ear(at_48_khz(recorded.astype(np.float32), rate_hz), clock(0.0))
    found = latencies(mouth, [ear], mouth.clicks(0.3, 1.8))
    assert [each.delay for each in found] == pytest.approx([0.0] * len(found), abs=0.1)


def test_the_level_is_that_of_the_loudest_ear(track):
    ears = [Ear(track * np.float32(gain), clock(0.0)) for gain in (0.001, 0.01)]
    assert level_db(ears, Metronome(590.0, 3).level_dbfs) == pytest.approx(-40.0, abs=0.01)
    assert level_db([], -12.0) == pytest.approx(-144.0 + 12.0)
