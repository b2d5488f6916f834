"""Delivery opportunities against a queue of bytes that is emptied millisecond by millisecond."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.delivery import DeliveryReplay, DeliveryTrace
from tests.examples import examples

MARKS_MS = st.lists(st.integers(0, 60), min_size=1, max_size=30).map(sorted).filter(lambda m: m[-1])
PACKETS = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 3000)), max_size=40)


def opportunities(*marks_ms, **options):
    return DeliveryTrace("test", np.array(marks_ms) / 1000, **options)


def drained(marks_ms, packets, queue_bytes):
    """Return when each packet has left, in ms, by a clock of milliseconds; None for dropped ones.

    Packets enter at the beginning of a millisecond, and then its opportunities follow.
    """
    left_ms = [None] * len(packets)
    queue, now_ms = [], 0
    entering = sorted(range(len(packets)), key=lambda k: packets[k][0])
    while entering or queue:
        rounds = now_ms // marks_ms[-1]
        chances = sum(
            m + r * marks_ms[-1] == now_ms for m in marks_ms for r in {rounds, rounds - 1} if r >= 0
        )
        for k in [k for k in entering if packets[k][0] == now_ms]:
            entering.remove(k)
            whole = sum(packets[j][1] for j, _ in queue)
            if whole + packets[k][1] <= queue_bytes:
                queue.append([k, packets[k][1]])
        for _ in range(chances):
            room = 1500
            while room and queue:
                part = min(room, queue[0][1])
                room -= part
                queue[0][1] -= part
                if not queue[0][1]:
                    left_ms[queue.pop(0)[0]] = now_ms
        now_ms += 1
    return left_ms


class TestDeliveryReplay:
    @examples(200)
    @given(MARKS_MS, PACKETS, st.sampled_from([3000, 150_000]))
    def test_is_mahimahis(self, marks_ms, packets, queue_bytes):
        """Byte by byte, with the queue's limit."""
        packets = sorted(packets, key=lambda packet: packet[0])
        replay = DeliveryReplay(opportunities(*marks_ms, queue_bytes=queue_bytes), 0.0)
        first = packets[0][0] if packets else 0
        packets = [(at - first, size) for at, size in packets]
        shortly_before_s = [max(0.0, at - 0.25) / 1000 for at, _ in packets]
        left_s = [
            replay.leaves_s(size, at_s)
            for at_s, (_, size) in zip(shortly_before_s, packets, strict=True)
        ]
        expected = drained(marks_ms, packets, queue_bytes)
        found = [None if each is None else round(each * 1000) for each in left_s]
        assert found == expected

    def test_small_packets_share_an_opportunity(self):
        replay = DeliveryReplay(opportunities(10, 20), 0.0)
        assert [replay.leaves_s(500, 0.0) for _ in range(4)] == pytest.approx([0.01] * 3 + [0.02])

    def test_an_opportunity_without_packets_is_lost(self):
        replay = DeliveryReplay(opportunities(10, 11, 12, 100), 0.0)
        assert replay.leaves_s(100, 0.0) == pytest.approx(0.010)
        assert replay.leaves_s(1500, 0.013) == pytest.approx(0.100)

    def test_a_full_queue_drops_all_but_spared_packets(self):
        replay = DeliveryReplay(opportunities(50, queue_bytes=1500), 0.0)
        assert replay.leaves_s(1000, 0.0) == pytest.approx(0.05)
        assert replay.leaves_s(1000, 0.0) is None
        assert replay.leaves_s(1000, 0.0, spared=True) == pytest.approx(0.1)

    def test_begins_anywhere(self):
        rng, trace = random.Random(1), opportunities(1000)
        first_s = [trace.replay(rng).leaves_s(100, 5.0) - 5.0 for _ in range(1000)]
        assert np.mean(first_s) == pytest.approx(0.5, abs=0.05)


class TestDeliveryTrace:
    def test_has_delays(self):
        """A packet every 10 ms, and a chance every 25."""
        delays = opportunities(25, 50, 75, 100).delays(100, 0.010)
        assert delays.absolute
        assert delays.delay_s * 1000 == pytest.approx([25, 15, 5, 20, 10, 0, 15, 5, 20, 10])

    def test_has_a_rate(self):
        assert opportunities(1, 2, 3, 1000).rate_bit_s == pytest.approx(4 * 12_000)

    @pytest.mark.parametrize(
        ("marks_ms", "words"),
        [
            ([], "row of times"),
            ([0], "after 0"),
            ([5, 4], "do not decrease"),
            ([-1, 4], "do not decrease"),
            ([1, np.nan], "row of times"),
            ([1, np.inf], "row of times"),
        ],
    )
    def test_refuses_what_is_none(self, marks_ms, words):
        with pytest.raises(ValueError, match=f"^trace test: .*{words}"):
            opportunities(*marks_ms)

    def test_refuses_a_queue_without_room(self):
        with pytest.raises(ValueError, match="1500 bytes or more"):
            opportunities(5, queue_bytes=100)
