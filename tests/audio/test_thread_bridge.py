"""The bridge against a model of its card: what is played when, whatever the two sides do."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import CardCounters
from jamlab.audio.pcm import CHANNELS
from jamlab.audio.thread_bridge import ThreadBridge

BLOCK = 4


def numbered(number):
    return np.full((BLOCK, CHANNELS), number, dtype=np.float32)


def echo(block):
    return block


def swapped(bridge, number):
    return int(bridge.swap(numbered(number))[0, 0])


def played_by(slack, runs, longest=256):
    """Let a card go on while the loop comes to it only sometimes; returns what it played.

    Blocks are numbered from 1, for 0 is silence.
    """
    bridge = ThreadBridge(BLOCK, slack, longest)
    played = []
    for number, runs_now in enumerate(runs, start=1):
        played.append(swapped(bridge, number))
        if runs_now:
            bridge.run(echo)
    return bridge, played


@given(st.integers(1, 5), st.integers(0, 50))
def test_a_loop_in_time_plays_every_block_so_much_later(slack, blocks):
    bridge, played = played_by(slack, [True] * blocks)
    assert played == [max(0, number - slack) for number in range(1, blocks + 1)]
    assert bridge.counters == CardCounters(blocks=blocks)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=80))
def test_a_block_is_played_at_its_time_or_not_at_all(slack, runs):
    _, played = played_by(slack, runs)
    for number, block in enumerate(played, start=1):
        assert block in (0, number - slack)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=80))
def test_whoever_was_late_is_in_time_again(slack, runs):
    _, played = played_by(slack, [*runs, *[True] * (slack + 1)])
    assert played[-1] == max(0, len(played) - slack)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=80))
def test_every_block_is_counted_and_what_was_silent_is_an_underrun(slack, runs):
    bridge, played = played_by(slack, [*runs, True])
    counters = bridge.counters
    assert counters.blocks == len(played)
    silent = sum(block == 0 for block in played[slack:])
    assert silent == counters.underruns


@given(st.integers(1, 3), st.integers(4, 8), st.lists(st.booleans(), max_size=120))
def test_a_loop_that_stalls_for_long_loses_what_is_overdue(slack, longest, runs):
    bridge, played = played_by(slack, [*runs, True], longest)
    counters = bridge.counters
    assert counters.blocks == len(played)
    assert sum(block == 0 for block in played[slack:]) == counters.underruns
    for number, block in enumerate(played, start=1):
        assert block in (0, number - slack)


@pytest.mark.parametrize(("stalled", "overruns"), [(8, 0), (9, 7), (100, 98)])
def test_after_a_long_stall_the_next_callback_is_in_time(stalled, overruns):
    bridge, played = played_by(2, [*[False] * (stalled - 1), True, True, True, True], longest=8)
    assert bridge.counters.overruns == overruns
    assert bridge.counters.underruns == stalled - 2
    assert played[-1] == len(played) - 2


def test_a_callback_is_told_that_it_is_too_late():
    bridge, told = ThreadBridge(BLOCK), []
    for number in range(1, 4):
        bridge.swap(numbered(number))  # the second and the third find nothing to play
    bridge.run(lambda block: told.append(bridge.too_late) or block)
    assert told == [True, True, False]
    assert bridge.counters.underruns == 2


def test_what_becomes_late_during_its_callback_is_not_played():
    bridge = ThreadBridge(BLOCK)
    bridge.swap(numbered(1))

    def slow(block):
        assert not bridge.too_late
        if block[0, 0] == 1:
            assert swapped(bridge, 2) == 0
        return block

    bridge.run(slow)
    assert bridge.counters.underruns == 1
    assert swapped(bridge, 3) == 2


def test_a_callback_that_returns_something_else_is_told():
    bridge = ThreadBridge(BLOCK)
    bridge.swap(numbered(1))
    with pytest.raises(ValueError, match=r"the card asked for \(4, 2\), got \(3, 2\)"):
        bridge.run(lambda block: block[1:])


@pytest.mark.parametrize("values", [(0, 1, 8), (4, 0, 8), (4, 2, 2)])
def test_refuses_what_cannot_work(values):
    with pytest.raises(ValueError, match="a bridge needs"):
        ThreadBridge(*values)


def test_goes_on_counting_where_another_stopped():
    counters = CardCounters(blocks=7, underruns=2)
    bridge = ThreadBridge(BLOCK, counters=counters)
    bridge.swap(numbered(1))
    bridge.run(echo)
    assert counters == CardCounters(blocks=8, underruns=2)


def test_two_threads_lose_nothing():
    """A card's thread as fast as it can, a loop that spins: every block is counted once."""
    bridge, blocks = ThreadBridge(BLOCK, longest=100_000), 20_000
    played = []

    def card():
        for number in range(1, blocks + 1):
            played.append(swapped(bridge, number))

    thread = threading.Thread(target=card)
    thread.start()
    while thread.is_alive():
        bridge.run(echo)
    thread.join()
    bridge.run(echo)
    assert bridge.swapped == bridge.counters.blocks == blocks
    heard = [block for block in played if block]
    assert heard == sorted(set(heard))


class TestPatience:
    """A machine that stood still has the card come twice in a row."""

    def test_the_card_gets_what_the_loop_is_at_work_on(self):
        bridge = ThreadBridge(BLOCK, patience_s=60.0)
        swapped(bridge, 1)

        def loop():
            while bridge.swapped < 2:
                pass
            bridge.run(echo)

        with ThreadPoolExecutor(1) as thread:
            working = thread.submit(loop)
            assert swapped(bridge, 2) == 1
            working.result()
        assert bridge.counters.underruns == 0
        assert swapped(bridge, 3) == 2

    def test_it_ends(self):
        bridge = ThreadBridge(BLOCK, patience_s=0.001)
        assert [swapped(bridge, 1), swapped(bridge, 2)] == [0, 0]
        bridge.run(echo)
        assert bridge.counters.underruns == 1

    def test_there_is_none_unless_asked_for(self):
        bridge = ThreadBridge(BLOCK)
        assert [swapped(bridge, number) for number in (1, 2, 3)] == [0, 0, 0]
