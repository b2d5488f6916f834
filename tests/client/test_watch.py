"""The live figures of one peer, in Node: from ``getStats``, and from the page's own playout."""

import pytest

from tests.client.node import run_js

SCRIPT = """
    import { Meter } from "./watch.js";
    const meter = new Meter();
    const told = given.map(([packets, playout], nowS) => {
      const inbound = { id: "i", type: "inbound-rtp", kind: "audio", packetsReceived: packets };
      const pair = { id: "p", type: "candidate-pair", currentRoundTripTime: 0.01 };
      Object.assign(pair, { nominated: true, state: "succeeded" });
      return meter.read("ada", [inbound, pair], 0.02, nowS, playout);
    });
    console.log(JSON.stringify(told));"""


def own(transport, blocks, played, concealed, delay_frames=480):
    counters = {"blocks": blocks, "played": played, "concealed": concealed}
    return {"transport": transport, "counters": counters | {"delayFrames": delay_frames}}


def test_the_page_s_own_playout_stands_in_place_of_the_browser_s():
    readings = [
        [100, None],
        [200, own("media", 100, 47_000, 1000)],
        [300, own("media", 200, 94_000, 2000)],
    ]
    none, first, then = run_js(SCRIPT, readings)
    assert (none["transport"], none["jitterBufferS"], none["oneWayS"]) == ("media", None, None)
    for figures in first, then:
        assert figures["transport"] == "media"
        assert figures["jitterBufferS"] == pytest.approx(0.01)
        assert figures["concealedShare"] == pytest.approx(1 / 48)
        assert figures["oneWayS"] == pytest.approx(0.01 / 2 + 0.01 + 0.02)


def test_sound_flows_while_either_count_rises():
    """A transport that takes over counts from nought."""
    media = [[100 * n, own("media", 100 * n, 48_000 * n, 0)] for n in range(1, 6)]
    data = [[500, own("data", 400 * n, 48_000 * n, 0)] for n in range(1, 4)]
    silent = [[500, own("data", 1200, 48_000 * n, 0)] for n in range(4, 8)]
    flows = [each["isFlowing"] for each in run_js(SCRIPT, [*media, *data, *silent])]
    assert flows == [True] * 9 + [False] * 3
