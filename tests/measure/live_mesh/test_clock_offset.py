"""Bounds of clock offsets, compared with known clocks and with SciPy's linear programmes."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import linprog

from jamlab.measure.live_mesh.clock_offset import (
    MAX_SKEW,
    RESOLUTION_S,
    NoOffsetError,
    OffsetBounds,
    offset_bounds,
)
from tests.examples import examples

EPOCH_S = 1_800_000_000.0  # wall clocks read about this


class Clocks:
    """Two clocks that are apart, and packets between them whose delays are chosen.

    The sender's is the true time since the epoch; the receiver's is ahead by `offset_s` at the
    beginning and gains `skew` seconds in each second of its own.
    """

    def __init__(self, offset_s, skew):
        self.offset_s, self.skew = offset_s, skew

    def receiver(self, true_s):
        """Its reading at a time of the sender's: r with r - true = offset + skew (r - EPOCH)."""
        return EPOCH_S + (true_s - EPOCH_S + self.offset_s) / (1 - self.skew)

    def ahead_s(self, reading_s):
        return self.offset_s + self.skew * (reading_s - EPOCH_S)

    def there(self, sent_s, delays_s):
        return np.column_stack([sent_s, self.receiver(sent_s + delays_s)])

    def back(self, sent_s, delays_s):
        return np.column_stack([self.receiver(sent_s), sent_s + delays_s])


delays = st.lists(st.floats(0, 0.4), min_size=1, max_size=12)
clocks = st.builds(Clocks, st.floats(-1e5, 1e5), st.floats(-MAX_SKEW, MAX_SKEW))


def packets(pair, there_s, back_s, lasting_s=10.0):
    """Readings of packets both ways, spread over a while."""
    forth = EPOCH_S + np.linspace(0, lasting_s, len(there_s))
    return (
        pair.there(forth, np.array(there_s)),
        pair.back(forth[0] + np.linspace(0, lasting_s, len(back_s)), np.array(back_s)),
    )


@examples(60)
@given(clocks, delays, delays, st.floats(-20, 20))
def test_the_truth_is_always_within(pair, there_s, back_s, since_s):
    bounds = offset_bounds(*packets(pair, there_s, back_s))
    at_s = pair.receiver(EPOCH_S + since_s)
    least_s, most_s = bounds.offset_s([at_s])
    assert least_s[0] - 1e-9 <= pair.ahead_s(at_s) <= most_s[0] + 1e-9
    assert bounds.skew[0] - 1e-9 <= pair.skew <= bounds.skew[1] + 1e-9


@examples(25)
@given(clocks, delays, delays, st.floats(0, 10))
def test_they_are_what_a_linear_programme_finds(pair, there_s, back_s, since_s):
    there, back = packets(pair, there_s, back_s)
    bounds = offset_bounds(there, back)
    at_s = pair.receiver(EPOCH_S + since_s)
    rows, limits = [], []
    for sent_s, came_s in there:
        rows.append([1, came_s - at_s])
        limits.append(came_s - sent_s - pair.offset_s + RESOLUTION_S)
    for sent_s, came_s in back:
        rows.append([-1, at_s - sent_s])
        limits.append(came_s - sent_s + pair.offset_s + RESOLUTION_S)
    found = [
        sign * linprog([sign, 0], rows, limits, bounds=[(None, None), (-MAX_SKEW, MAX_SKEW)]).fun
        for sign in (1, -1)
    ]
    drawn = [float(end[0]) - pair.offset_s for end in bounds.offset_s([at_s])]
    assert drawn == pytest.approx(found, abs=2e-6)


def test_half_a_round_trip_would_be_wrong_and_the_interval_is_not():
    """80 ms there, 4 ms back: half of the round trip would put the clocks 38 ms off."""
    pair = Clocks(7200.0, 0.0)
    there, back = packets(pair, [0.080] * 20, [0.004] * 20)
    least_s, most_s = offset_bounds(there, back).offset_s([EPOCH_S + 7205.0])
    assert least_s[0] <= 7200.0 <= most_s[0]
    assert most_s[0] - 7200.0 == pytest.approx(0.080, abs=1e-4)
    assert 7200.0 - least_s[0] == pytest.approx(0.004, abs=1e-4)
    assert abs((least_s[0] + most_s[0]) / 2 - 7200.0) == pytest.approx(0.038, abs=1e-4)


def test_it_is_as_wide_as_the_quickest_packets_both_ways():
    quick, slow = 0.010, 0.200
    pair = Clocks(-3.0, 150e-6)
    delays_s = np.full(200, slow)
    delays_s[::10] = quick
    least_s, most_s = offset_bounds(*packets(pair, delays_s, delays_s)).offset_s([EPOCH_S + 5.0])
    assert 2 * quick <= most_s[0] - least_s[0] <= 2 * quick + 1e-4


@pytest.mark.parametrize("skew", [-200e-6, 0.0, 200e-6])
def test_a_long_look_tells_the_skew(skew):
    pair = Clocks(0.5, skew)
    low, high = offset_bounds(*packets(pair, [0.001] * 60, [0.001] * 60, 60.0)).skew
    assert low <= skew <= high
    assert high - low <= 2 * 0.002 / 60 + 1e-6


def test_a_packet_more_never_widens():
    pair, rng = Clocks(12.0, 50e-6), np.random.default_rng(1)
    there, back = packets(pair, rng.exponential(0.02, 40), rng.exponential(0.02, 40))
    widths = [
        np.subtract(*offset_bounds(there[:n], back[:n]).offset_s([EPOCH_S + 5])[::-1])[0]
        for n in range(1, 41)
    ]
    assert (np.diff(widths) <= 1e-12).all()


def test_a_clock_that_was_set_is_a_contradiction():
    pair = Clocks(0.0, 0.0)
    there, back = packets(pair, [0.010] * 20, [0.010] * 20)
    there[10:, 1] -= 0.5
    back[10:, 0] -= 0.5
    with pytest.raises(NoOffsetError, match="contradict"):
        offset_bounds(there, back)


def test_a_skew_no_clock_has_is_a_contradiction():
    pair = Clocks(0.0, 0.01)
    with pytest.raises(NoOffsetError, match="contradict"):
        offset_bounds(*packets(pair, [0.001] * 20, [0.001] * 20))


@pytest.mark.parametrize(
    ("there", "back", "complaint"),
    [
        ([], [[0, 1]], "no packet there"),
        ([[0, 1]], [], "no packet back"),
        ([[0, np.nan]], [[0, 1]], "a packet there has no time"),
        ([[0, 1]], [[-np.inf, 1]], "a packet back has no time"),
    ],
)
def test_what_says_nothing(there, back, complaint):
    with pytest.raises(NoOffsetError, match=complaint):
        offset_bounds(there, back)


def test_a_single_pair_bounds_the_offset_and_leaves_the_skew_open():
    bounds = offset_bounds([[0.0, 0.01]], [[0.0, 0.02]])
    assert bounds.skew == pytest.approx((-MAX_SKEW, MAX_SKEW))
    least_s, most_s = bounds.offset_s([0.0])
    assert (least_s[0], most_s[0]) == pytest.approx((-0.02, 0.01), abs=1e-4)


def test_corners_decide_at_any_time():
    bounds = OffsetBounds(10.0, np.array([[1.0, 0.1], [2.0, -0.1]]))
    least_s, most_s = bounds.offset_s([0.0, 10.0, 20.0])
    assert least_s.tolist() == [0.0, 1.0, 1.0]
    assert most_s.tolist() == [3.0, 2.0, 2.0]
    assert bounds.skew == (-0.1, 0.1)
