"""Packets put in order, in Node: with losses, late packets and a number that wraps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.client.node import run_js
from tests.examples import examples

SCRIPT = """
    import { InOrder } from "./inOrder.js";
    const told = [];
    let now = 0;
    const packets = new InOrder((packet) => told.push([packet, now]));
    for (const [source, number, at] of given) {
      now = at;
      packets.push(source, number % 65536, number, at);
    }
    console.log(JSON.stringify([told, packets.lost]));"""
EVERY_MS = 2.5


def ordered(arrivals):
    """Return what comes out of (source, number, time), with its time, and the packets lost."""
    return run_js(SCRIPT, arrivals)


def sent(count, late=None, lost=(), first=65_500):
    """Return arrivals of packets, some late by a number of ms."""
    times = {n: EVERY_MS * n + (late or {}).get(n, 0) for n in range(count) if n not in lost}
    return [[7, first + n, at] for n, at in sorted(times.items(), key=lambda each: each[1])]


def test_without_reordering_nothing_waits_for_what_is_lost():
    lost = {10, 11, 50, 98}
    told, missing = ordered(sent(100, lost=lost))
    assert told == [[65_500 + n, EVERY_MS * n] for n in range(100) if n not in lost]
    assert missing == len(lost)


def test_after_one_late_packet_it_waits_for_the_others():
    late = {20: 8.0, 40: 7.0, 60: 6.5}
    told, missing = ordered(sent(100, late))
    numbers = [number - 65_500 for number, _ in told]
    assert numbers == [n for n in range(100) if n != 20]  # it was the first, and is dropped
    at = dict(zip(numbers, [time for _, time in told], strict=True))
    assert at[41] == at[40] == EVERY_MS * 40 + 7.0
    assert missing == 0  # it did come


def test_it_waits_no_longer_than_the_late_ones_were_late():
    told, missing = ordered(sent(200, {20: 8.0}, lost={100}))
    at = {number - 65_500: time for number, time in told}
    late_by = EVERY_MS * 20 + 8.0 - EVERY_MS * 21
    assert EVERY_MS * 101 < at[101] <= EVERY_MS * 101 + late_by + EVERY_MS
    assert at[110] == EVERY_MS * 110
    assert missing == 1


def test_it_forgets_how_late_they_were():
    count = int(12_000 / EVERY_MS)
    told, _ = ordered(sent(count, {20: 8.0}, lost={count - 5}))
    assert told[-4:] == [[65_500 + n, EVERY_MS * n] for n in range(count - 4, count)]


def test_another_stream_begins_anew():
    arrivals = [*sent(10), [8, 3, 25.0], [8, 5, 30.0], [8, 40_000, 32.5]]
    told, missing = ordered(arrivals)
    assert [number for number, _ in told[10:]] == [3, 5, 40_000]
    assert missing == 1


@examples(30)
@given(st.integers(0, 2**32), st.floats(0, 60), st.floats(0, 0.3))
def test_what_comes_out_is_in_order_and_came_in(seed, jitter_ms, loss):
    rng = np.random.default_rng(seed)
    late = dict(enumerate(rng.uniform(0, jitter_ms, 300)))
    lost = {n for n in range(1, 300) if rng.random() < loss}
    arrivals = sent(300, late, lost)
    arrivals += arrivals[::7]  # some twice
    told, missing = ordered(sorted(arrivals, key=lambda each: each[2]))
    numbers = [number for number, _ in told]
    assert numbers == sorted(set(numbers))
    assert {*numbers} <= {number for _, number, _ in arrivals}
    newest = max(number for _, number, _ in arrivals)
    first = arrivals[0][1]
    came = {number for _, number, _ in arrivals if number >= first}
    assert missing == newest - first + 1 - len(came)


def test_a_stream_of_gaps_takes_no_more_memory():
    script = """
        import { InOrder } from "./inOrder.js";
        const packets = new InOrder(() => {});
        let sequence = 0;
        for (let n = 0; n < given; n += 1) {
          packets.push(7, sequence, n, n / 1000);
          sequence = (sequence + 2999) % 65536;
        }
        console.log(packets.lost);"""
    count = 7000  # 21 million missing packets within 7 ms: more than a Map can hold
    assert run_js(script, count) == (count - 1) * 2998
