import math
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.signaling.messages import Signal, SignalType
from jamlab.signaling.supabase.outbox import (
    KEEP_S,
    MAX_KEPT,
    NOBODY,
    REFUSED,
    TOO_MANY,
    TOO_OLD,
    Outbox,
)
from tests.examples import examples

ALL = frozenset({"ada", "ben", "cleo"})


def signal(number=0, target="ada"):
    return Signal(SignalType.OFFER, "me", target, {"sdp": str(number)})


@pytest.fixture(name="dropped")
def make_dropped():
    return Counter()


@pytest.fixture(name="outbox")
def make_outbox(dropped):
    return Outbox(events_per_s=1e9, dropped=dropped)


def taken(outbox, present=ALL, peers=ALL, now_s=0.0):
    """Take what can be taken; the letters."""
    return list(iter(lambda: outbox.take(present, peers, now_s), None))


def numbers(letters):
    return [int(letter.signal.data["sdp"]) for letter in letters]


def test_signals_go_out_in_order_once(outbox, dropped):
    for number in range(5):
        outbox.put(signal(number), 0.0)
    assert numbers(taken(outbox)) == [0, 1, 2, 3, 4]
    assert taken(outbox) == []
    assert outbox.next_at_s() == math.inf
    assert not dropped


def test_one_for_nobody_is_lost_in_silence(outbox, dropped):
    outbox.put(signal(target="nobody"), 0.0)
    outbox.put(signal(target="me"), 0.0)
    assert taken(outbox) == []
    assert dropped == Counter({NOBODY: 2})


def test_one_for_an_absent_peer_waits_and_holds_nobody_up(outbox):
    outbox.put(signal(1, "ada"), 0.0)
    outbox.put(signal(2, "ben"), 0.0)
    outbox.put(signal(3, "ada"), 0.0)
    assert numbers(taken(outbox, present={"ben"})) == [2]
    assert outbox.next_at_s() == KEEP_S
    assert numbers(taken(outbox, now_s=1.0)) == [1, 3]


def test_while_signalling_is_lost_all_are_kept_for_a_time(outbox, dropped):
    outbox.put(signal(1), 0.0)
    outbox.put(signal(2), 5.0)
    assert taken(outbox, present=set(), now_s=29.0) == []
    assert numbers(taken(outbox, now_s=KEEP_S)) == [2]
    assert dropped == Counter({TOO_OLD: 1})


def test_beyond_the_bound_the_oldest_are_lost(outbox, dropped):
    for number in range(MAX_KEPT + 10):
        outbox.put(signal(number), 0.0)
    assert numbers(taken(outbox)) == list(range(10, MAX_KEPT + 10))
    assert dropped == Counter({TOO_MANY: 10})


def test_what_was_for_somebody_who_left_is_forgotten(outbox, dropped):
    outbox.put(signal(1, "ada"), 0.0)
    outbox.put(signal(2, "ben"), 0.0)
    outbox.drop("ada")
    assert numbers(taken(outbox)) == [2]
    assert dropped == Counter({NOBODY: 1})


def test_what_was_not_confirmed_is_sent_again_first_and_in_order(outbox):
    for number in range(6):
        outbox.put(signal(number), 0.0)
    letters = [outbox.take(ALL, ALL, 0.0) for _ in range(4)]
    outbox.confirm(letters[1])
    outbox.refuse(letters[2])
    outbox.lose()
    assert numbers(taken(outbox)) == [0, 3, 4, 5]


def test_a_refused_one_is_counted_once(outbox, dropped):
    outbox.put(signal(), 0.0)
    letter = outbox.take(ALL, ALL, 0.0)
    outbox.refuse(letter)
    outbox.refuse(letter)
    outbox.confirm(letter)
    outbox.lose()
    assert taken(outbox) == []
    assert dropped == Counter({REFUSED: 1})


def test_an_answer_from_before_the_loss_changes_nothing(outbox, dropped):
    outbox.put(signal(7), 0.0)
    letter = outbox.take(ALL, ALL, 0.0)
    outbox.lose()
    outbox.refuse(letter)
    assert numbers(taken(outbox)) == [7]
    assert not dropped


@pytest.mark.slow
@pytest.mark.parametrize("members", [2, 4, 6, 8])
def test_a_full_room_keeps_to_the_services_limit(members):
    """Everybody sends as fast as it may for a minute; each broadcast is `members` events."""
    limit = 100.0
    names = [str(n) for n in range(members)]
    boxes = {name: Outbox(events_per_s=limit, dropped=Counter()) for name in names}
    events = [0] * 600
    for tenth in range(600):
        for name, outbox in boxes.items():
            others = frozenset(names) - {name}
            for _ in range(10):
                outbox.put(signal(0, min(others)), tenth / 10)
            events[tenth] += members * len(taken(outbox, others, others, tenth / 10))
    burst = 2 * limit  # what all of them together may have saved up is a burst each, over n
    assert sum(events) <= limit * 60 + burst + members * members
    assert sum(events) >= 0.8 * limit * 60


def test_a_newcomer_to_a_room_of_six_answers_everybody_at_once():
    outbox = Outbox(events_per_s=100.0, dropped=Counter())
    others = frozenset("abcde")
    for name in sorted(others):
        outbox.put(signal(0, name), 0.0)
    assert len(taken(outbox, others, others)) == 5


def test_it_says_when_the_limit_allows_the_next():
    outbox = Outbox(events_per_s=1.0, dropped=Counter())
    for number in range(3):
        outbox.put(signal(number), 0.0)
    assert numbers(taken(outbox, {"ada"}, {"ada"}, 0.0)) == [0]  # 2 members: 4 of 2 saved up
    next_at_s = outbox.next_at_s()
    assert 0 < next_at_s < KEEP_S
    assert taken(outbox, {"ada"}, {"ada"}, 0.99 * next_at_s) == []
    assert numbers(taken(outbox, {"ada"}, {"ada"}, next_at_s)) == [1]


targets = st.sampled_from(sorted(ALL))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), targets),
        st.tuples(st.just("take"), st.frozensets(targets)),
        st.tuples(st.just("wait"), st.floats(0, 20)),
        st.tuples(st.sampled_from(["confirm", "refuse", "lose", "drop"]), targets),
    )
)


@examples(200)
@given(steps)
def test_nothing_is_lost_uncounted_and_each_peer_is_told_in_order(steps):
    dropped = Counter()
    outbox, now_s, put, confirmed, flying = (
        Outbox(events_per_s=1e9, dropped=dropped),
        0.0,
        0,
        [],
        [],
    )
    for step, argument in steps:
        match step:
            case "put":
                outbox.put(signal(put, argument), now_s)
                put += 1
            case "take":
                letters = taken(outbox, argument, ALL, now_s)
                assert {letter.signal.target_peer_id for letter in letters} <= argument
                assert all(now_s - letter.put_at_s < KEEP_S for letter in letters)
                flying += letters
            case "wait":
                now_s += argument
            case "confirm" if flying:
                confirmed.append(flying.pop(0))
                outbox.confirm(confirmed[-1])
            case "refuse" if flying:
                outbox.refuse(flying.pop(0))
            case "lose":
                flying.clear()
                outbox.lose()
            case "drop":
                outbox.drop(argument)
    outbox.lose()
    confirmed += taken(outbox, now_s=now_s)
    assert len(confirmed) + dropped.total() == put
    for name in ALL:
        of_name = [n for n in confirmed if n.signal.target_peer_id == name]
        assert numbers(of_name) == sorted(numbers(of_name))
