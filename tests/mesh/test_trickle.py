"""Our candidates on their way: few signals, nothing lost."""

import math

import hypothesis.strategies as st
from hypothesis import given

from jamlab.mesh.connection.candidates import LISTS
from jamlab.mesh.trickle import AGAIN_S, BATCH_S, Trickle

LISTING, PLAIN = {LISTS: True}, {}


def candidate(number):
    return {"candidate": f"candidate:{number}", "sdpMid": "0"}


END = {"candidate": "", "sdpMid": "0"}


def begun(connection=1):
    trickle = Trickle()
    trickle.begin(connection)
    return trickle


def test_nothing_is_sent_before_the_peers_description():
    trickle = begun()
    trickle.add(1, candidate(1), 0.0)
    assert trickle.due_s == math.inf
    trickle.describe(LISTING, 0.2)
    assert trickle.take(0.2) == [{"candidates": [candidate(1)]}]


def test_those_found_together_go_together():
    trickle = begun()
    trickle.describe(LISTING, 0.0)
    trickle.settle()
    trickle.add(1, candidate(1), 1.0)
    trickle.add(1, candidate(2), 1.0 + BATCH_S / 2)
    assert trickle.take(1.0 + BATCH_S / 2) == []
    assert trickle.due_s == 1.0 + BATCH_S
    assert trickle.take(1.0 + BATCH_S) == [{"candidates": [candidate(1), candidate(2)]}]
    assert trickle.due_s == math.inf


def test_until_it_is_connected_all_are_sent_again_and_again():
    trickle = begun()
    trickle.describe(LISTING, 10.0)
    trickle.add(1, candidate(1), 10.0)
    trickle.take(10.0 + BATCH_S)
    trickle.add(1, candidate(2), 10.1)
    trickle.take(10.1 + BATCH_S)
    for again_s in AGAIN_S[:2]:
        assert trickle.due_s == 10.0 + again_s
        assert trickle.take(trickle.due_s) == [{"candidates": [candidate(1), candidate(2)]}]
    trickle.settle()
    assert trickle.due_s == math.inf
    trickle.add(1, candidate(3), 20.0)
    assert trickle.take(20.0 + BATCH_S) == [{"candidates": [candidate(3)]}]


def test_without_any_their_end_is_no_signal():
    trickle = begun()
    trickle.describe(LISTING, 0.0)
    trickle.add(1, END, 0.0)
    assert trickle.take(1.0) == []


def test_to_a_browser_each_goes_alone_once_and_then_their_end():
    trickle = begun()
    trickle.add(1, candidate(1), 0.0)
    trickle.add(1, candidate(2), 0.0)
    trickle.describe(PLAIN, 0.1)
    assert trickle.take(0.1) == [candidate(1), candidate(2)]
    trickle.add(1, END, 0.2)
    assert trickle.take(1.0) == [END]


def test_those_of_another_attempt_are_forgotten():
    trickle = begun()
    trickle.add(1, candidate(1), 0.0)
    trickle.begin(2)
    trickle.add(1, candidate(2), 0.0)
    trickle.add(2, candidate(3), 0.0)
    trickle.describe(LISTING, 0.0)
    assert trickle.take(0.0) == [{"candidates": [candidate(3)]}]


@given(st.booleans(), st.integers(0, 20), st.lists(st.floats(0, 0.2), max_size=20))
def test_every_candidate_is_sent_and_few_signals_are(listing, described, gaps_s):
    trickle, now_s, told, signals = begun(), 0.0, [], 0
    for number, gap_s in enumerate([*gaps_s, 0.0]):
        if number == min(described, len(gaps_s)):
            trickle.describe(LISTING if listing else PLAIN, now_s)
        end_s = now_s + gap_s
        while trickle.due_s <= end_s:
            for signal in trickle.take(now_s := max(now_s, trickle.due_s)):
                signals += 1
                told += signal.get("candidates", [signal])
        now_s = end_s
        trickle.add(1, candidate(number) if number < len(gaps_s) else END, now_s)
    for signal in trickle.take(now_s + BATCH_S):
        signals += 1
        told += signal.get("candidates", [signal])
    assert {c["candidate"] for c in told if c["candidate"]} == {
        candidate(number)["candidate"] for number in range(len(gaps_s))
    }
    most = now_s / BATCH_S + 2 + len(AGAIN_S)
    assert signals <= (most if listing else len(gaps_s) + 1)
