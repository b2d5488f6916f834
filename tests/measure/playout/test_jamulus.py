"""The buffer like Jamulus' against the ring of blocks that its source describes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.jamulus import JamulusLike, _Window
from jamlab.measure.playout.packets import packets_of
from jamlab.measure.playout.playback import NEVER
from tests.examples import examples
from tests.measure.playout.test_stock import steady


class Ring:
    """A ring of blocks with a position to read from, block by block as the source moves it."""

    def __init__(self, size, first):
        self.valid = [None] * size
        self.at, self.number = 0, first

    def put(self, number):
        size = len(self.valid)
        difference = number - self.number
        while number < self.number:
            self.valid[self.at] = None
            self.number -= 1
            self.at = (self.at - 1) % size
        while number - self.number >= size:
            self.valid[self.at] = None
            self.number += 1
            self.at = (self.at + 1) % size
        place = max(0, min(difference, size - 1))
        self.valid[(self.at + place) % size] = number

    def take(self):
        found, self.valid[self.at] = self.valid[self.at], None
        self.at = (self.at + 1) % len(self.valid)
        self.number += 1
        return NEVER if found is None else found


@examples(200)
@given(
    st.integers(2, 11),
    st.lists(st.one_of(st.just("take"), st.integers(-15, 15)), max_size=60),
)
def test_the_window_is_the_ring(size, steps):
    window, ring = _Window(size, 100), Ring(size, 100)
    for number, step in enumerate(steps, start=100):
        if step == "take":
            assert window.take() == ring.take()
        else:
            window.put(number + step)
            ring.put(number + step)


def test_without_jitter_its_delay_becomes_that_of_the_smallest_buffer():
    playback = JamulusLike(steady(30)).play()
    assert playback.concealed_share < 0.002
    assert playback.delay_s[-1] <= 2 * 0.005


def test_a_stall_costs_what_it_lasts_and_the_delay_is_soon_back():
    playback = JamulusLike(steady(30, stall_s=0.5)).play()
    assert playback.concealed_frames.sum() == pytest.approx(0.5 * SAMPLE_RATE, abs=5000)
    assert playback.delay_s.max() <= 12 * 0.005


def test_a_higher_bound_of_errors_means_less_delay():
    jamulus = JamulusLike(packets_of(example_trace(30)))
    many, few = jamulus.play(0.05), jamulus.play(0.00005)
    assert many.mean_delay_s < few.mean_delay_s
    assert many.concealed_share > few.concealed_share


def test_no_packet_is_played_before_it_came():
    packets = packets_of(example_trace(30))
    playback = JamulusLike(packets).play()
    played = playback.is_played
    assert (playback.played_frames >= packets.arrived_frames)[played].all()
    assert np.unique(playback.played_frames[played]).size == played.sum()
