"""Responses as a client has to read them: usable, useless, and texts that are fit to be shown."""

import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.stun.message import MalformedMessageError, parse
from jamlab.networks.stun.response import (
    UnusableError,
    alternate_server,
    error_text,
    read_response,
    usable_ipv4,
)
from tests.examples import examples
from tests.networks.malformed import ANYTHING
from tests.networks.turn import independent_client as c

TID = bytes(range(12))
ALTERNATE_DOMAIN, ALTERNATE_SERVER = 0x8003, 0x8023


def read(data):
    return read_response(data, stun.Method.BINDING, TID)


def error(code, phrase, *attributes):
    value = struct.pack("!HBB", 0, code // 100, code % 100) + phrase
    return parse(c.message(c.BINDING, c.ERROR, [(c.ERROR_CODE, value), *attributes], tid=TID))


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (b"Unauthenticated", "401 Unauthenticated"),
        (b"", "401"),
        (b"\x1b[31mred\0\n", "401 [31mred"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{SNOWMAN}".encode(), "401 \N{SNOWMAN}"),
        (b"long" * 100, "401 " + "long" * 20),
        (b"d\xe9sol\xe9", "401 d?sol?"),
    ],
)
def test_errors_are_fit_to_be_shown(reason, shown):
    assert error_text(error(401, reason)) == shown


@given(st.integers(300, 699), st.binary(max_size=200), st.binary(max_size=100))
def test_any_error(code, reason, more):
    attributes = [(ALTERNATE_DOMAIN, more), (c.UNKNOWN_ATTRIBUTES, more)]
    text = error_text(error(code, reason, *attributes))
    assert text.isprintable()
    assert text.startswith(str(code))
    assert len(text) <= 5 + 80 + 2 + 80


def test_many_unknown_attributes_are_counted():
    many = c.UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", type_) for type_ in range(10))
    assert error_text(error(420, b"", many)).endswith(", 0x0007, and 2 more")


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ([], ""),
        ([(ALTERNATE_SERVER, c.plain_address(("192.0.2.9", 1)))], "192.0.2.9:1"),
        ([(ALTERNATE_DOMAIN, b"b.example")], "b.example"),
        ([(ALTERNATE_SERVER, b"\0\7\0\0")], ""),
        ([(ALTERNATE_SERVER, b""), (ALTERNATE_DOMAIN, b"\x1b\xff")], "\ufffd"),
    ],
)
def test_an_alternate_server(attributes, shown):
    assert alternate_server(error(300, b"", *attributes)) == shown


@pytest.mark.parametrize("text_type", [c.ERROR_CODE, 0x8022])
def test_a_text_that_is_not_utf_8_breaks_no_checksum(text_type):
    """Only the message as it came has the right MESSAGE-INTEGRITY and FINGERPRINT."""
    key, text = b"key", (text_type, b"\0\0\4\1\xe9")
    data = c.message(c.BINDING, c.ERROR, [text], tid=TID, key=key, fingerprint=True)
    received = parse(data)
    assert received.is_signed_with(key)
    assert not received.is_signed_with(b"another")
    fingerprint = range(len(data) - 8, len(data) - 4)  # without its type or length it is none
    for place in set(range(20, len(data))) - set(fingerprint):
        corrupt = bytearray(data)
        corrupt[place] ^= 1
        with pytest.raises(MalformedMessageError):
            parse(bytes(corrupt))


@pytest.mark.parametrize(
    "address",
    [
        *(None, ("2001:db8::1", 1), ("192.0.2.1", 0)),
        *((host, 1) for host in ("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255")),
    ],
)
def test_addresses_that_nothing_can_be_sent_to(address):
    assert usable_ipv4(address) is None


@examples(300)
@given(ANYTHING | ANYTHING.map(lambda data: data[:8] + TID + data[20:]))
def test_whatever_comes_is_read_or_refused_in_printable_words(data):
    said = ""
    try:
        received = read(data)
    except UnusableError as caught:
        said = str(caught)
    else:
        assert received.message.transaction_id == TID
        assert received.message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR)
    assert said.isprintable()
