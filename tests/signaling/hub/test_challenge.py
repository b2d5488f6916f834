import math

import pytest

from jamlab.pace import TokenBucket
from jamlab.signaling.hub.challenge import Applicant, Challenges
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.hub.phoenix import Message, Version
from jamlab.signaling.hub.room import Member, Socket
from jamlab.signaling.hub.subscription import Subscription

ASKED = Subscription("ada", has_presence=True, wants_ack=True, wants_own=False)


def socket(*names):
    made = Socket.new(1, Version.V2, Limits(), TokenBucket(1, 1))
    for topic, key in names:
        made.members[topic] = Member(made, topic, key, "1", ASKED)
    return made


def applicant(topic="realtime:r", key="ada", from_socket=None):
    return Applicant(from_socket or socket(), Message(topic, "phx_join", {}), ASKED, key)


@pytest.fixture
def bearer():
    return socket(("realtime:r", "ada"), ("realtime:s", "ada"))


@pytest.fixture
def challenges():
    return Challenges(2.0)


def test_nothing_is_due_when_nobody_asks(challenges, bearer):
    assert challenges.next_at_s() == math.inf
    assert challenges.overdue(1e9) is None
    assert challenges.answer(bearer) == challenges.release(bearer) == []


def test_a_bearer_is_asked_once_at_a_time(challenges, bearer):
    first, second, third = (applicant() for _ in range(3))
    assert challenges.add(bearer, first, 10.0)
    assert not challenges.add(bearer, second, 11.0)
    assert challenges.next_at_s() == 12.0
    assert challenges.answer(bearer) == [first, second]
    assert challenges.next_at_s() == math.inf
    assert challenges.add(bearer, third, 11.5)


def test_its_time_is_up_at_the_deadline(challenges, bearer):
    challenges.add(bearer, applicant(), 10.0)
    assert challenges.overdue(11.99) is None
    assert challenges.overdue(12.0) is bearer


def test_only_who_waits_for_a_name_given_up_is_released(challenges, bearer):
    for_r, for_s = applicant(), applicant("realtime:s")
    challenges.add(bearer, for_r, 10.0)
    challenges.add(bearer, for_s, 10.0)
    assert challenges.release(bearer) == []
    del bearer.members["realtime:r"]
    assert challenges.release(bearer) == [for_r]
    assert challenges.release(bearer) == []
    bearer.members.clear()
    assert challenges.release(bearer) == [for_s]
    assert challenges.next_at_s() == math.inf


def test_a_name_in_one_room_is_not_the_name_in_another(challenges, bearer):
    bearer.members["realtime:r"].key = "ben"
    waiting = applicant()
    challenges.add(bearer, waiting, 10.0)
    assert challenges.release(bearer) == [waiting]


def test_who_waits_no_longer_is_forgotten(challenges, bearer):
    client = socket()
    here, there = applicant(from_socket=client), applicant("realtime:s", from_socket=client)
    other = applicant()
    for waiting in (here, there, other):
        challenges.add(bearer, waiting, 10.0)
    assert challenges.waiting(client) == 2
    challenges.withdraw(client, "realtime:r")
    assert challenges.waiting(client) == 1
    challenges.withdraw(client)
    assert challenges.waiting(client) == 0
    assert challenges.answer(bearer) == [other]


def test_a_bearer_nobody_asks_for_any_more_has_no_deadline(challenges, bearer):
    client = socket()
    challenges.add(bearer, applicant(from_socket=client), 10.0)
    challenges.withdraw(client)
    assert challenges.overdue(100.0) is None
