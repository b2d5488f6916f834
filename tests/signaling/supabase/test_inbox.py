import math
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.signaling.messages import MAX_SIGNAL_BYTES, Signal, SignalType
from jamlab.signaling.supabase.inbox import (
    FOR_ANOTHER,
    MALFORMED,
    MAX_HELD,
    OWN_NAME,
    UNKNOWN_SENDER,
    Inbox,
)
from tests.examples import examples

HOLD_S = 2.0


def signal(number=0, sender="ada", target="me"):
    return Signal(SignalType.OFFER, sender, target, {"sdp": str(number)})


@pytest.fixture(name="inbox")
def make_inbox():
    return Inbox("me", hold_s=HOLD_S, dropped=Counter())


def test_a_signal_from_a_peer_is_heard(inbox):
    assert inbox.receive(signal().to_payload(), {"ada"}, 0.0) == [signal()]
    assert inbox.next_at_s() == math.inf
    assert not +inbox._dropped


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, MALFORMED),
        ({"type": "offer"}, MALFORMED),
        ({**signal().to_payload(), "data": {"sdp": "x" * MAX_SIGNAL_BYTES}}, MALFORMED),
        (signal(target="ben").to_payload(), FOR_ANOTHER),
        (signal(sender="me").to_payload(), OWN_NAME),
    ],
)
def test_what_is_not_for_us_is_dropped_and_counted(inbox, payload, reason):
    assert inbox.receive(payload, {"ada", "ben", "me"}, 0.0) == []
    assert +inbox._dropped == Counter({reason: 1})


def test_a_signal_that_overtook_its_senders_presence_is_held(inbox):
    for number in range(3):
        assert inbox.receive(signal(number).to_payload(), set(), 0.0) == []
    assert inbox.release(set(), 1.0) == []
    assert inbox.next_at_s() == HOLD_S
    assert inbox.release({"ada"}, 1.9) == [signal(number) for number in range(3)]
    assert inbox.release({"ada"}, 1.9) == []


def test_what_is_held_goes_before_what_comes(inbox):
    inbox.receive(signal(1).to_payload(), set(), 0.0)
    assert inbox.receive(signal(2).to_payload(), {"ada"}, 0.5) == [signal(1), signal(2)]


def test_a_sender_who_never_comes_is_not_heard(inbox):
    inbox.receive(signal().to_payload(), {"ben"}, 0.0)
    assert inbox.release({"ben"}, HOLD_S) == []
    assert inbox.release({"ada", "ben"}, HOLD_S) == []
    assert +inbox._dropped == Counter({UNKNOWN_SENDER: 1})


def test_a_flood_of_strangers_holds_a_bounded_number(inbox):
    for number in range(1000):
        inbox.receive(signal(number).to_payload(), set(), 0.0)
    heard = inbox.release({"ada"}, 0.0)
    assert heard == [signal(number) for number in range(1000 - MAX_HELD, 1000)]
    assert inbox._dropped[UNKNOWN_SENDER] == 1000 - MAX_HELD


people = st.sampled_from(["me", "ada", "ben", "cleo"])
payloads = st.one_of(
    st.builds(signal, st.integers(0, 9), people, people).map(Signal.to_payload),
    st.none() | st.text() | st.dictionaries(st.text(), st.text()),
)


@examples(100)
@given(st.lists(st.tuples(payloads, st.frozensets(people), st.floats(0, 3))))
def test_every_broadcast_is_heard_once_or_dropped_once(broadcasts):
    inbox, now_s, heard = Inbox("me", hold_s=HOLD_S, dropped=Counter()), 0.0, []
    for payload, peers, gap_s in broadcasts:
        now_s += gap_s
        signals = inbox.receive(payload, peers - {"me"}, now_s)
        assert all(s.target_peer_id == "me" and s.sender_peer_id in peers for s in signals)
        heard += signals
    inbox.release(frozenset(), now_s + HOLD_S)
    assert len(heard) + inbox._dropped.total() == len(broadcasts)


@examples(100)
@given(st.lists(st.tuples(st.sampled_from(["ada", "ben"]), st.frozensets(people))))
def test_the_signals_of_one_sender_stay_in_order(broadcasts):
    inbox, heard = Inbox("me", hold_s=math.inf, dropped=Counter()), []
    for number, (sender, peers) in enumerate(broadcasts):
        heard += inbox.receive(signal(number, sender).to_payload(), peers, 0.0)
    for name in ("ada", "ben"):
        numbers = [int(s.data["sdp"]) for s in heard if s.sender_peer_id == name]
        assert numbers == sorted(numbers)
