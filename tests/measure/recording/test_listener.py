"""One channel, block by block: what is found, and that nothing is found where nothing is."""

import numpy as np
import pytest

from jamlab.measure.recording.listener import BLOCK_S, Listener, Voices
from tests.measure.recording.takes import RATE, chords_and_drums, delayed, noise, track


def trains(sound):
    listener, block = Listener(Voices()), round(BLOCK_S * RATE)
    for begin in range(0, len(sound), block):
        listener.hear(sound[begin : begin + block].astype(np.float32))
    return listener.end()


def test_every_click_is_read_once():
    (train,) = trains(track(50))
    numbers = np.array([reading.number for reading in train.readings])
    assert np.diff(numbers).tolist() == [1] * 49
    assert numbers[0] % 229 == 0


def test_a_faint_voice_beside_a_loud_one_is_found_with_the_second_block():
    rng, loud = np.random.default_rng(1), track(36, 114.0)
    both = noise(rng, loud, 30, loud) + 0.3 * delayed(track(36, 114.0, voice=9), 11_000)
    assert {train.voice for train in trains(both)} == {0, 9}


@pytest.mark.parametrize("pause_s", [7, 13])
def test_a_pause_of_the_player_does_not_end_a_train(pause_s):
    """After it, clicks and numbers go on where they were, as in a recording with a hole."""
    sound = track(100)
    sound[12 * RATE : (12 + pause_s) * RATE] = 0
    (train,) = trains(sound)
    assert len(train.readings) >= 100 - pause_s * 119 / 60 - 2
    assert (np.diff([each.number for each in train.readings]) >= 1).all()
    spacing = np.diff([each.at for each in train.readings])
    beats = spacing / (60 / 119 * RATE)
    assert np.abs(beats - np.round(beats)).max() < 1e-3


@pytest.mark.slow
def test_music_has_no_click():
    """Chords with vibrato and drums, of the click's band, for half a minute."""
    assert trains(chords_and_drums(30, seed=1)) == []
