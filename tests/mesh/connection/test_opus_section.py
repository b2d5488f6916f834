"""Offers with more than one Opus section, and the answers to them, read by aiortc's parser."""

import re

import pytest
from aiortc import RTCIceCandidate
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.red import RedFormat
from jamlab.mesh.connection.opus_section import read_opus_section

SESSION = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=mid:{0}
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtpmap:0 PCMU/8000
"""
VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:{0}
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
"""
DATA = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:{0}
a=sctp-port:5000
"""
DIGEST = ":".join(["AB"] * 32)
TRANSPORT = f"""a=ice-ufrag:{{0}}
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 {DIGEST}
a=setup:actpass
a=candidate:1 1 udp 100 192.0.2.1 {{1}} typ host
"""
OURS = """v=0\r
o=- 1 1 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=group:BUNDLE {0}\r
a=msid-semantic:WMS *\r
m=audio 40000 UDP/TLS/RTP/SAVPF 111\r
c=IN IP4 192.0.2.9\r
a=sendrecv\r
a=mid:{0}\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
"""
"""An answer as aiortc makes it to the Opus section alone."""


def group(*mids):
    return f"{SESSION}a=group:BUNDLE {' '.join(mids)}\n"


def read(sdp, kind="offer"):
    reduced, place = read_opus_section(sdp, kind, 100)
    [media] = SessionDescription.parse(reduced).media
    return media, place


def ports(media):
    return [candidate.port for candidate in media.ice_candidates]


AUDIO_FIRST = (
    group("0", "1", "2")
    + AUDIO.format(0)
    + TRANSPORT.format("user", 1000)
    + VIDEO.format(1)
    + TRANSPORT.format("other", 2000)
    + DATA.format(2)
    + TRANSPORT.format("user", 3000)
)


def test_other_sections_are_answered_with_port_0():
    """RFC 8829 §5.3.1: as many sections as offered, in their order, with their protocols."""
    media, place = read(AUDIO_FIRST)
    assert (media.kind, media.rtp.muxId, place.name) == ("audio", "0", ("0", 0))
    answered = SessionDescription.parse(place.restored(OURS.format(0)))
    assert [(each.kind, each.port, each.rtp.muxId) for each in answered.media] == [
        ("audio", 40000, "0"),
        ("video", 0, "1"),
        ("application", 0, "2"),
    ]
    assert answered.media[2].profile == "UDP/DTLS/SCTP"
    assert [each.items for each in answered.group] == [["0"]]


def test_the_candidates_are_its_own_or_those_of_the_first_of_its_group():
    """A browser has other sockets for other sections, and closes those of rejected ones."""
    assert ports(read(AUDIO_FIRST)[0]) == [1000]
    video = VIDEO.format(0) + TRANSPORT.format("user", 1000)
    silent = TRANSPORT.format("user", 1).rsplit("a=candidate", 1)[0]
    media, place = read(group("0", "1") + video + AUDIO.format(1) + silent)
    assert (ports(media), place.transport) == ([1000], {0, 1})
    own = TRANSPORT.format("user", 2000)
    assert ports(read(group("0", "1") + video + AUDIO.format(1) + own)[0]) == [2000]
    other = silent.replace("user", "other")
    media, place = read(group("0", "1") + video + AUDIO.format(1) + other)
    assert (ports(media), place.transport) == ([], {1})


@pytest.mark.parametrize(
    ("mid", "index", "ours"),
    [
        ("0", None, True),
        ("0", 1, True),  # the media identification goes before the index (W3C WebRTC §4.4.1.7)
        ("1", 0, False),
        ("2", 2, False),
        (None, 0, True),
        (None, 1, False),
        (None, 7, False),
        ("", 0, True),
        ("", None, True),
        ("unknown", None, False),
    ],
)
def test_a_candidate_states_its_section(mid, index, ours):
    candidate = RTCIceCandidate(1, "1", "192.0.2.1", 9, 1, "udp", "host")
    candidate.sdpMid, candidate.sdpMLineIndex = mid, index
    assert read(AUDIO_FIRST)[1].has(candidate) is ours


def test_a_rejected_section_is_not_taken():
    """RFC 3264 §6: a port of 0 rejects; the second audio section is the one that is offered."""
    rejected = AUDIO.replace("m=audio 9", "m=audio 0")
    sdp = SESSION + rejected.format(0) + AUDIO.format(1) + TRANSPORT.format("user", 1000)
    media, place = read(sdp)
    assert (media.rtp.muxId, place.name) == ("1", ("1", 1))
    answered = SessionDescription.parse(place.restored(OURS.format(1)))
    assert [each.port for each in answered.media] == [0, 40000]
    with pytest.raises(ValueError, match="line 5, m=audio: its port is 0"):
        read(SESSION + rejected.format(0) + TRANSPORT.format("user", 1000))


def test_audio_without_opus_is_passed_over():
    pcmu = AUDIO.replace("a=rtpmap:111 opus/48000/2\n", "")
    both = SESSION + pcmu.format("a") + AUDIO.format("b") + TRANSPORT.format("user", 1)
    assert read(both)[0].rtp.muxId == "b"


def test_a_bundled_section_has_the_transport_of_the_first():
    """RFC 9143 §7.1.2: a bundle-only section has port 0 and no transport of its own."""
    audio = AUDIO.replace("m=audio 9", "m=audio 0").replace("a=rtcp-mux\n", "a=bundle-only\n")
    video = VIDEO.format("v") + TRANSPORT.format("user", 1000)
    media, place = read(group("v", "a") + video + audio.format("a"))
    assert (media.ice.usernameFragment, media.rtp.muxId, ports(media)) == ("user", "a", [1000])
    assert place.transport == {0, 1}


def test_without_a_media_identification_one_is_made_up_and_not_answered():
    """RFC 8829 §5.10 and §5.3.1."""
    nameless = AUDIO.replace("a=mid:{0}\n", "") + TRANSPORT.format("user", 1)
    media, place = read(SESSION + nameless)
    assert (media.rtp.muxId, place.name) == ("0", (None, 0))
    answer = place.restored(OURS.format(0))
    assert "a=mid" not in answer
    assert "BUNDLE" not in answer
    media, place = read(SESSION + VIDEO.format(0) + nameless)
    assert (media.rtp.muxId, place.name) == ("1", (None, 1))


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_the_direction_may_be_that_of_the_session(direction):
    """RFC 8866 §6.7: the session's is the default of its sections, and "sendrecv" that of all."""
    silent = AUDIO.replace("a=sendrecv\n", "").format(0) + TRANSPORT.format("user", 1)
    assert read(f"{SESSION}a={direction}\n{silent}")[0].direction == direction
    assert read(SESSION + silent)[0].direction == "sendrecv"
    stated = AUDIO.replace("sendrecv", direction).format(0) + TRANSPORT.format("user", 1)
    assert read(f"{SESSION}a=inactive\n{stated}")[0].direction == direction


