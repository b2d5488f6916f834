"""A short piece of music, made from a seed: the sound that is sent to compare encodings.

It has what codecs and concealment find hard: plucked chords that sustain, a bass line, and drums
with sharp onsets. No two bars are alike, so a delay of it has one value only.

A plucked string is a burst of noise in a delay line as long as a period, with a low-pass filter
(K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres", Computer Music
Journal 7(2), 1983).
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from jamlab.audio.levels import amplitude_of
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block

PEAK_DBFS = -3.0
"""Highest sample of a piece."""

_BEAT_S = 0.35
_NOTE_S = 1.4
_CHORDS = ((48, 55, 60, 64), (45, 52, 57, 60), (41, 48, 53, 57), (43, 50, 55, 59))
"""C, A minor, F and G, as MIDI notes."""
_PAN = (0.3, 0.45, 0.55, 0.7)


def piece(seconds: float, seed: int = 1) -> Block:
    """Return a piece of music of a given length.

    Examples
    --------
    >>> piece(0.5).shape
    (24000, 2)
    """
    rng = np.random.default_rng(seed)
    frames = round(seconds * SAMPLE_RATE)
    sound = np.zeros((frames, CHANNELS))
    for beat in range(math.ceil(seconds / _BEAT_S)):
        chord = _CHORDS[beat // 4 % len(_CHORDS)]
        note = int(rng.integers(len(chord)))
        start = round((beat * _BEAT_S + rng.uniform(0, 0.02)) * SAMPLE_RATE)
        _add(sound, start, _string(chord[note] + 12 * int(rng.integers(2)), rng), _PAN[note])
        if beat % 2 == 0:
            _add(sound, start, 1.5 * _string(chord[0] - 12, rng), 0.5)
        _add(sound, start, _drum(rng, snare=beat % 4 == 2), rng.uniform(0.35, 0.65))
    sound = signal.sosfiltfilt(_audible(), sound, axis=0)
    peak = float(np.abs(sound).max(initial=1e-9))
    made: Block = (sound * (amplitude_of(PEAK_DBFS) / peak)).astype(np.float32)
    return made


@cache
def _audible() -> NDArray[np.float64]:
    """Return a filter that leaves out what no microphone hears and Opus does not encode."""
    return np.asarray(signal.butter(8, 18_000.0, fs=SAMPLE_RATE, output="sos"))


def _add(sound: NDArray[np.float64], start: int, part: NDArray[np.float64], pan: float) -> None:
    """Add a mono part at a place, between left (0) and right (1)."""
    part = part[: max(0, len(sound) - start)]
    sound[start : start + len(part)] += np.outer(part, (math.sqrt(1 - pan), math.sqrt(pan)))


def _string(note: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sound of a plucked string."""
    period = round(SAMPLE_RATE / (440.0 * 2 ** ((note - 69) / 12)))
    turns = [rng.uniform(-1, 1, period)]
    for _ in range(round(_NOTE_S * SAMPLE_RATE) // period):
        last = turns[-1]
        turns.append(0.498 * (last + np.roll(last, 1)))
    return np.concatenate(turns)


def _drum(rng: np.random.Generator, *, snare: bool) -> NDArray[np.float64]:
    """Return the sound of a snare drum, or of a cymbal that is closed at once."""
    decay_s = 0.09 if snare else 0.025
    time_s = np.arange(round(6 * decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.normal(0, 1, len(time_s)) * np.exp(-time_s / decay_s)
    if snare:
        return 0.5 * noise + 0.8 * np.sin(2 * np.pi * 190 * time_s) * np.exp(-time_s / decay_s)
    return 0.4 * np.diff(noise, prepend=0.0)
