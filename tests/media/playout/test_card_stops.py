"""The detector of a card's gaps against calls with known lags and gaps."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.card_stops import LEAST_S, SLOT_S, StopDetector
from tests.examples import examples

BLOCK = 128
BLOCK_S = BLOCK / SAMPLE_RATE


class Card:
    """A card whose calls are made by hand: block *k* at ``k`` blocks, plus what it let go by."""

    def __init__(self, began_s=0.0, ppm=0.0):
        self.detector = StopDetector()
        self.stopped_s = began_s
        self.told = []
        self._rate = SAMPLE_RATE * (1 + ppm * 1e-6)
        self._blocks = 0

    @property
    def due_s(self):
        return self._blocks * BLOCK / self._rate + self.stopped_s

    def play(self, seconds, lag_s=lambda: 0.0):
        for _ in range(round(seconds / BLOCK_S)):
            self._blocks += 1
            now_s = self.due_s + lag_s()
            stop = self.detector.observe(now_s, self._blocks * BLOCK)
            if stop:
                self.told.append(stop)
        return self

    def stall(self, seconds):
        """Make the calls of so long all at the end of it, as a loop does that was away."""
        due = round(seconds / BLOCK_S)
        now_s = (self._blocks + due) * BLOCK / self._rate + self.stopped_s
        for _ in range(due):
            self._blocks += 1
            stop = self.detector.observe(now_s, self._blocks * BLOCK)
            if stop:
                self.told.append(stop)
        return self


class TestLapse:
    @pytest.mark.parametrize("stop_s", [0.021, 0.05, 0.5, 3.0])
    def test_is_reported_once_within_two_slots(self, stop_s):
        card = Card().play(3)
        card.stopped_s += stop_s
        card.play(2 * SLOT_S + 2 * BLOCK_S)
        assert card.told == [pytest.approx(stop_s * SAMPLE_RATE, abs=1)]
        assert card.play(5).told == [pytest.approx(stop_s * SAMPLE_RATE, abs=1)]

    def test_is_not_told_before_it_is_certain(self):
        card = Card().play(3)
        card.stopped_s += 0.5
        assert card.play(0.9 * SLOT_S).told == []

    def test_that_is_small_adds_up(self):
        """Sixty of a block of 64 frames each, one a second, as a driver's xruns are."""
        card = Card().play(3)
        for _ in range(60):
            card.stopped_s += 64 / SAMPLE_RATE
            card.play(1)
        assert len(card.told) > 1
        followed = 60 * 500e-6 * SAMPLE_RATE  # as a drift, at the most
        assert 60 * 64 - followed - LEAST_S * SAMPLE_RATE < sum(card.told) <= 60 * 64

    def test_is_told_from_the_earliest_calls(self):
        """A card that was slow to begin has let nothing go by."""
        card = Card(0.7).play(3)
        card.stopped_s -= 0.7
        assert card.play(2).told == []
        card.stopped_s += 0.5
        assert card.play(2).told == [pytest.approx(0.5 * SAMPLE_RATE, abs=1)]

    def test_before_a_reset_is_not_told(self):
        card = Card().play(3)
        card.stopped_s += 0.5
        card.detector.reset()
        assert card.play(5).told == []


class TestNoLapse:
    @pytest.mark.parametrize("ppm", [-500, -200, 200, 500])
    def test_is_a_drift(self, ppm):
        assert Card(ppm=ppm).play(300).told == []

    @pytest.mark.parametrize("stall_s", [0.02, 0.4, 0.6, 2.0])
    def test_is_a_loop_that_makes_up_for_its_stalls(self, stall_s):
        card = Card().play(1)
        for _ in range(20):
            card.stall(stall_s).play(0.8)
        assert card.told == []

    def test_is_a_card_whose_calls_wander(self):
        """As PulseAudio's of 480 frames do: by 8 ms, in a second and a half, for minutes."""
        card = Card(ppm=-100)
        card.play(120, lambda: 0.008 * (card.due_s % 1.5) / 1.5)
        assert card.told == []

    @examples(25)
    @given(
        began_s=st.floats(0, 1e6),
        ppm=st.floats(-300, 300),
        mean_ms=st.floats(0, 20),
        seed=st.integers(0, 99),
    )
    def test_is_any_lag(self, began_s, ppm, mean_ms, seed):
        """Of 188 calls in a slot, some are nearly in time."""
        rng = random.Random(seed)
        card = Card(began_s, ppm)
        card.play(20, lambda: rng.expovariate(1) * mean_ms / 1000)
        assert card.told == []


@examples(25)
@given(
    stops=st.lists(st.tuples(st.floats(0.022, 2), st.floats(2, 4)), max_size=6),
    mean_ms=st.floats(0, 3),
    seed=st.integers(0, 99),
)
def test_all_stops_are_reported_at_any_lag(stops, mean_ms, seed):
    rng = random.Random(seed)
    card = Card().play(3)
    for stop_s, then_s in stops:
        card.stopped_s += stop_s
        card.play(then_s, lambda: rng.expovariate(1) * mean_ms / 1000)
    wanted_s = sum(stop_s for stop_s, _ in stops)
    assert sum(card.told) / SAMPLE_RATE == pytest.approx(wanted_s, abs=0.005)