def test_the_transport_may_be_that_of_the_session():
    sdp = SESSION + "a=ice-lite\n" + TRANSPORT.format("user", 1) + AUDIO.format(0)
    media, _ = read(sdp)
    assert (media.ice.usernameFragment, media.ice.iceLite) == ("user", True)
    assert (media.dtls.role, media.dtls.fingerprints[0].value) == ("auto", DIGEST)
    own = TRANSPORT.format("own", 1)
    assert read(sdp + own.replace("own", "mine"))[0].ice.usernameFragment == "mine"


NOT_NEEDED = (
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on",
    "a=extmap:4200 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:one two",
    "a=extmap",
    "a=fmtp:18 annexb=no",
    "a=fmtp:111 minptime=2.5;useinbandfec=yes",
    "a=fmtp",
    "a=rtcp-fb:111",
    "a=rtcp:9 IN IP4 example.org",
    "a=rtcp:nine",
    "a=rtpmap:0 PCMU",
    "a=rtpmap:x y",
    "a=ssrc:1234 cname",
    "a=ssrc:-1",
    "a=ssrc-group:FID one",
    "a=candidate:1 1 udp 2130706431 [2001:db8::1] 24722 typ host",
    "a=candidate:1 1 udp 2130706431 192.0.2.7 99999 typ host",
    "a=candidate:1 1 udp 18446744073709551615 192.0.2.7 9 typ host",
    "a=candidate:1 1 udp",
    "a=candidate:",
    "a=max-message-size:much",
    "a=sctp-port:x",
    "a=crypto:1 x",
    "a=ptime:2.5",
    "a=fingerprint:sha-1 AB:CD",
    "a=group:BUNDLE 7",
    "a=" + "x" * 5000,
    "a=ü:é\u2028a=mid:2",
    "c=IN IP4 example.org",
    "b=AS:many",
    "k=what",
    "no line of SDP",
    "",
)


