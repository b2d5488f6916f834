"""Received messages as answers."""

import pytest

from jamlab.networks.stun.answer import Answer, answer_of
from jamlab.networks.stun.message import parse
from tests.networks.turn import independent_client as c

SOURCE, LOCAL, SEEN, OTHER = (("192.0.2.1", port) for port in (1, 2, 3, 4))
CHANGED_ADDRESS = 0x0005
IPV6 = b"\0\2" + bytes(18)


def answer(*attributes, class_=c.SUCCESS):
    return answer_of(parse(c.message(c.BINDING, class_, attributes)), SOURCE, LOCAL, 0.25)


def test_addresses():
    told = answer(
        (c.XOR_MAPPED_ADDRESS, c.xor_address(SEEN)), (c.OTHER_ADDRESS, c.plain_address(OTHER))
    )
    assert told == Answer(LOCAL, SOURCE, 0.25, SEEN, OTHER)


def test_the_xored_address_is_the_one_to_believe():
    """A NAT that rewrites addresses in payloads finds the plain one (RFC 8489, section 14.2)."""
    told = answer(
        (c.MAPPED_ADDRESS, c.plain_address(OTHER)), (c.XOR_MAPPED_ADDRESS, c.xor_address(SEEN))
    )
    assert told.mapped == SEEN


def test_rfc_3489s_names():
    told = answer(
        (c.MAPPED_ADDRESS, c.plain_address(SEEN)), (CHANGED_ADDRESS, c.plain_address(OTHER))
    )
    assert (told.mapped, told.other) == (SEEN, OTHER)


@pytest.mark.parametrize("type_", [c.MAPPED_ADDRESS, c.XOR_MAPPED_ADDRESS, c.OTHER_ADDRESS])
def test_ipv6_is_not_asked_for(type_):
    told = answer((type_, IPV6))
    assert told.mapped is told.other is None


def test_nothing():
    assert answer() == Answer(LOCAL, SOURCE, 0.25)


def test_a_code_in_a_success_is_none():
    assert answer((c.ERROR_CODE, b"\0\0\4\1")).error is None


def test_an_error():
    told = answer((c.ERROR_CODE, b"\0\0\4\1Unauthenticated"), class_=c.ERROR)
    assert (told.error, told.alternate) == ("401 Unauthenticated", None)


def test_an_alternate():
    other = (0x8023, c.plain_address(OTHER))
    told = answer((c.ERROR_CODE, b"\0\0\3\0Try Alternate"), other, class_=c.ERROR)
    assert told.error == "300 Try Alternate: 192.0.2.1:4"
    assert told.alternate == "192.0.2.1:4"
