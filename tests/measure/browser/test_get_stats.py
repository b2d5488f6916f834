"""Tests of jamlab.measure.browser.get_stats, on statistics written by hand."""

import math
from pathlib import Path

import pytest

import jamlab.measure.browser
from jamlab.measure.browser.get_stats import between, connected, streams
from tests.client.node import run_js

PAGE = Path(jamlab.measure.browser.__file__).parent / "page"


def inbound(seconds, buffer_ms=40.0, packets=50, **further):
    """Return the counters of a stream after some seconds, with packets of 20 ms."""
    frames = 48_000 * seconds
    return {
        "id": "in",
        "type": "inbound-rtp",
        "kind": "audio",
        "transportId": "t",
        "playoutId": "play",
        "packetsReceived": packets * seconds,
        "packetsLost": 2 * seconds,
        "jitterBufferDelay": buffer_ms / 1000 * frames,
        "jitterBufferTargetDelay": 0.08 * frames,
        "jitterBufferEmittedCount": frames,
        "totalProcessingDelay": (buffer_ms + 5) / 1000 * frames,
        "totalSamplesReceived": frames,
        "concealedSamples": 480 * seconds,
        **further,
    }


def snapshot(local, remote, seconds, state="connected", **further):
    return {
        "state": state,
        "local": local,
        "remote": remote,
        "reports": [
            {"id": "t", "type": "transport", "selectedCandidatePairId": "pair"},
            {"id": "pair", "type": "candidate-pair", "currentRoundTripTime": 0.03},
            {
                "id": "play",
                "type": "media-playout",
                "totalPlayoutDelay": 0.02 * 48_000 * seconds,
                "totalSamplesCount": 48_000 * seconds,
            },
            inbound(seconds, **further),
        ],
    }


def test_the_ends_of_a_connection_find_each_other():
    ada = [snapshot("a", "b", 1), snapshot("c", "d", 1)]
    ben = [snapshot("b", "a", 1)]
    assert [sender for sender, _ in streams(ada, {"ben": ben})] == ["ben", ""]
    assert [sender for sender, _ in streams(ben, {"ada": ada})] == ["ada"]


def test_all_streams_of_a_sender_are_found():
    server = snapshot("a", "sfu", 1)
    server["reports"].append(inbound(1, id="second", packets=7))
    found = streams([server, {**snapshot("c", "d", 1), "number": 1}], {})
    assert list(found) == [("", "0 in"), ("", "0 second"), ("", "1 in")]
    assert found["", "0 second"].inbound["packetsReceived"] == 7


def test_the_figures_are_those_of_the_time_between():
    (before,) = streams([snapshot("a", "b", 2)], {}).values()
    (after,) = streams([snapshot("a", "b", 3)], {}).values()
    assert between(before, after) == pytest.approx(
        {
            "frame_ms": 47_520 / 50 / 48,
            "round_trip_ms": 30,
            "jitter_buffer_ms": 40,
            "jitter_target_ms": 80,
            "processing_ms": 45,
            "playout_ms": 20,
            "packets_lost": 2,
            "packets_received": 50,
            "concealed_frames": 480,
            "received_frames": 48_000,
        }
    )


@pytest.mark.parametrize("further", [{}, {"id": "another"}, {"ssrc": 7}])
def test_a_stream_made_anew_counts_from_the_beginning(further):
    (before,) = streams([snapshot("a", "b", 600 if not further else 1)], {}).values()
    (after,) = streams([snapshot("a", "b", 3, **further)], {}).values()
    figures = between(before, after)
    assert (figures["packets_received"], figures["received_frames"]) == (150, 144_000)
    assert figures["concealed_frames"] == 1440  # which the 288 000 of before would hide


def test_a_browser_that_states_less_leaves_gaps():
    bare = {"id": "in", "type": "inbound-rtp", "packetsReceived": 3}
    connection = {"state": "connected", "local": "", "remote": "", "reports": [bare]}
    (stream,) = streams([connection], {"x": [connection]}).values()
    figures = between(stream, stream)
    assert math.isnan(figures["jitter_buffer_ms"])
    assert math.isnan(figures["round_trip_ms"])
    assert figures["received_frames"] == 0


def paired(local, remote):
    """Return a connection whose selected pair has candidates of given types."""
    made = snapshot("a", "b", 1)
    made["reports"][1] |= {"localCandidateId": "near", "remoteCandidateId": "far"}
    for name, kind in ("near", local), ("far", remote):
        made["reports"].append({"id": name, "type": "candidate", "candidateType": kind})
    return made


@pytest.mark.parametrize(
    ("local", "remote", "route"),
    [
        ("host", "host", "host"),
        ("host", "relay", "relay"),
        ("relay", "srflx", "relay"),
        ("prflx", "host", "prflx"),
        ("srflx", "prflx", "srflx"),
        ("host", "unheard of", "host"),
    ],
)
def test_a_route_is_that_of_the_candidate_further_from_its_host(local, remote, route):
    (stream,) = streams([paired(local, remote)], {}).values()
    assert stream.route == route


def test_a_browser_that_states_no_candidates_has_no_route():
    (stream,) = streams([snapshot("a", "b", 1)], {}).values()
    assert stream.route is None


def test_a_connection_counts_when_sound_has_arrived():
    assert connected([snapshot("a", "b", 1)]) == 1
    assert connected([snapshot("a", "b", 1, packets=0)]) == 0
    assert connected([snapshot("a", "b", 1, state="connecting")]) == 0


def test_a_page_may_replace_its_clock():
    """E.g. for tests of its own with a clock that stands still."""
    script = f"""
        {(PAGE / "clock.js").read_text(encoding="utf-8")}
        performance.now = () => -1;
        const clock = watchClock({{ state: "running", currentTime: 3 }});
        let readings = [];
        while (!readings.length) {{
          await new Promise((resolve) => setTimeout(resolve, 5));
          readings = clock.take();
        }}
        console.log(JSON.stringify(readings[0][1] >= 0));
        process.exit();"""
    assert run_js(script, None)


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("undefined", [["in", 7]]),
        ("() => []", [["in", 7]]),
        ("() => [{ connection: {}, packetsReceived: 400 }]", [["in", 7]]),
        ("() => [{ connection, packetsReceived: 400 }]", [["page", 400]]),
        ("() => [null, { connection, packetsReceived: 400, packetsLost: NaN }]", [["page", 400]]),
        ("() => [{ connection, packetsReceived: undefined }]", [["page", None]]),
        ("() => [{ connection, packetsReceived: '400' }]", [["page", None]]),
        ("() => { throw new Error('no counters yet'); }", [["in", 7]]),
        ("async () => []", [["in", 7]]),
    ],
)
def test_a_page_may_state_counters_of_its_own(hook, expected):
    script = f"""
        globalThis.window = globalThis;
        window.RTCPeerConnection = class {{
          async getStats() {{
            return new Map([
              ["t", {{ id: "t", type: "transport" }}],
              ["in", {{ id: "in", type: "inbound-rtp", kind: "audio", packetsReceived: 7 }}],
            ]);
          }}
        }};
        {(PAGE / "connections.js").read_text(encoding="utf-8")}
        const watched = watchConnections();
        const connection = new RTCPeerConnection();
        window.jamlabCounters = {hook};
        const [{{ reports }}] = await watched.stats();
        const inbound = reports.filter((each) => each.type === "inbound-rtp");
        console.log(JSON.stringify(inbound.map((each) => [each.id, each.packetsReceived])));"""
    assert run_js(script, None) == expected