@pytest.mark.parametrize("line", NOT_NEEDED)
@pytest.mark.parametrize("place", ["session", "section"])
def test_what_one_opus_section_does_not_need_is_not_read(line, place):
    section = AUDIO.format(0) + TRANSPORT.format("user", 1000)
    head, tail = (f"{line}\n", "") if place == "session" else ("", f"{line}\n")
    media, _ = read(SESSION + head + section + tail)
    assert ports(media) == [1000]
    assert [codec.payloadType for codec in media.rtp.codecs] == [111]


def test_unknown_hash_functions_are_ignored_beside_one_that_is_known():
    """RFC 8122 §5."""
    other = "a=fingerprint:sha-1 " + ":".join(["AB"] * 20)
    media, _ = read(SESSION + AUDIO.format(0) + other + "\n" + TRANSPORT.format("user", 1))
    assert [each.algorithm for each in media.dtls.fingerprints] == ["sha-256"]
    lower = TRANSPORT.replace("sha-256", "SHA-256").replace(DIGEST, DIGEST.lower())
    assert read(SESSION + AUDIO.format(0) + lower.format("user", 1))[0].dtls.fingerprints


@pytest.mark.parametrize(
    "protocol",
    ["UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF", "RTP/AVP", "UDP/TLS/RTP/SAVP"],
)
def test_the_answer_has_the_protocol_of_the_offer(protocol):
    """RFC 8829 §5.1.2."""
    audio = AUDIO.replace("UDP/TLS/RTP/SAVPF", protocol).format(0)
    _, place = read(SESSION + audio + TRANSPORT.format("user", 1))
    [stated] = re.findall(r"m=audio \d+ (\S+)", place.restored(OURS.format(0)))
    assert stated == protocol


def test_of_two_opus_formats_the_first_of_the_m_line_counts():
    audio = AUDIO.replace("111 0", "0 112 111") + "a=rtpmap:112 OPUS/48000/2\n"
    media, _ = read(SESSION + audio.format(0) + TRANSPORT.format("user", 1))
    assert [codec.payloadType for codec in media.rtp.codecs] == [112]


RED = (
    AUDIO.format(0).replace("SAVPF 111 0", "SAVPF {0}")
    + "a=rtpmap:{1}\na=fmtp:{2}\n"
    + TRANSPORT.format("user", 1000)
)


@pytest.mark.parametrize(
    ("formats", "rtpmap", "fmtp", "red"),
    [
        ("111 63", "63 red/48000/2", "63 111/111", 63),
        ("63 111", "63 RED/48000/2", "63 111/111/111", 63),
        ("111 35", "35 red/48000/2", "35 111/111", 35),
        ("111 127", "127 red/48000/2", "127 111/111", 127),
        ("111", "63 red/48000/2", "63 111/111", None),
        ("111 63", "63 red/48000", "63 111/111", None),
        ("111 63", "63 red/8000/2", "63 111/111", None),
        ("111 63", "63 red/48000/2", "64 111/111", None),
        ("111 63", "63 red/48000/2", "63 111", None),
        ("111 63", "63 red/48000/2", "63", None),
        ("111 63", "63 red/48000/2", "63 111/0", None),
        ("111 63", "63 red/48000/2", "63 0/111", None),
        ("111 63", "63 red/48000/2", "63 111/111/", None),
        ("111 63", "63 red/48000/2", "63 ²/111", None),
        ("111 111", "111 red/48000/2", "111 111/111", None),
        ("111 72", "72 red/48000/2", "72 111/111", None),  # RTCP (RFC 5761 §4)
        ("111 200", "200 red/48000/2", "200 111/111", None),
    ],
)
def test_redundant_audio_of_opus_frames_is_taken_and_any_other_ignored(formats, rtpmap, fmtp, red):
    media, place = read(SESSION + RED.format(formats, rtpmap, fmtp))
    assert place.red == (None if red is None else RedFormat(red, 111))
    assert [codec.mimeType for codec in media.rtp.codecs] == ["audio/opus"]


@given(*[st.text("0123456789 /;=-red²٣", max_size=20)] * 2)
def test_odd_statements_of_redundant_audio_are_ignored(rtpmap, fmtp):
    _, place = read(SESSION + RED.format("111 63", f"63 {rtpmap}", fmtp))
    assert place.red in (None, RedFormat(63, 111))
    _, place = read(SESSION + RED.format("111 63", "63 red/48000/2", f"63 {fmtp}"))
    assert (place.red is not None) == (re.fullmatch("111(/111)+", fmtp.strip()) is not None)
