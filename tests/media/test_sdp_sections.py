"""Sections, attributes and line numbers of descriptions written by hand."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.media.sdp_sections import read_sections

SDP = """v=0
a=group:BUNDLE one two
a=recvonly
m=audio 9/1 UDP/TLS/RTP/SAVPF 111 0
i=a title
a=mid:one
a=rtcp-mux
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
a=mid:two
a=bundle-only
m=video 0 RTP/AVP 96
"""


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_sections_and_attributes_keep_their_lines(end):
    description = read_sections(SDP.replace("\n", end))
    audio, data, video = description.media
    assert [each.place for each in (audio, data, video)] == [
        "line 4, m=audio",
        "line 8, m=application",
        "line 11, m=video",
    ]
    assert (audio.port, audio.protocol, audio.formats) == (9, "UDP/TLS/RTP/SAVPF", ("111", "0"))
    assert audio.first("rtcp-mux").place == "line 7, a=rtcp-mux"
    assert description.session.first("recvonly").line == 3
    assert [*description.groups("BUNDLE")] == [["one", "two"]]
    assert [section.mid for section in description.media] == ["one", "two", None]
    assert [section.is_live for section in description.media] == [True, True, False]


def test_a_rejection_repeats_the_section_with_port_0():
    audio, _, video = read_sections(SDP).media
    assert audio.rejection == (
        "m=audio 0 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:one\r\n"
    )
    assert video.rejection == "m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n"


@pytest.mark.parametrize(
    ("sdp", "fault"),
    [
        ("v=0\nm=audio 9 UDP\n", "line 2, m=: 'm=audio 9 UDP'"),
        ("m=audio nine UDP/TLS/RTP/SAVPF 0", "line 1, m=audio: its port"),
        ("m=audio 65536 UDP/TLS/RTP/SAVPF 0", "line 1, m=audio: its port"),
        ("m=aüdio 9 UDP/TLS/RTP/SAVPF 0", "line 1, m="),
        ("m=a 9 b c\na=mid:x\nm=a 9 b c\na=mid:x", "line 3, m=a: another section"),
    ],
)
def test_a_section_without_a_proper_beginning_is_refused(sdp, fault):
    with pytest.raises(ValueError, match=fault):
        read_sections(sdp)


@given(st.text() | st.lists(st.sampled_from(SDP.splitlines()) | st.text()).map("\n".join))
def test_any_text_is_read_or_refused(text):
    try:
        media = read_sections(text).media
    except ValueError:
        return
    for section in media:
        [again] = read_sections(section.rejection).media
        assert (again.kind, again.port, again.mid) == (section.kind, 0, section.mid)
