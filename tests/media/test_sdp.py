"""The Opus parameters, read back by aiortc's own parser, and what trickling needs."""

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.quality import FRAME_LENGTHS, HIGH_QUALITY, LOW_LATENCY, Quality
from jamlab.media.red import RedFormat
from jamlab.media.sdp import (
    trickling,
    username_fragment,
    with_opus_parameters,
    with_redundancy,
    without_end,
)

HEAD = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "a=msid-semantic:WMS *\r\n"
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 96 9 0\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=mid:0\r\n"
    "a=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=setup:actpass\r\n"
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 97 98\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=mid:1\r\n"
    "a=rtcp-mux\r\na=rtpmap:97 VP8/90000\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n"
    "a=setup:actpass\r\n"
)
BOTH = pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY], ids=lambda q: q.name)


def codecs(sdp, kind="audio"):
    (medium,) = [m for m in SessionDescription.parse(sdp).media if m.kind == kind]
    return {codec.payloadType: codec for codec in medium.rtp.codecs}


def lines_added(before, after):
    """What was put in; fails when anything else was changed."""
    added = []
    rest = iter(before.splitlines(keepends=True))
    expected = next(rest, None)
    for line in after.splitlines(keepends=True):
        if line == expected:
            expected = next(rest, None)
        else:
            added.append(line)
    assert expected is None
    return added


@BOTH
def test_parameters_are_those_of_rfc_7587(quality):
    opus = codecs(with_opus_parameters(HEAD + AUDIO, quality))[96]
    assert opus.parameters == {
        "stereo": 1,
        "sprop-stereo": "1",
        "maxaveragebitrate": "256000",  # a peer may switch to either quality
    }
    assert (opus.name, opus.clockRate, opus.channels) == ("opus", 48_000, 2)


@BOTH
def test_all_else_stays(quality):
    before = HEAD + AUDIO + VIDEO
    added = lines_added(before, with_opus_parameters(before, quality))
    assert [line.split(":")[0] for line in added] == ["a=fmtp", "a=ptime"]
    assert all(line.endswith("\r\n") for line in added)


def test_other_codecs_are_untouched():
    sdp = with_opus_parameters(HEAD + AUDIO + VIDEO, LOW_LATENCY)
    assert {kind: codecs(sdp)[kind].parameters for kind in (9, 0)} == {9: {}, 0: {}}
    assert codecs(sdp, "video") == codecs(HEAD + AUDIO + VIDEO, "video")


@pytest.mark.parametrize("order", [AUDIO + VIDEO, VIDEO + AUDIO], ids=["audio", "video"])
def test_another_codecs_parameters_do_not_stand_in_for_opus(order):
    opus = codecs(with_opus_parameters(HEAD + order, LOW_LATENCY))[96]
    assert opus.parameters["maxaveragebitrate"] == "256000"


def test_a_quality_beyond_those_offered_is_allowed_for():
    sdp = with_opus_parameters(HEAD + AUDIO, Quality("most", 510_000, 480, "audio"))
    assert codecs(sdp)[96].parameters["maxaveragebitrate"] == "510000"


@pytest.mark.parametrize(
    ("frames", "ptime"), list(zip(FRAME_LENGTHS, [3, 5, 10, 20, 40, 60], strict=True))
)
def test_frame_length_is_an_integer_of_milliseconds(frames, ptime):
    """RFC 8866 §6.4 knows no fractions: 2.5 ms is written 3."""
    quality = Quality("any", 64_000, frames, "audio")
    sdp = with_opus_parameters(HEAD + AUDIO + VIDEO, quality)
    audio, video = sdp.split("m=video")
    assert audio.count(f"a=ptime:{ptime}\r\n") == 1
    assert "ptime" not in video


