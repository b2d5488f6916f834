"""Received messages as answers."""

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.stun.answer import answer_of
from jamlab.networks.stun.message import parse
from tests.networks.turn import independent_client as c

SOURCE, LOCAL, SEEN, OTHER = (("192.0.2.1", port) for port in (1, 2, 3, 4))
CHANGED_ADDRESS = 0x0005
IPV6 = b"\0\2" + bytes(18)


def answer(*attributes, class_=c.SUCCESS):
    return answer_of(parse(c.message(c.BINDING, class_, attributes)).message, SOURCE, LOCAL, 0.25)


def test_addresses():
    told = answer(
        (c.XOR_MAPPED_ADDRESS, c.xor_address(SEEN)), (c.OTHER_ADDRESS, c.plain_address(OTHER))
    )
    assert told == (LOCAL, SOURCE, 0.25, SEEN, OTHER, None, False)


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
    assert answer() == (LOCAL, SOURCE, 0.25, None, None, None, False)


def test_a_request():
    assert answer(class_=c.REQUEST).hairpinned


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (b"Unauthenticated", "401 Unauthenticated"),
        (b"", "401"),
        (b"\x1b[31mred\0\n", "401 [31mred"),
        (b"long" * 100, "401 " + "long" * 20),
    ],
)
def test_errors_are_fit_to_be_shown(reason, shown):
    assert answer((c.ERROR_CODE, b"\0\0\4\1" + reason), class_=c.ERROR).error == shown


def test_an_error_without_a_code():
    assert answer(class_=c.ERROR).error == "0 no reason given"


def test_a_code_in_a_success_is_none():
    assert answer((c.ERROR_CODE, b"\0\0\4\1")).error is None


@given(st.integers(0, 255), st.integers(0, 255), st.text(max_size=200))
def test_any_error(high, low, reason):
    message = stun.Message(
        stun.Method.BINDING, stun.Class.ERROR, attributes={"ERROR-CODE": (100 * high + low, reason)}
    )
    error = answer_of(message, SOURCE, LOCAL, 0.0).error
    assert error.isprintable()
    assert len(error) <= 5 + 1 + 80
