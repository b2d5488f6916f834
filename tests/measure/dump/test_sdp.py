import math

import pytest

from jamlab.measure.dump.sdp import candidate, description, packet_ms, server

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
LINE = "candidate:574752532 1 UDP 41689599 192.0.2.7 51583 typ relay raddr 192.0.2.3 rport 6881"


@pytest.mark.parametrize(
    ("lines", "ms"),
    [
        ("m=audio 9 x 111\r\na=ptime:10\r\n", 10),
        ("m=audio 9 x 111\r\na=fmtp:111 minptime=10;useinbandfec=1;ptime=5\r\n", 5),
        ("m=audio 9 x 111\r\na=fmtp:111 minptime=10\r\na=maxptime:60\r\n", math.nan),
        ("m=video 9 x 96\r\na=ptime:10\r\n", math.nan),
        ("m=audio 9 x 111\r\nm=video 9 x 96\r\na=ptime:10\r\n", math.nan),
        ("m=audio 9 x 111\r\na=ptime:0\r\n", math.nan),
        ("", math.nan),
    ],
)
def test_packets_last_as_long_as_the_audio_section_asks(lines, ms):
    assert packet_ms(HEAD + lines) == pytest.approx(ms, nan_ok=True)


@pytest.mark.parametrize("value", [{"type": "offer", "sdp": HEAD}, f"type: offer, sdp: {HEAD}"])
def test_a_description_is_found_in_both_layouts(value):
    assert description(value) == HEAD


@pytest.mark.parametrize("value", [None, 5, {"sdp": 5}, {}, ""])
def test_what_is_no_description_has_none(value):
    assert description(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        f"sdpMid: 0, sdpMLineIndex: 0, candidate: {LINE}, url: turn:r.example, relayProtocol: udp",
        {"candidate": LINE, "url": "turn:r.example"},
    ],
)
def test_a_candidate_is_read_in_both_layouts(value):
    found = candidate(value)
    assert (found.kind, found.protocol, found.address) == ("relay", "udp", "192.0.2.7:51583")
    assert found.words == "relay udp 192.0.2.7:51583"
    assert server(value) == "turn:r.example"


@pytest.mark.parametrize("value", [None, "", {"candidate": ""}, {"candidate": 5}, [LINE], 7])
def test_the_end_of_candidates_is_none(value):
    assert candidate(value) is None
    assert server(value) == ""


def test_a_long_text_without_a_candidate_takes_no_time():
    assert candidate("candidate:" * 100_000) is None
