"""What a peer may cost a page: its offers, its candidates, its signals that wait; run by Node."""

from tests.client.node import run_js

LINK = """
    import { PeerLink, offerLimits } from "./peerLink.js";
    console.info = () => {};
    const made = { connections: 0, candidates: 0 };
    let release = () => {};
    const blocked = given.isBlocked ? new Promise((resolve) => (release = resolve)) : null;
    const service = {
      createPeerConnection: () => (made.connections += 1),
      pending: () => made.connections,
      playing: () => undefined,
      closePeer: () => {},
      handleOffer: async () => ({ type: "answer", sdp: "" }),
      handleIceCandidate: async () => {
        await blocked;
        made.candidates += 1;
      },
    };
    const limits = offerLimits();
    const link = (peer) =>
      new PeerLink({
        own: "zoe", peer, service, send() {}, tell() {}, onGone() {}, attempt: 0, ...limits,
      });
    const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
"""


def test_the_offers_of_a_peer_and_of_strangers_are_limited():
    script = f"""{LINK}
        const offer = (attempt) => ({{
          type: "offer",
          data: {{ type: "offer", sdp: "", capture: 1, attempt }},
        }});
        const counts = [];
        for (let n = 0; n < 8; n += 1) {{
          const one = link(`peer ${{n}}`);
          one.meet(false);
          for (let attempt = 1; attempt <= 40; attempt += 1) one.hear(offer(attempt));
          await settled();
          counts.push(made.connections);
          one.close();
        }}
        console.log(JSON.stringify(counts));"""
    counts = run_js(script, {})
    assert counts[0] == 10
    assert 32 <= counts[-1] <= 34  # 4 more are permitted each second


def test_signals_that_wait_are_limited():
    script = f"""{LINK}
        const one = link("ada");
        one.meet(false);
        const signal = {{ type: "ice-candidate", data: {{ candidate: "" }} }};
        for (let n = 0; n < 1000; n += 1) one.hear(signal);
        release();
        await settled();
        const before = made.candidates;
        one.hear(signal);
        await settled();
        one.close();
        console.log(JSON.stringify([before, made.candidates]));"""
    assert run_js(script, {"isBlocked": True}) == [256, 257]


CONNECTION = """
    import { PeerConnection, candidatesIn } from "./peerConnection.js";
    const added = [];
    globalThis.MediaStream = class {};
    globalThis.RTCPeerConnection = class {
      remoteDescription = null;
      addTrack() {
        return { getParameters: () => ({}), setParameters: async () => {} };
      }
      getReceivers() {
        return [];
      }
      async setRemoteDescription(description) {
        this.remoteDescription = description;
      }
      async addIceCandidate({ candidate }) {
        added.push(candidate);
      }
    };
    const listeners = { onState() {}, onTrack() {}, onCandidate() {} };
    const one = new PeerConnection("ada", 1, {}, { bitrateBps: 1, ptimeMs: 10 }, {}, listeners);
"""


def test_the_candidates_of_a_description_are_limited():
    script = f"""{CONNECTION}
        const candidates = (from, count) =>
          Array.from({{ length: count }}, (_, n) => ({{ candidate: `candidate:${{from + n}}` }}));
        for (const each of candidates(0, 80)) await one.addCandidate(each);
        for (const each of candidates(0, 80)) await one.addCandidate(each); // the same again
        await one.acceptAnswer({{ type: "answer", sdp: "v=0" }});
        const early = added.length;
        for (const each of candidates(1000, 80)) await one.addCandidate(each);
        const first = added.length;
        await one.acceptAnswer({{ type: "answer", sdp: "v=0" }}); // as after an ICE restart
        for (const each of candidates(2000, 80)) await one.addCandidate(each);
        console.log(JSON.stringify([early, first, added.length]));"""
    assert run_js(script, None) == [80, 100, 180]


def test_what_is_no_candidate_does_not_cost_the_others():
    script = """
        import { candidatesIn } from "./peerConnection.js";
        console.log(JSON.stringify(given.map(candidatesIn)));"""
    one, other = {"candidate": "a"}, {"candidate": "b"}
    signals = [one, {"candidates": [None, one, 7, "x", other]}, {"candidates": [one] * 200}]
    assert run_js(script, signals) == [[one], [one, other], [one] * 100]
