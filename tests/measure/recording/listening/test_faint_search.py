"""Lines of faint clicks in noise and music, against tracks of known voice, number and tempo."""

import numpy as np
import pytest

from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.measure.recording.listening.faint_search import lines
from jamlab.measure.recording.listening.whitening import whitened
from tests.measure.recording.takes import RATE, chords_and_drums

SLOW = pytest.mark.slow


def below(other, level_db, bpm=119.0, voice=0, begin=40):
    """Add clicks from a number on, so far below other sound."""
    metronome = Metronome(bpm, voice, 0.0)
    start = metronome.onset(begin) - 5_000
    clicks = metronome.block(start, len(other))[:, 0]
    click_rms = np.sqrt(np.mean(np.square(metronome.click(0))))
    gain = np.sqrt(np.mean(np.square(other))) / click_rms * 10 ** (level_db / 20)
    return other + gain * clicks, metronome, start


def noise(seconds, seed=1):
    return np.random.default_rng(seed).normal(0, 0.1, seconds * RATE)


def found(sound, voices, allowed=None):
    return lines(voices, whitened(sound.astype(np.float32)).samples, allowed or {})


@pytest.mark.parametrize(
    ("level_db", "bpm", "voice", "seconds"),
    [
        (-17, 119.0, 0, 10),
        pytest.param(-20, 119.0, 2, 20, marks=SLOW),
        pytest.param(-15, 60.0, 1, 20, marks=SLOW),
        pytest.param(-20, 240.0, 3, 20, marks=SLOW),
        pytest.param(-15, 119.0, 21, 20, marks=SLOW),
    ],
)
def test_voice_number_and_time_of_clicks_below_noise(level_db, bpm, voice, seconds):
    sound, metronome, start = below(noise(seconds), level_db, bpm, voice)
    (line,) = found(sound, [voice])
    number = line.chain.hits[0].identity
    assert line.voice == voice
    assert line.chain.beat == pytest.approx(60 / bpm * RATE, rel=1e-3)
    assert line.chain.first + start == pytest.approx(metronome.onset(number), abs=RATE / 2000)


def test_noise_and_chords_have_none():
    assert found(noise(10, seed=2), [0]) == []
    assert found(chords_and_drums(5, seed=2), [1]) == []


@SLOW
def test_a_loud_voice_is_no_line_of_another():
    sound, _, _ = below(noise(20), 10, voice=9)
    assert [line.voice for line in found(sound, [0, 1, 9, 31])] == [9]


def test_only_allowed_identities_are_found():
    sound, _, _ = below(noise(8), -10)

    def until_30(identity, at):
        assert len(identity) == len(at)
        return identity < 30

    assert len(found(sound, [0])) == 1
    assert found(sound, [0], {0: until_30}) == []


@pytest.mark.parametrize("frames", [0, 100, CLICK_FRAMES, RATE])
def test_little_sound_has_none(frames):
    assert found(np.ones(frames), [0]) == []
