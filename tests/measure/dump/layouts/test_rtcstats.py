"""Peculiar files of rtcstats; whole ones are in tests/measure/dump/test_dump.py."""

import json

import pytest

from jamlab.measure.dump.layouts.rtcstats import read_rtcstats
from tests.measure.dump.calls import BEGIN_MS, INBOUND, events, rtcstats_lines, samples


def test_microphones_belong_to_no_connection_and_names_are_short():
    lines = [
        "RTCStatsDump",
        json.dumps({"fileFormat": 3, "userAgent": "Chrome/140"}),
        json.dumps([60, None, {"audio": True}, "60-0", BEGIN_MS]),
        json.dumps([61, None, [["audio", "id", "label"]], "60-0", 1040]),
        json.dumps(["close", None, 1001, 2353]),
    ]
    trace, unread = read_rtcstats(lines)
    (peer,) = trace.peers
    assert (peer.name, trace.browser, unread) == ("", "Chrome/140", 0)
    assert [event.kind for event in peer.events] == [
        "getUserMedia",
        "getUserMediaOnSuccess",
        "close",
    ]
    assert peer.events[-1].at_s == pytest.approx((BEGIN_MS + 1040 + 2353) / 1000)


def test_version_2_has_unix_time_on_each_line():
    lines = [
        json.dumps({"fileFormat": 2, "userAgent": "Chrome/80"}),
        json.dumps(["create", "PC_0", {}, BEGIN_MS]),
        json.dumps(
            [
                "getstats",
                "PC_0",
                {
                    "a": {"type": "codec", "mimeType": "audio/opus", "timestamp": 0},
                    "timestamp": BEGIN_MS + 900,
                },
                BEGIN_MS + 1000,
            ]
        ),
    ]
    (peer,) = read_rtcstats(lines)[0].peers
    assert peer.events[0].at_s == BEGIN_MS / 1000
    assert list(peer.series["a"].at_s) == [(BEGIN_MS + 900) / 1000]


def test_a_line_that_is_no_entry_is_counted():
    lines = [*rtcstats_lines(samples([30.0]), events()), "", "[1, 2", '"text"', "[]"]
    trace, unread = read_rtcstats(lines)
    assert unread == 3
    assert trace.peers[0].events


@pytest.mark.parametrize("time", ["soon", None, -1e300, 10**400, True])
def test_a_time_that_is_none_is_that_of_the_line_before(time):
    lines = [json.dumps(["create", "P", {}, BEGIN_MS]), json.dumps(["close", "P", None, time])]
    (peer,) = read_rtcstats(lines)[0].peers
    assert peer.events[1].at_s == BEGIN_MS / 1000


def test_an_object_that_is_gone_has_no_more_samples():
    (first_ms, first), (second_ms, second) = samples([30.0])
    gone = {name: report for name, report in second.items() if name != INBOUND}
    (peer,) = read_rtcstats(rtcstats_lines([(first_ms, first), (second_ms, gone)], []))[0].peers
    kinds = {series.kind: len(series.at_s) for series in peer.series.values()}
    assert kinds["inbound-rtp"] == 1
    assert kinds["outbound-rtp"] == 2
