"""The page's clicks and its search for them, against jamlab's own."""

import numpy as np
import pytest

from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import detection_threshold
from jamlab.measure.live_mesh.messages import MeshRequest
from tests.client.node import run_js

REQUEST = MeshRequest("token", 240.0, 8, {"ada": 0, "ben": 1, "eve": 2})


def test_clicks_are_jamlab_s_sample_by_sample():
    script = """
        import { Metronome } from "./clicks.js";
        console.log(JSON.stringify(given.map(([bpm, voice, firstS, index]) => {
          const metronome = new Metronome(bpm, voice, firstS);
          return [metronome.onset(index), [...metronome.click(index)]];
        })));"""
    cases = [(240.0, 0, 0.25, 0), (97.3, 5, 1.1, 7), (600.0, 31, 1 / 3, 199), (240.0, 2, 1.0, 230)]
    for (bpm, voice, first_s, index), (onset, click) in zip(
        cases, run_js(script, cases), strict=True
    ):
        metronome = Metronome(bpm, voice, first_s=first_s)
        assert onset == metronome.onset(index)
        assert click == pytest.approx(metronome.click(index), abs=2e-7)


def test_the_threshold_is_that_of_noise():
    script = """
        import { detectionThreshold } from "./clicks.js";
        console.log(JSON.stringify(given.map(detectionThreshold)));"""
    lags = [480, 24_001, 336_001]
    assert run_js(script, lags) == pytest.approx([*map(detection_threshold, lags)], abs=1e-3)


def delayed(sound, frames):
    """Delay a sound by a fraction of a frame, too, by the phases of its spectrum."""
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(len(sound)) * frames)
    return np.fft.irfft(np.fft.rfft(sound) * turns, len(sound))


@pytest.mark.slow
@pytest.mark.parametrize("lost", [(), (2, 4, 6)])  # those are searched for first
def test_the_search_finds_known_delays_in_noise_among_other_clicks(lost):
    """Recordings begin 3 s before the start; one of the others is not heard at all."""
    origin, frames = 3 * SAMPLE_RATE, 9 * SAMPLE_RATE
    known = {"ada": 1234.37, "ben": -2000.81}
    rng = np.random.default_rng(5)
    heard = rng.normal(0, 0.02, frames)
    for name, delay in known.items():
        track = np.zeros(frames)
        track[origin:] = REQUEST.metronome(name).block(0, frames - origin)[:, 0]
        track[origin + int(REQUEST.lasts_s * SAMPLE_RATE) :] = 0.0
        for click in lost:
            onset = origin + REQUEST.metronome(name).onset(click)
            track[onset : onset + CLICK_FRAMES] = 0.0
        heard += delayed(track, delay)
    script = """
        import { Metronome, inBand } from "./clicks.js";
        import { findClicks } from "./meshMeasurement.js";
        const band = inBand(Float32Array.from(given.heard));
        const told = {};
        for (const [name, [bpm, voice, firstS]] of Object.entries(given.metronomes)) {
          const metronome = new Metronome(bpm, voice, firstS);
          told[name] = await findClicks(band, metronome, given.clicks, async () => {});
        }
        console.log(JSON.stringify(told));"""
    metronomes = {name: REQUEST.metronome(name) for name in REQUEST.voices}
    given = {name: (m.bpm, m.voice, m.first_s) for name, m in metronomes.items()}
    told = run_js(
        script, {"heard": heard.round(7).tolist(), "metronomes": given, "clicks": REQUEST.clicks}
    )
    for name, delay in known.items():
        assert [reading["onset"] for reading in told[name]] == [
            metronomes[name].onset(click) for click in range(REQUEST.clicks)
        ]
        delays = {n: r["delay"] for n, r in enumerate(told[name]) if r["delay"] is not None}
        assert set(delays) == set(range(REQUEST.clicks)) - set(lost)
        assert [*delays.values()] == pytest.approx([delay] * len(delays), abs=0.1)
    assert [reading["delay"] for reading in told["eve"]] == [None] * REQUEST.clicks


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        ({}, True),
        ({"kind": "mesh report"}, False),
        ({"token": "a b"}, False),
        ({"bpm": 1000}, False),
        ({"bpm": "240"}, False),
        ({"clicks": 2}, False),
        ({"clicks": 2.5}, False),
        ({"bpm": 30, "clicks": 100}, False),
        ({"voices": {"ada": 0}}, False),
        ({"voices": {"ada": 0, "ben": 2}}, False),
        ({"voices": {"ada": 0, "b\nb": 1}}, False),
        ({"voices": None}, False),
    ],
)
def test_requests_are_checked_as_jamlab_checks_them(change, is_one):
    script = """
        import { readRequest } from "./meshMeasurement.js";
        console.log(JSON.stringify([readRequest(given) !== null, readRequest(null) !== null]));"""
    assert run_js(script, REQUEST.to_data() | change) == [is_one, False]


def test_the_clock_of_frames_is_the_line_below_late_readings():
    script = """
        import { FrameClock } from "./recorder.js";
        const clock = new FrameClock();
        for (const [frame, atS] of given) clock.note(frame, atS);
        console.log(JSON.stringify(clock.line()));"""
    rng = np.random.default_rng(6)
    frame_s, origin_s = (1 + 80e-6) / SAMPLE_RATE, 123.4
    frames = np.arange(0, 20 * SAMPLE_RATE, 960)
    late_s = rng.exponential(0.003, len(frames))
    readings = np.column_stack([frames, origin_s + frames * frame_s + late_s]).tolist()
    line = run_js(script, readings)
    assert line["frameS"] == pytest.approx(frame_s, rel=20e-6)
    assert line["originS"] == pytest.approx(origin_s, abs=0.5e-3)
