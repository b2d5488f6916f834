"""The bounds of hindsight against all that buffers of their kind could do, tried one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.bounds import best_constant, best_per_second
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.packets import PacketTimes, packets_of
from jamlab.measure.playout.spliced import best_spliced
from jamlab.networks.model.trace import DelayTrace
from tests.examples import examples

FRAME = 16_000  # three packets a second, so that all choices can be tried
NEED = st.one_of(st.integers(0, 40).map(lambda blocks: 64 * blocks), st.just(np.inf))
ANY_ARRIVES = st.lists(NEED, min_size=3, max_size=9).filter(
    lambda needs: any(np.isfinite(each) for each in needs)
)


def packets(needs, frame=FRAME):
    """Return packets that need such delays; one need is 0, the floor."""
    captured = np.arange(len(needs)) * float(frame)
    ready = np.ceil((captured + 10 * frame) / 64) * 64
    return PacketTimes("tried", captured, ready + needs, frame_frames=frame)


def mean_of(delays, needs):
    played = needs <= delays
    return delays[played].mean() if played.any() else 0.0


def tried(needs, accepted, choices_per_second):
    """Return the least mean delay of all choices with few enough dropouts."""
    second = np.arange(len(needs)) * FRAME // SAMPLE_RATE
    best = np.inf
    for choice in itertools.product(choices_per_second, repeat=second.max() + 1):
        delays = np.array(choice)[second]
        if np.count_nonzero(needs > delays) <= accepted:
            best = min(best, mean_of(delays, needs))
    return best


@examples(100)
@given(ANY_ARRIVES, st.floats(0, 0.99))
def test_the_best_constant_is_the_least_that_is_accepted(needs, share):
    stream = packets(needs)
    exact = stream.needs_frames
    fit = [d for d in exact if np.count_nonzero(exact > d) <= int(share * len(exact))]
    assert best_constant(stream, share).low_s * SAMPLE_RATE == pytest.approx(min(fit))


@examples(100)
@given(ANY_ARRIVES, st.floats(0, 0.99))
def test_the_best_per_second_lies_between_its_bounds(needs, share):
    stream = packets(needs)
    exact = stream.needs_frames
    choices = {-1.0, *exact[np.isfinite(exact)]}
    least_s = tried(exact, int(share * len(exact)), sorted(choices)) / SAMPLE_RATE
    bound = best_per_second(stream, share)
    if np.isinf(least_s):
        assert np.isinf([bound.low_s, bound.high_s]).all()
    else:
        assert bound.low_s <= least_s + 1e-9
        assert least_s <= bound.high_s + 1e-9


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_the_gap_of_the_best_per_second_is_narrow_over_a_minute(share):
    stream = packets_of(example_trace(60))
    bound = best_per_second(stream, share)
    assert bound.low_s <= bound.high_s <= 1.05 * bound.low_s
    assert bound.high_s <= best_constant(stream, share).high_s


def cheapest_course(needs, price, longest):
    """Return the least cost of a course in steps of a quarter of a frame, each course tried."""

    def course(number, delay):
        if number == len(needs):
            return 0
        costs = [np.inf]
        for still in range(0, (longest - delay) // 4 + 1):
            here = delay + 4 * still
            fate = min(here, price) if needs[number] <= here else price
            after = [next_ for next_ in (here - 1, here, here + 1) if 0 <= next_ <= longest]
            costs += [still * price + fate + course(number + 1, each) for each in after]
            if here >= 4:
                costs.append((still + 1) * price + course(number + 1, here - 4))
        return min(costs)

    return min(course(0, delay) for delay in range(longest + 1))


@examples(15)
@given(st.lists(st.integers(0, 7), min_size=2, max_size=3), st.sampled_from([1.0, 3.0, 20.0]))
def test_the_best_of_splices_is_the_cheapest_course(steps, price):
    stream = packets(np.array([0, *(1 + 60 * each for each in steps)]), frame=240)
    needs = stream.needs_frames // 60
    states = int(needs.max()) // 4 * 4 + 8
    found = best_spliced(stream, [0.0], prices=np.array([price]))
    cost = cheapest_course(needs, price, states - 1)
    assert found[0].low_s * SAMPLE_RATE / 60 * len(needs) == pytest.approx(max(cost, 0))


def test_on_a_network_without_jitter_every_bound_is_the_floor():
    sent_s = np.arange(500) * 0.004
    stream = packets_of(
        DelayTrace("still", sent_s, np.full(500, 0.01)), block_frames=240, phase_frames=1
    )
    assert best_constant(stream, 0).low_s == 0
    assert best_per_second(stream, 0).high_s == 0
    assert best_spliced(stream, [0.0])[0].low_s == 0


def test_more_lost_packets_than_accepted_leave_no_bound():
    stream = packets([0.0, np.inf, 64.0])
    assert best_constant(stream, 0.1).low_s == np.inf
    assert best_per_second(stream, 0.1).low_s == np.inf
    assert best_spliced(stream, [0.1])[0].low_s == np.inf
