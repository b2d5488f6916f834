"""The parts of a channel that are kept, and the windows in which clicks are sought."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.recording.listening.search import Chain, Hit
from jamlab.measure.recording.listening.train import LOST_S, Sound, Train
from tests.measure.recording.takes import RATE, track

BEAT = 60 / 119 * RATE


def train(first=12_000.0, number=0):
    return Train(0, Chain([Hit(first, number, 0.9)], BEAT, first), number)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=8),
    st.integers(0, 60),
    st.integers(-20, 400),
    st.integers(1, 100),
)
def test_the_kept_sound_is_that_of_its_frames(lengths, keep, begin, frames):
    whole, sound = np.arange(1.0, sum(lengths) + 1, dtype=np.float32), Sound()
    at = 0
    for length in lengths:
        sound.append(whole[at : at + length], keep)
        at += length
    assert sound.end == len(whole)
    assert (sound.samples == whole[sound.begin :]).all()
    for offset, value in enumerate(sound.excerpt(begin, frames)):
        inside = sound.begin <= begin + offset < sound.end
        assert value == (whole[begin + offset] if inside else 0)


def read(clicks, *trains_):
    sound = Sound()
    sound.append(clicks.astype(np.float32), 0)
    for each in trains_:
        each.read(sound, trains_, ended=True)


def test_it_reads_every_click_where_it_is():
    one = train()
    read(track(10), one)
    assert [reading.number for reading in one.readings] == [*range(10)]
    assert all(abs(each.at - 12_000 - each.number * BEAT) < 0.51 for each in one.readings)


def test_it_is_lost_after_some_seconds_without_a_click():
    one = train()
    read(np.pad(track(5), (0, round(2 * LOST_S * RATE))), one)
    assert one.lost
    assert len(one.readings) == 5


def test_two_trains_do_not_read_the_same_click():
    one, other = train(), train(first=12_000.0 + 480.0)
    read(track(10), one, other)
    assert len(one.readings) == 10
    assert other.readings == []


def test_a_click_far_weaker_than_the_last_ones_is_not_one_of_them():
    sound = track(10)
    sound[int(12_000 + 7.5 * BEAT) :] *= 0.05
    one = train()
    read(sound, one)
    assert [reading.number for reading in one.readings] == [*range(8)]
