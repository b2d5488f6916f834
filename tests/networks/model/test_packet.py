"""Which packets are media, against aiortc's own sorting and RFC 7983's table."""

import pytest
from aiortc.rtcdtlstransport import is_rtcp
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.packet import is_media


@pytest.mark.parametrize(
    ("first", "media"),
    [(0, 0), (3, 0), (20, 0), (63, 0), (64, 0), (79, 0), (127, 0), (128, 1), (191, 1), (192, 0)],
)
def test_the_first_byte_tells_media_from_stun_dtls_and_channels(first, media):
    assert is_media(bytes([first, 96]) + bytes(20)) is bool(media)


@given(second=st.integers(0, 255))
def test_the_second_byte_tells_rtcp(second):
    """aiortc knows the packet types that are in use, RFC 5761 keeps 192 to 223 free of RTP."""
    packet = bytes([128, second]) + bytes(20)
    assert is_media(packet) is not (192 <= second <= 223)
    assert not (is_rtcp(packet) and is_media(packet))


@given(packet=st.binary(max_size=11))
def test_what_is_shorter_than_a_header_is_none(packet):
    assert not is_media(packet)
