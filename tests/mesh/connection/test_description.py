import asyncio
import re

import hypothesis.strategies as st
import pytest
from aiortc import RTCPeerConnection
from aiortc.sdp import SessionDescription
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


def read_by_aiortc(description):
    [media] = SessionDescription.parse(description.sdp).media
    return media


def test_of_a_browsers_offer_its_opus_section_is_passed_on():
    description = offer(CHROME)
    assert description.type == "offer"
    media = read_by_aiortc(description)
    assert (media.kind, media.direction, media.rtp.muxId, media.rtcp_mux) == (
        "audio",
        "sendrecv",
        "0",
        True,
    )
    assert [(codec.name, codec.payloadType) for codec in media.rtp.codecs] == [("opus", 111)]
    assert (media.ice.usernameFragment, media.ice.password) == ("F7gI", "x9cml/YzichV2+XlhiMu8gRT")
    assert [each.id for each in media.rtp.headerExtensions] == [1, 4]
    assert (media.dtls.role, media.ssrc[0].ssrc) == ("auto", 3570614608)
    assert [(each.ip, each.port) for each in media.ice_candidates] == [("192.0.2.10", 51472)]
    assert not media.ice_candidates_complete


def test_an_answer_says_who_begins():
    chosen = read_description(
        {"type": "answer", "sdp": replaced("actpass", "active")}, "answer", "ada"
    )
    assert read_by_aiortc(chosen).dtls.role == "client"
    with pytest.raises(MalformedDescriptionError, match="does not choose the DTLS client"):
        read_description({"type": "answer", "sdp": CHROME}, "answer", "ada")


@pytest.mark.parametrize(
    ("sdp", "fault"),
    [
        ("", "no m=audio section"),
        ("v=0\r\n", "no m=audio section"),
        (replaced("m=audio", "m=video"), "no m=audio section"),
        (replaced("m=audio 51472", "m=audio"), "line 8, m="),
        (replaced("m=audio 51472", "m=audio 65536"), "line 8, m=audio: its port"),
        (replaced("m=audio 51472", "m=audio 0"), "line 8, m=audio: its port is 0"),
        (replaced("UDP/TLS/RTP/SAVPF", "udp"), "line 8, m=audio: 'udp' is not"),
        (CHROME + CHROME[CHROME.index("m=audio") :], "line 29, m=audio: another section"),
        (replaced("a=mid:0", "a=mid:" + "0" * 33), "line 18, a=mid: its 'mid'"),
        (replaced("a=mid:0", "a=mid:0 1"), "line 18, a=mid: its 'mid'"),
        (without("a=rtpmap:111").replace("a=fmtp:111", "a=x:"), "line 8, m=audio: .*no Opus"),
        (replaced("opus/48000", "opus/16000"), "no Opus"),
        (CHROME.replace("111", "63"), "no Opus"),
        (without("a=rtcp-mux"), "share a port: it has no 'a=rtcp-mux'"),
        (without("a=ice-ufrag"), "line 8, m=audio: it has no 'a=ice-ufrag'"),
        (replaced("F7gI", "F7g"), "line 13, a=ice-ufrag: its 'ice-ufrag'"),
        (replaced("F7gI", "F" * 257), "'ice-ufrag'"),
        (replaced("F7gI", "F7g\u00e9"), "'ice-ufrag'"),
        (without("a=ice-pwd"), "'a=ice-pwd'"),
        (replaced("x9cml/YzichV2+XlhiMu8gRT", "x" * 21), "line 14, a=ice-pwd: its 'ice-pwd'"),
        (without("a=setup"), "it has no 'a=setup'"),
        (without("a=fingerprint"), "it has no 'a=fingerprint'"),
        (replaced("actpass", "whatever"), "line 17, a=setup: its 'setup' is not usable"),
        (replaced("actpass", "holdconn"), "a=setup: its 'setup' is not usable"),
        (replaced("sha-256", "sha-1"), "line 16, a=fingerprint: no 'fingerprint' is usable"),
        (replaced("sha-256", "sha-512"), "a=fingerprint: no 'fingerprint' is usable"),
        (replaced(":00:39", ""), "a=fingerprint: no 'fingerprint' is usable"),
        (replaced(":00:39", ":00:3"), "a=fingerprint: no 'fingerprint' is usable"),
        (replaced(":00:39", ":00:3G"), "a=fingerprint: no 'fingerprint' is usable"),
        ("x" * (MAX_SDP_CHARS + 1), f"field 'sdp': expected `str` of length <= {MAX_SDP_CHARS}"),
    ],
)
def test_a_description_that_would_hurt_is_refused(sdp, fault):
    with pytest.raises(MalformedDescriptionError, match=f"offer from 'ada'.*{fault}"):
        offer(sdp)


def test_of_too_many_candidates_those_of_the_highest_priority_are_kept():
    """RFC 8445 §6.1.2.5: the surplus is pruned, and the description stands."""
    line = "a=candidate:1 1 udp {0} 192.0.2.1 {0} typ host\r\n"
    many = "".join(line.format(number) for number in range(1, 3 * MAX_CANDIDATES))
    sdp = CHROME.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{many}")
    kept = {candidate.port for candidate in read_by_aiortc(offer(sdp)).ice_candidates}
    best = range(3 * MAX_CANDIDATES - 1, 2 * MAX_CANDIDATES, -1)
    assert kept == {51472, *best}


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
            description.place.restored((await connection.createAnswer()).sdp)
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


@pytest.mark.parametrize("text", ["", None])
def test_the_empty_candidate_is_the_last(text):
    assert read_candidate({"candidate": text, "sdpMid": "0"}, "ada") is None
    assert read_candidate({"candidate": text}, "ada") is None


@pytest.mark.parametrize(
    ("fields", "mid", "index"),
    [
        ({"sdpMid": "0"}, "0", None),
        ({"sdpMLineIndex": 1}, None, 1),
        ({"sdpMid": None, "sdpMLineIndex": 1.0, "usernameFragment": None}, None, 1),
        ({"sdpMid": "", "sdpMLineIndex": 0, "foundation": "1", "port": 9}, "", 0),
        ({"sdpMid": "0", "usernameFragment": 7}, "0", None),
    ],
)
def test_a_candidate_may_come_from_any_language(fields, mid, index):
    """JSON has one kind of number; libraries write "" or null for no media identification.

    Fields that nobody here needs may be anything.
    """
    read = read_candidate({"candidate": GOOD, **fields}, "ada")
    assert (read.sdpMid, read.sdpMLineIndex) == (mid, index)


@pytest.mark.parametrize("index", [-1, 0.5, 65_536, 1e300, float("nan"), float("inf"), 1 << 70])
def test_an_index_is_an_unsigned_short(index):
    with pytest.raises(MalformedCandidateError, match="sdpMLineIndex"):
        read_candidate({"candidate": GOOD, "sdpMLineIndex": index}, "ada")


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
    st.none() | st.integers() | st.floats(),
)
def test_a_candidate_is_read_or_malformed(line, mid, index):
    try:
        read = read_candidate({"candidate": line, "sdpMid": mid, "sdpMLineIndex": index}, "ada")
    except MalformedCandidateError:
        return
    assert (read is None) == (line == "")
