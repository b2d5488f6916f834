"""Traces of delays, and their replay packet by packet against the one over arrays."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.trace import LEAST_PACKETS, DelayReplay, DelayTrace

MS = st.integers(0, 3_000)
ROWS = st.lists(st.tuples(st.integers(1, 200), st.none() | MS), min_size=12, max_size=40)


def trace(delays_ms, every_ms=10.0, name="test"):
    """Return a trace of packets at a constant rate; None for a lost one."""
    delay_s = np.array([np.nan if each is None else each / 1000 for each in delays_ms])
    return DelayTrace(name, np.arange(len(delays_ms)) * every_ms / 1000, delay_s)


@st.composite
def traces(draw):
    rows = draw(ROWS.filter(lambda rows: sum(r[1] is not None for r in rows) >= LEAST_PACKETS))
    gaps = [0, *(gap for gap, _ in rows[1:])]
    sent_s = np.array(list(itertools.accumulate(gaps))) / 1000
    delays = [np.nan if delay is None else delay / 1000 for _, delay in rows]
    return DelayTrace("drawn", sent_s, np.array(delays))


def stall(least_ms=5.0):
    """A stall of half a second in the middle of an even network, and one lost packet."""
    delays_ms = [least_ms] * 200
    delays_ms[50:100] = [500 - 10 * k for k in range(50)]
    delays_ms[150] = None
    return trace(delays_ms)


class TestDelayTrace:
    @given(traces())
    def test_its_own_packets_arrive_as_they_did(self, drawn):
        arrivals_s = drawn.arrivals_s(drawn.sent_s)
        assert arrivals_s == pytest.approx(drawn.sent_s + drawn.delay_s, abs=1e-9, nan_ok=True)

    def test_packets_of_a_stall_arrive_at_its_end(self):
        arrivals_s = stall().arrivals_s(np.arange(0.5, 0.99, 0.001))
        assert arrivals_s == pytest.approx(1.0)

    def test_what_is_nearest_to_a_lost_packet_is_lost(self):
        lost = np.isnan(stall().arrivals_s(np.arange(0, 2, 0.001)))
        assert np.flatnonzero(lost).tolist() == list(range(1496, 1505)) or (
            np.flatnonzero(lost).tolist() == list(range(1496, 1506))
        )

    def test_the_round_after_a_stall_at_the_end_waits_for_it(self):
        """Its last packets would otherwise be overtaken by the first of the next round."""
        broken_off = trace([5.0] * 50 + [500 - 10 * k for k in range(25)])
        arrivals_s = broken_off.arrivals_s(np.arange(0, 10, 0.001))
        assert (np.diff(arrivals_s) >= -1e-12).all()
        assert arrivals_s[750] == pytest.approx(1.0)

    @given(traces(), st.floats(0, 100))
    def test_repeats(self, drawn, at_s):
        sent_s = at_s + drawn.duration_s * np.array([1.0, 2.0, 3.0])
        delays_s = drawn.arrivals_s(sent_s) - sent_s
        if not np.isnan(delays_s).any():  # rounding may choose the other of two neighbours
            assert delays_s == pytest.approx(delays_s[0], abs=1e-6)

    @pytest.mark.parametrize(
        ("sent_s", "delay_s", "words"),
        [
            ([0.0, 1.0], [0.1, 0.1], "10 packets or more"),
            ([], [], "10 packets or more"),
            (np.arange(12), [np.nan] * 12, "10 packets or more"),
            (np.arange(12), [0.1] * 11, "as many delays"),
            (np.arange(1, 13), [0.1] * 12, "increase from 0"),
            ([*range(11), 3], [0.1] * 12, "increase from 0"),
            ([*range(11), np.inf], [0.1] * 12, "increase from 0"),
            ([*range(11), np.nan], [0.1] * 12, "increase from 0"),
            (np.arange(12), [-0.1] * 12, "delays of 0 or more"),
            (np.arange(12), [np.inf] * 12, "delays of 0 or more"),
        ],
    )
    def test_refuses_what_is_none(self, sent_s, delay_s, words):
        with pytest.raises(ValueError, match=f"^trace test: .*{words}"):
            DelayTrace("test", np.array(sent_s, float), np.array(delay_s, float))


class TestDelayReplay:
    @given(traces(), st.floats(0, 1), st.floats(0, 1e5), st.lists(st.floats(0, 5), max_size=30))
    def test_is_the_replay_over_arrays(self, drawn, share, clock_s, gaps_s):
        """From a time of the trace on, and whatever the clock says."""
        from_s = share * drawn.duration_s
        since_s = np.array(list(itertools.accumulate([0.0, *gaps_s])))
        expected_s = drawn.arrivals_s(from_s + since_s) - from_s
        replay = DelayReplay(drawn, from_s)
        for since, expected in zip(since_s.tolist(), expected_s.tolist(), strict=True):
            leaves_s = replay.leaves_s(100, clock_s + since)
            near_a_border = np.abs((from_s + since) % drawn.duration_s - drawn._middles_s).min()
            if near_a_border > 1e-6 and (from_s + since) % drawn.duration_s > 1e-6:
                assert (leaves_s is None) == np.isnan(expected)
                if leaves_s is not None:
                    assert leaves_s - clock_s == pytest.approx(expected, abs=1e-4)
            assert leaves_s is None or leaves_s >= clock_s + since

    def test_keeps_the_order(self):
        replay = DelayReplay(stall(), 0.123)
        leaves_s = [replay.leaves_s(100, 1e6 + k * 0.003) for k in range(3000)]
        assert (np.diff([each for each in leaves_s if each is not None]) >= 0).all()

    def test_spares_packets(self):
        replay = DelayReplay(stall(), 1.5)
        assert replay.leaves_s(100, 0.0) is None
        assert replay.leaves_s(100, 0.0, spared=True) == pytest.approx(0.005)

    def test_begins_anywhere(self):
        rng = random.Random(1)
        begins_s = [stall().replay(rng)._from_s for _ in range(1000)]
        assert np.mean(begins_s) == pytest.approx(1.0, abs=0.1)
        assert 0 <= min(begins_s) < 0.1 < 1.9 < max(begins_s) <= 2.0
