"""One channel, block by block: what is found, and that nothing is found where nothing is."""

import numpy as np
import pytest

from jamlab.audio.metronome import Metronome
from jamlab.measure.recording.listening.listener import BLOCK_S, Listener, Voices
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


@pytest.mark.slow
def test_a_faint_voice_beside_a_loud_one_is_found_with_the_second_block():
    rng, loud = np.random.default_rng(1), track(36, 114.0)
    both = noise(rng, loud, 30, loud) + 0.3 * delayed(track(36, 114.0, voice=9), 11_000)
    assert {train.voice for train in trains(both)} == {0, 9}


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [13])
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


def below(other, level_db, clicks):
    """Add clicks whose RMS is so far below that of other sound over its whole band."""
    click_rms = np.sqrt(np.mean(np.square(Metronome().click(0))))
    return other + clicks * np.sqrt(np.mean(np.square(other))) / click_rms * 10 ** (level_db / 20)


def off_frames(train, delay=0.0):
    metronome = Metronome(119.0, train.voice)
    return (
        np.array([each.at - metronome.onset(each.number % 229) for each in train.readings]) - delay
    )


@pytest.mark.slow
def test_clicks_20_db_below_chords_are_read():
    clicks = track(25)
    (train,) = trains(below(chords_and_drums(14, seed=3)[: len(clicks)], -20, clicks))
    off = off_frames(train)
    assert len(off) > 17
    assert np.abs(off).max() < 24
    assert abs(np.median(off)) < 0.1


@pytest.mark.slow
def test_clicks_20_db_below_white_noise_are_found_and_read_right():
    clicks = track(60, voice=2)
    other = np.random.default_rng(1).normal(0, 0.1, len(clicks))
    (train,) = trains(below(other, -20, clicks))
    off = off_frames(train)
    assert train.voice == 2
    assert len(off) > 25
    assert np.abs(off).max() < 24
    assert abs(np.median(off)) < 1


@pytest.mark.slow
def test_clicks_that_stop_while_the_music_goes_on_are_missing():
    """Only the music is long enough for them to be sought again."""
    clicks = track(84)
    clicks[22 * RATE :] = 0
    white = np.random.default_rng(1).normal(0, 0.1, 30 * RATE)
    for other in (white, chords_and_drums(44, seed=1)[: len(clicks)]):
        (train,) = trains(below(other, -15, clicks[: len(other)]))
        assert sum(each.at > 22 * RATE for each in train.readings) <= 1


@pytest.mark.slow
def test_a_second_channel_tells_what_to_look_for():
    """A reference of voice 21 in one channel; in the other it is late, 20 dB below noise."""
    clicks, delay = track(70, voice=21), 4_321.5
    late = delayed(clicks, delay)
    other = below(np.random.default_rng(1).normal(0, 0.1, len(clicks)), -20, late)
    voices, block = Voices(), round(BLOCK_S * RATE)
    listeners = [Listener(voices), Listener(voices)]
    for begin in range(0, len(clicks), block):
        for listener, sound in zip(listeners, (other, clicks), strict=True):
            listener.hear(sound[begin : begin + block].astype(np.float32))
    (train,) = listeners[0].end()
    off = off_frames(train, delay)
    assert train.voice == 21
    assert len(off) > 15
    assert np.abs(off).max() < 24


@pytest.mark.slow
def test_two_voices_20_db_below_chords():
    both = track(70) + delayed(track(70, voice=1), 7_200)
    sound = below(chords_and_drums(37, seed=3)[: len(both)], -20, both)
    found = trains(sound)
    assert {train.voice for train in found} == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("jump", [300, 4_000])
def test_a_jump_of_faint_clicks_is_right_or_missing(jump):
    clicks = track(110)
    half = len(clicks) // 2
    clicks[half:] = delayed(clicks, jump)[half:]
    other = np.random.default_rng(1).normal(0, 0.1, len(clicks))
    off = np.concatenate([off_frames(train) for train in trains(below(other, -15, clicks))])
    assert np.minimum(np.abs(off), np.abs(off - jump)).max() < 24
    assert (np.abs(off - jump) < 24).sum() > 15