@given(
    st.sampled_from([LOW_LATENCY, HIGH_QUALITY]),
    st.sampled_from([LOW_LATENCY, HIGH_QUALITY]),
    st.lists(st.sampled_from([AUDIO, VIDEO]), max_size=3),
)
def test_twice_is_once(first, second, media):
    once = with_opus_parameters(HEAD + "".join(media), first)
    assert with_opus_parameters(once, second) == once


@pytest.mark.parametrize("own", ["minptime=10;useinbandfec=1", "stereo=0"])
def test_a_peers_own_parameters_stay(own):
    sdp = HEAD + AUDIO + f"a=fmtp:96 {own}\r\n"
    assert with_opus_parameters(sdp, LOW_LATENCY) == sdp


def test_a_stated_frame_length_stays():
    sdp = with_opus_parameters(HEAD + AUDIO + "a=ptime:20\r\n", LOW_LATENCY)
    assert sdp.count("a=ptime:") == 1
    assert "a=ptime:20\r\n" in sdp
    assert codecs(sdp)[96].parameters["stereo"] == 1


def test_payload_types_that_begin_alike():
    """Parameters of format 9 are not those of 96."""
    sdp = with_opus_parameters(HEAD + AUDIO + "a=fmtp:9 x=1\r\n", LOW_LATENCY)
    assert codecs(sdp)[96].parameters["stereo"] == 1


def test_two_opus_formats_share_one_frame_length():
    audio = AUDIO.replace("96 9", "96 111 9") + "a=rtpmap:111 OPUS/48000/2\r\n"
    sdp = with_opus_parameters(HEAD + audio, LOW_LATENCY)
    assert codecs(sdp)[96].parameters == codecs(sdp)[111].parameters
    assert sdp.count("a=ptime:") == 1


@pytest.mark.parametrize("sdp", ["", HEAD, HEAD + VIDEO, "not a description"])
def test_without_opus_nothing_happens(sdp):
    assert with_opus_parameters(sdp, LOW_LATENCY) == sdp


@given(st.text())
def test_any_text_keeps_its_lines(text):
    assert with_opus_parameters(text, LOW_LATENCY) == text


ICE = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=end-of-candidates\r\n"


def test_a_description_that_trickles_says_so_and_ends_no_candidates():
    sdp = trickling(HEAD + AUDIO + ICE)
    assert sdp.count("a=ice-options:trickle\r\n") == 1
    [medium] = SessionDescription.parse(sdp).media
    assert not medium.ice_candidates_complete
    assert medium.ice.password == "0123456789012345678901"
    assert SessionDescription.parse(HEAD + AUDIO + ICE).media[0].ice_candidates_complete


def test_the_username_fragment_is_that_of_the_first_section():
    assert username_fragment(HEAD + AUDIO + ICE) == "abcd"
    assert username_fragment(HEAD + AUDIO) is None


@given(st.text())
def test_any_text_without_an_end_is_as_it_was(text):
    assert without_end(text) == text


@BOTH
def test_redundant_audio_comes_after_opus(quality):
    """Read by aiortc's parser; RFC 2198 §5 states the formats inside in the parameters."""
    before = with_opus_parameters(HEAD + AUDIO + VIDEO, quality)
    sdp, types = with_redundancy(before)
    assert types == RedFormat(red=63, opus=96)
    red = codecs(sdp)[63]
    assert (red.mimeType, red.clockRate, red.channels) == ("audio/red", 48_000, 2)
    assert red.parameters == {"96/96": None}
    [medium] = [m for m in SessionDescription.parse(sdp).media if m.kind == "audio"]
    assert medium.fmt == [96, 9, 0, 63]
    assert codecs(sdp, "video") == codecs(before, "video")
    assert lines_added(before.replace("SAVPF 96 9 0", "SAVPF 96 9 0 63"), sdp) == [
        "a=rtpmap:63 red/48000/2\r\n",
        "a=fmtp:63 96/96\r\n",
    ]


@given(st.text())
def test_text_without_opus_gets_no_redundancy(text):
    assert with_redundancy(text) == (text, None)
