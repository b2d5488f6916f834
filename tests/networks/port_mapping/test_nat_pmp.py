"""NAT-PMP's messages against RFC 6886, written out byte by byte here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.port_mapping import nat_pmp
from jamlab.networks.port_mapping.nat_pmp import Mapped, Outside
from tests.examples import examples

EPOCH = (77).to_bytes(4, "big")
MAPPED = b"\0\x81\0\0" + EPOCH + b"\xc3\x50\x9c\x41" + (600).to_bytes(4, "big")
ADDRESS = b"\0\x80\0\0" + EPOCH + b"\x0b\0\0\1"


def test_the_requests():
    """RFC 6886 §3.2 and §3.3."""
    assert nat_pmp.address_request() == b"\0\0"
    assert nat_pmp.map_request(50_000, 40_001, 600) == (
        b"\0\x01\0\0\xc3\x50\x9c\x41" + (600).to_bytes(4, "big")
    )


def test_the_answers():
    assert nat_pmp.read_address_answer(ADDRESS) == Outside(0, "11.0.0.1")
    assert nat_pmp.read_map_answer(MAPPED, 50_000) == Mapped(0, 40_001, 600)


@pytest.mark.parametrize("rest", [b"", bytes(4)])
def test_a_refused_address_may_be_left_out(rest):
    """RFC 6886 §3.5."""
    assert nat_pmp.read_address_answer(b"\0\x80\0\x03" + EPOCH + rest) == Outside(3)


@pytest.mark.parametrize("rest", [b"", MAPPED[8:]])
def test_a_refused_mapping(rest):
    answer = nat_pmp.read_map_answer(b"\0\x81\0\x02" + EPOCH + rest, 50_000)
    assert answer.result == 2


@pytest.mark.parametrize(
    "datagram", [b"", MAPPED[:-1], MAPPED + b"\0", b"\x02" + MAPPED[1:], ADDRESS, b"\0\x01\0\0"]
)
def test_another_message_is_no_mapping(datagram):
    assert nat_pmp.read_map_answer(datagram, 50_000) is None


def test_the_mapping_of_another_port_is_none_of_ours():
    assert nat_pmp.read_map_answer(MAPPED, 50_001) is None


@examples(500)
@given(st.binary(max_size=40), st.sampled_from([b"", b"\0\x80", b"\0\x81", b"\0\x81\0\0"]))
def test_garbage_is_none_or_an_answer_of_the_right_length(rest, start):
    address = nat_pmp.read_address_answer(start + rest)
    assert address is None or address.result or len(start + rest) == 12
    mapping = nat_pmp.read_map_answer(start + rest, 50_000)
    assert mapping is None or mapping.result or len(start + rest) == 16
