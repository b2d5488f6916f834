"""The backlog of a client against a plain list of written and unread messages."""

from hypothesis import given
from hypothesis import strategies as st

from jamlab.signaling.hub.backlog import OWN, Backlog
from jamlab.signaling.hub.limits import Limits

LIMITS = Limits(unsent_bytes=1000, sender_unsent_bytes=300, signal_bytes=200)


def with_waiting(*entries):
    backlog = Backlog(LIMITS)
    for sender, length in entries:
        backlog.add(sender, length)
    return backlog


def test_a_sender_has_its_share_and_others_have_theirs():
    backlog = with_waiting((1, 250))
    assert backlog.takes(1, 50)
    assert not backlog.takes(1, 51)
    assert backlog.takes(2, 750)


def test_a_first_message_may_be_longer_than_a_share():
    assert with_waiting().takes(1, 1000)
    assert not with_waiting().takes(1, 1001)


def test_many_senders_together_leave_room_for_another_one_s_signal():
    backlog = with_waiting(*((sender, 300) for sender in range(1, 4)), (4, 100))
    assert not backlog.takes(5, 201)
    assert backlog.takes(5, 200)
    assert not backlog.takes(4, 1)


def test_what_is_read_makes_room():
    backlog = with_waiting((1, 300), (2, 100))
    backlog.drain(400)
    assert not backlog.takes(1, 1)
    backlog.drain(101)
    assert not backlog.takes(1, 1), "of the last byte of it, one still waits"
    backlog.drain(100)
    assert backlog.takes(1, 300)


def test_only_the_hub_s_own_words_are_too_long():
    backlog = with_waiting(*((sender, 200) for sender in range(1, 33)))
    assert not backlog.is_too_long
    backlog.add(OWN, 1000)
    assert not backlog.is_too_long
    backlog.add(OWN, 1)
    assert backlog.is_too_long


steps = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 4), st.integers(1, 400)),
        st.tuples(st.just(OWN), st.integers(1, 400)),
        st.floats(0, 1),
    ),
    max_size=60,
)


@given(steps)
def test_no_sender_takes_another_s_place(steps):
    backlog, unread = Backlog(LIMITS), []
    for step in steps:
        if isinstance(step, float):
            left = int(step * sum(length for _, length in unread))
            while unread and sum(length for _, length in unread[1:]) >= left:
                unread.pop(0)
            backlog.drain(left)
            continue
        sender, length = step
        of_it = sum(n for whose, n in unread if whose == sender)
        others = sum(n for whose, n in unread if whose != OWN)
        if sender != OWN:
            fits = others + length <= 1000 if not of_it or of_it + length <= 300 else False
            assert backlog.takes(sender, length) == (fits or (not of_it and length <= 200))
            if not backlog.takes(sender, length):
                continue
        backlog.add(sender, length)
        unread.append(step)
