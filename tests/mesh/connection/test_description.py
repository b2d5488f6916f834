import asyncio
import re

import hypothesis.strategies as st
import pytest
from aiortc import RTCPeerConnection
from hypothesis import given

from jamlab.mesh.connection.description import (
    MAX_CANDIDATES,
    MAX_SDP_CHARS,
    read_candidate,
    read_description,
)
from jamlab.mesh.connection.errors import MalformedCandidateError, MalformedDescriptionError
from tests.examples import examples
from tests.mesh.damage import damages

# What Chrome 126 offers for one audio track, shortened by the codecs we do not know.
CHROME = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 0c2
m=audio 51472 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.10
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1467250027 1 udp 2122260223 192.0.2.10 51472 typ host generation 0 network-id 1
a=candidate:435653019 1 tcp 1518280447 192.0.2.10 9 typ host tcptype active generation 0
a=ice-ufrag:F7gI
a=ice-pwd:x9cml/YzichV2+XlhiMu8gRT
a=ice-options:trickle
a=fingerprint:sha-256 D1:2C:BE:AD:C4:F6:64:5C:25:16:11:9C:AF:E7:0F:73:79:36:4E:9C:1E:15:54:39:0C:\
06:8B:ED:96:86:00:39
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:0c2 5f7
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6
""".replace("\n", "\r\n")


def offer(sdp):
    return read_description({"type": "offer", "sdp": sdp}, "offer", "ada")


def without(pattern):
    changed = re.sub(rf"^{pattern}.*\r\n", "", CHROME, flags=re.MULTILINE)
    assert changed != CHROME
    return changed


def replaced(old, new):
    assert old in CHROME
    return CHROME.replace(old, new)


def test_a_browsers_offer_is_passed_on_as_it_is():
    description = offer(CHROME)
    assert (description.type, description.sdp) == ("offer", CHROME)


def test_an_answer_says_who_begins():
    chosen = replaced("actpass", "active")
    assert read_description({"type": "answer", "sdp": chosen}, "answer", "ada").sdp == chosen
    with pytest.raises(MalformedDescriptionError, match="does not choose the DTLS client"):
        read_description({"type": "answer", "sdp": CHROME}, "answer", "ada")


def test_no_direction_means_both():
    silent = without("a=sendrecv")
    assert offer(silent).sdp == silent + "a=sendrecv\r\n"
    assert offer(silent.rstrip()).sdp == silent + "a=sendrecv\r\n"


@pytest.mark.parametrize(
    ("sdp", "fault"),
    [
        ("", "0 media sections"),
        ("v=0\r\n", "0 media sections"),
        (CHROME + CHROME[CHROME.index("m=audio") :], "2 media sections"),
        (replaced("m=audio", "m=video"), "media section is not audio"),
        (without("a=mid"), "'mid'"),
        (replaced("a=mid:0", "a=mid:" + "0" * 33), "'mid'"),
        (without("a=rtpmap:111").replace("a=fmtp:111", "a=x:"), "no Opus"),
        (replaced("opus/48000", "opus/16000"), "no Opus"),
        (without("a=rtcp-mux"), "share a port"),
        (without("a=ice-ufrag"), "'ice-ufrag'"),
        (replaced("F7gI", "F7g"), "'ice-ufrag'"),
        (replaced("F7gI", "F" * 257), "'ice-ufrag'"),
        (without("a=ice-pwd"), "'ice-pwd'"),
        (replaced("x9cml/YzichV2+XlhiMu8gRT", "x" * 21), "'ice-pwd'"),
        (without("a=setup"), "'setup' or 'fingerprint'"),
        (without("a=fingerprint"), "'setup' or 'fingerprint'"),
        (replaced("actpass", "whatever"), "cannot be read"),
        (replaced("extmap:4", "extmap:0"), "'extmap'"),
        (replaced("extmap:4", "extmap:256"), "'extmap'"),
        (
            replaced("BUNDLE 0", "BUNDLE 1 0"),
            "BUNDLE group names a media section that does not exist",
        ),
        (
            replaced("BUNDLE 0", "BUNDLE 0 0"),
            "BUNDLE group names a media section that does not exist",
        ),
        (replaced("c=IN IP4 192.0.2.10", "c=IN IP4 nowhere"), "cannot be read"),
        (replaced(" 51472 typ", " 65536 typ"), "out of range"),
        (replaced(" 51472 typ", " -1 typ"), "out of range"),
        (replaced("027 1 udp", "027 0 udp"), "out of range"),
        (replaced("2122260223", str(1 << 32)), "out of range"),
        (replaced("192.0.2.10 51472", "fe80::1%\0 51472"), "out of range"),
        (replaced("192.0.2.10 51472", "\ud800 51472"), "out of range"),
        (replaced("2122260223", "high"), "cannot be read"),
        ("x" * (MAX_SDP_CHARS + 1), f"field 'sdp': expected `str` of length <= {MAX_SDP_CHARS}"),
    ],
)
def test_a_description_that_would_hurt_is_refused(sdp, fault):
    with pytest.raises(MalformedDescriptionError, match=f"offer from 'ada'.*{fault}"):
        offer(sdp)


def test_too_many_candidates_are_refused():
    line = "a=candidate:1 1 udp 1 192.0.2.1 {} typ host\r\n"
    some = CHROME.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\n{}")
    few = "".join(line.format(port) for port in range(MAX_CANDIDATES - 2))
    assert offer(some.format(few))
    with pytest.raises(MalformedDescriptionError, match="more than 100 candidates"):
        offer(some.format(few + line.format(1)))


@pytest.mark.parametrize(
    ("description", "fault"),
    [
        (None, "expected `object`, got `null`"),
        ("v=0", "expected `object`, got `str`"),
        ([], "expected `object`, got `array`"),
        ({}, "field 'type': missing"),
        ({"sdp": CHROME}, "field 'type': missing"),
        ({"type": "answer", "sdp": CHROME}, "'type' must be 'offer'"),
        ({"type": None, "sdp": CHROME}, "field 'type': expected `str`, got `null`"),
        ({"type": "offer"}, "field 'sdp': missing"),
        ({"type": "offer", "sdp": None}, "field 'sdp': expected `str`, got `null`"),
        ({"type": "offer", "sdp": CHROME.encode()}, "field 'sdp': expected `str`, got `bytes`"),
    ],
)
def test_only_a_description_of_its_kind_is_read(description, fault):
    with pytest.raises(MalformedDescriptionError, match=f"offer from 'ada'.*{fault}"):
        read_description(description, "offer", "ada")


@examples(60)
@given(st.text())
def test_text_is_malformed(text):
    with pytest.raises(MalformedDescriptionError):
        offer(text)


@examples(300)
@given(damages)
def test_what_is_let_through_aiortc_can_use(damage):
    """Nothing but `MalformedDescriptionError` comes out, and what passes works to the answer."""

    async def answer(description):
        connection = RTCPeerConnection()
        try:
            await connection.setRemoteDescription(description)
            await connection.createAnswer()
            assert connection.remoteDescription
        finally:
            await connection.close()

    try:
        description = offer(damage(CHROME))
    except MalformedDescriptionError:
        return
    asyncio.run(answer(description))


# Candidates

GOOD = "candidate:1467250027 1 udp 2122260223 192.0.2.10 51472 typ host generation 0"


def test_a_candidate_is_read():
    candidate = read_candidate({"candidate": GOOD, "sdpMid": "0", "sdpMLineIndex": 0}, "ada")
    assert (candidate.ip, candidate.port, candidate.type) == ("192.0.2.10", 51472, "host")
    assert (candidate.sdpMid, candidate.sdpMLineIndex) == ("0", 0)


def test_the_empty_candidate_is_the_last():
    assert read_candidate({"candidate": "", "sdpMid": "0"}, "ada") is None


@pytest.mark.parametrize(
    ("candidate", "fault"),
    [
        (None, "expected `object`, got `null`"),
        ("candidate:", "expected `object`, got `str`"),
        ({}, "field 'candidate': missing"),
        ({"candidate": 3}, "field 'candidate': expected `str`, got `int`"),
        ({"candidate": GOOD}, "neither 'sdpMid' nor"),
        ({"candidate": GOOD, "sdpMid": 0, "sdpMLineIndex": 0}, "field 'sdpMid': expected `str"),
        ({"candidate": GOOD, "sdpMLineIndex": "0"}, "field 'sdpMLineIndex': expected `int"),
        ({"candidate": GOOD, "sdpMLineIndex": True}, "field 'sdpMLineIndex': expected `int"),
        ({"candidate": "candidate:", "sdpMid": "0"}, "is not a candidate"),
        ({"candidate": GOOD.replace("51472", "x"), "sdpMid": "0"}, "is not a candidate"),
        ({"candidate": GOOD.replace("51472", "65536"), "sdpMid": "0"}, "out of range"),
        ({"candidate": GOOD.replace("192.0.2.10", "a/b"), "sdpMid": "0"}, "out of range"),
    ],
)
def test_a_malformed_candidate_is_refused(candidate, fault):
    with pytest.raises(MalformedCandidateError, match=f"candidate from 'ada' .*{fault}"):
        read_candidate(candidate, "ada")


@examples(100)
@given(
    st.text()
    | st.builds(" ".join, st.lists(st.sampled_from(GOOD.split()) | st.text(), max_size=12)),
    st.none() | st.text(),
    st.none() | st.integers(),
)
def test_a_candidate_is_read_or_malformed(line, mid, index):
    try:
        read = read_candidate({"candidate": line, "sdpMid": mid, "sdpMLineIndex": index}, "ada")
    except MalformedCandidateError:
        return
    assert (read is None) == (line == "")
