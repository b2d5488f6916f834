"""Peculiar dumps of webrtc-internals; whole ones are in tests/measure/dump/test_dump.py."""

import json
import math

import numpy as np

from jamlab.measure.dump.layouts.internals import read_internals
from tests.measure.dump.calls import BEGIN_MS, INBOUND, events, internals, iso, samples

TIMES_MS = [BEGIN_MS + 1000 * n for n in range(5)]


def entry(values, first=0, last=4, kind="inbound-rtp"):
    return {
        "startTime": iso(TIMES_MS[first]),
        "endTime": iso(TIMES_MS[last]),
        "statsType": kind,
        "values": json.dumps(values),
    }


def series_of(stats, log=()):
    dump = {"PeerConnections": {"1": {"stats": stats, "updateLog": list(log)}}}
    return read_internals(dump).peers[-1].series


def test_a_property_that_appears_late_is_aligned_at_its_end():
    stats = {"A-timestamp": entry(TIMES_MS), "A-jitter": entry([3, 4, 5], first=2)}
    assert list(series_of(stats)["A"].columns["jitter"]) == [None, None, 3, 4, 5]


def test_a_property_that_ends_early_is_aligned_at_its_own_end():
    stats = {"A-timestamp": entry(TIMES_MS), "A-jitter": entry([1, 2], first=1, last=2)}
    assert list(series_of(stats)["A"].columns["jitter"]) == [None, 1, 2, None, None]


def test_more_values_than_times_are_the_latest():
    stats = {"A-timestamp": entry(TIMES_MS), "A-jitter": entry([0, 1, 2, 3, 4, 5, 6])}
    assert list(series_of(stats)["A"].columns["jitter"]) == [2, 3, 4, 5, 6]


def test_without_times_samples_are_spread_evenly():
    """Chromium up to 116."""
    stats = {"A-jitter": entry([1, 2, 3, 4, 5]), "A-packetsLost": entry([8, 9], first=3)}
    found = series_of(stats)["A"]
    np.testing.assert_allclose(found.at_s, np.array(TIMES_MS) / 1000)
    assert list(found.columns["packetsLost"]) == [None, None, None, 8, 9]


def test_an_id_may_have_any_characters():
    name = "COT01_111_minptime=10;useinbandfec=1-x [y]"
    stats = {
        f"{name}-timestamp": entry(TIMES_MS, kind="codec"),
        f"{name}-mimeType": entry(["audio/opus"] * 5, kind="codec"),
        f"{name}-[computed/s]": entry([0] * 5, kind="codec"),
    }
    assert series_of(stats)[name].last("mimeType") == "audio/opus"


def test_statistics_of_the_legacy_kind_are_told():
    dump = {"PeerConnections": {"1": {"stats": {"ssrc_1_recv-googJitterBufferMs": {}}}}}
    assert "callback-based getStats" in read_internals(dump).notes[0]


def test_requests_for_a_microphone_belong_to_no_connection():
    trace = read_internals(internals(samples([]), events()))
    (request,) = trace.peers[0].events
    assert (trace.peers[0].name, request.kind) == ("", "getUserMedia")


def test_a_log_without_times_is_kept():
    log = [{"type": "createOffer", "value": ""}, {"time": 5, "type": 7}]
    (peer,) = read_internals({"PeerConnections": {"1": {"updateLog": log}}}).peers
    assert [event.kind for event in peer.events] == ["createOffer", "7"]
    assert all(math.isnan(event.at_s) for event in peer.events)


def test_a_connection_without_statistics_is_placed_by_the_others():
    clock = "%m/%d/%Y, %I:%M:%S %p"
    dump = internals(samples([30.0]), events(), clock, name="1")
    bare = internals([], events(), clock, name="2")
    dump["PeerConnections"] |= {"2": {**bare["PeerConnections"]["2"], "stats": {}}}
    trace = read_internals(dump)
    assert trace.absolute
    for peer in trace.peers[1:]:
        assert abs(peer.events[0].at_s - BEGIN_MS / 1000) <= 1.0
    assert INBOUND in trace.peers[1].series
