import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.rtp import (
    RTP_TIMESTAMPS,
    PacketMaker,
    ReceivedPacket,
    parse_rtp,
    sequence_difference,
    timestamp_difference,
)
from tests.examples import examples

HALF = 1 << 31

MID = RTCRtpHeaderExtensionParameters(id=1, uri="urn:ietf:params:rtp-hdrext:sdes:mid")
NAMED = HeaderExtensionsMap()
NAMED.configure(RTCRtpParameters(headerExtensions=[MID]))


@given(earlier=st.integers(0, RTP_TIMESTAMPS - 1), frames=st.integers(-HALF, HALF - 1))
def test_the_difference_of_timestamps_is_the_frames_between_them_wherever_they_wrap(
    earlier, frames
):
    assert timestamp_difference((earlier + frames) % RTP_TIMESTAMPS, earlier) == frames


@given(earlier=st.integers(0, 65535), packets=st.integers(-32768, 32767))
def test_the_difference_of_sequence_numbers_is_the_packets_between_them(earlier, packets):
    assert sequence_difference((earlier + packets) % 65536, earlier) == packets


numbers = {
    "payload_type": st.integers(0, 127),
    "sequence_number": st.integers(0, 65535),
    "timestamp": st.integers(0, RTP_TIMESTAMPS - 1),
    "ssrc": st.integers(0, RTP_TIMESTAMPS - 1),
    "payload": st.binary(max_size=60),
}


@examples(400)
@given(
    packet=st.fixed_dictionaries(numbers),
    sources=st.lists(st.integers(0, RTP_TIMESTAMPS - 1), max_size=15),
    mid=st.none() | st.text("abc", min_size=1, max_size=9),
    padding=st.integers(0, 255),
)
def test_a_packet_of_aiortcs_is_read(packet, sources, mid, padding):
    made = RtpPacket(**packet)
    made.csrc, made.extensions.mid, made.padding_size = sources, mid, padding
    assert parse_rtp(made.serialize(NAMED)) == ReceivedPacket(**packet)


@examples(2000)
@given(
    st.binary(max_size=80)
    | st.builds(lambda first, rest: bytes([first]) + rest, st.integers(128, 191), st.binary())
)
def test_what_aiortc_refuses_is_refused(datagram):
    """All is read or refused as by aiortc, but what is in header extensions is not looked at."""
    try:
        theirs = RtpPacket.parse(datagram)
    except ValueError:
        with pytest.raises(ValueError, match="RTP packet"):
            parse_rtp(datagram)
    else:
        assert parse_rtp(datagram) == ReceivedPacket(
            theirs.payload_type,
            theirs.sequence_number,
            theirs.timestamp,
            theirs.ssrc,
            theirs.payload,
        )


@examples(200)
@given(
    first=st.integers(0, 65535),
    packet=st.fixed_dictionaries(numbers),
    mid=st.none() | st.text("abc", min_size=1, max_size=9),
)
def test_packets_are_made_as_aiortc_makes_them(first, packet, mid):
    """Byte for byte, and so is the next one, whose number may wrap around."""
    profile, extension = NAMED.set(HeaderExtensions(mid=mid))
    maker = PacketMaker(
        packet["payload_type"], packet["ssrc"], first, profile=profile, extension=extension
    )
    for number in (first, (first + 1) % 65536):
        theirs = RtpPacket(**packet | {"sequence_number": number, "marker": 1})
        theirs.extensions.mid = mid
        assert maker.packet(packet["timestamp"], packet["payload"]) == theirs.serialize(NAMED)
