"""PCP's messages against RFC 6887, written out byte by byte here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.port_mapping import pcp
from jamlab.networks.port_mapping.pcp import Answer
from tests.examples import examples

CLIENT = "192.168.7.2"
NONCE = bytes(range(12))
IPV4_MAPPED = bytes(10) + b"\xff\xff"
OURS = IPV4_MAPPED + bytes([192, 168, 7, 2])


def header(operation=1, result=0, lifetime_s=600, version=2):
    """Figure 3 of RFC 6887: version, R and opcode, reserved, result, lifetime, epoch, reserved."""
    words = bytes([version, 0x80 | operation, 0, result]) + lifetime_s.to_bytes(4, "big")
    return words + (77).to_bytes(4, "big") + bytes(12)


def mapped(nonce=NONCE, protocol=17, internal=50_000, external=40_001, outside=b"\x0b\0\0\1"):
    """Figure 10 of RFC 6887."""
    ports = internal.to_bytes(2, "big") + external.to_bytes(2, "big")
    return nonce + bytes([protocol, 0, 0, 0]) + ports + IPV4_MAPPED + outside


def test_a_request_for_a_mapping():
    """Figures 2 and 9 of RFC 6887."""
    assert pcp.map_request(CLIENT, NONCE, 50_000, 50_001, 600) == (
        b"\x02\x01\0\0" + (600).to_bytes(4, "big") + OURS
    ) + NONCE + b"\x11\0\0\0" + b"\xc3\x50\xc3\x51" + IPV4_MAPPED + bytes(4)


def test_a_renewal_asks_for_the_same_address_outside():
    request = pcp.map_request(CLIENT, NONCE, 50_000, 40_001, 600, "11.0.0.1")
    assert request.endswith(IPV4_MAPPED + bytes([11, 0, 0, 1]))


def test_an_announcement_has_a_header_alone():
    assert pcp.announce_request(CLIENT) == b"\x02\0\0\0" + bytes(4) + OURS


def test_a_mapping_is_read():
    answer = pcp.read_map_answer(header() + mapped(), NONCE, 50_000)
    assert answer == Answer(0, 600, ("11.0.0.1", 40_001))


def test_a_refusal_is_read():
    answer = pcp.read_map_answer(header(result=2) + mapped(), NONCE, 50_000)
    assert answer.result == 2
    assert pcp.RESULTS[2] == "it is not allowed"


def test_an_answer_to_an_announcement():
    assert pcp.read_announce_answer(header(operation=0, lifetime_s=0)) == Answer(0)


@pytest.mark.parametrize(
    "datagram",
    [
        header() + mapped(nonce=bytes(12)),
        header() + mapped(protocol=6),
        header() + mapped(internal=50_001),
        header(),
        header(operation=0) + mapped(),
        (header() + mapped())[:-4],
        header() + mapped() + b"\0",  # no multiple of four bytes
        header() + mapped() + bytes(1100),
        b"",
        pcp.map_request(CLIENT, NONCE, 50_000, 50_001, 600),
    ],
)
def test_another_message_is_none(datagram):
    assert pcp.read_map_answer(datagram, NONCE, 50_000) is None


@pytest.mark.parametrize("datagram", [b"\0\x81\0\1" + bytes(4), b"\0\x80\0\1" + bytes(8)])
def test_a_server_of_nat_pmp_refuses_the_version(datagram):
    """RFC 6887 appendix A."""
    assert pcp.read_map_answer(datagram, NONCE, 50_000) == Answer(pcp.UNSUPPORTED_VERSION)
    assert pcp.read_announce_answer(datagram) == Answer(pcp.UNSUPPORTED_VERSION)


@examples(500)
@given(st.binary(max_size=1200))
def test_garbage_is_none_or_a_refusal(datagram):
    for answer in (
        pcp.read_map_answer(datagram, NONCE, 50_000),
        pcp.read_announce_answer(datagram),
    ):
        assert answer is None or 0 <= answer.result <= 255


@examples(500)
@given(st.binary(max_size=1100), st.integers(0, 255))
def test_garbage_after_a_header_is_no_mapping_without_the_nonce(rest, result):
    answer = pcp.read_map_answer(header(result=result) + rest, NONCE, 50_000)
    assert answer is None or answer.external is None or rest.startswith(NONCE)
