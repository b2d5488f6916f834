"""Decoding of packets with positions, in Node: lengths as libopus says, by a decoder of none."""

from hypothesis import given
from hypothesis import strategies as st
from opuslib_next.api import libopus

from tests.client.node import run_js
from tests.examples import examples

FAKE = """
    import { OpusStream, lengthOf, unwrapped } from "./opusStream.js";
    globalThis.EncodedAudioChunk = class {
      constructor({ timestamp, data }) {
        Object.assign(this, { timestamp, data });
      }
    };
    // As Chromium's: it states as times the sum of what was decoded, and has no sound for some.
    class Decoder {
      constructor({ output, error }) {
        Object.assign(this, { output, error, state: "unconfigured", frames: 0 });
      }
      configure() {
        this.state = "configured";
      }
      decode({ data }) {
        if (data[1] === 99) {
          this.state = "closed";
          this.error(new Error("bad"));
          return;
        }
        if (data[1] === 98) return;
        const numberOfFrames = lengthOf(data);
        const copyTo = (samples) => samples.fill(data[1]);
        const timestamp = this.frames;
        this.frames += numberOfFrames;
        this.output({ numberOfFrames, numberOfChannels: 1, timestamp, copyTo, close() {} });
      }
      close() {
        this.state = "closed";
      }
    }
"""


@examples(30)
@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40))
def test_a_packet_is_as_long_as_libopus_says(packets):
    script = """
        import { lengthOf } from "./opusStream.js";
        console.log(JSON.stringify(given.map((each) => lengthOf(Uint8Array.from(each)))));"""
    told = [libopus.opus_packet_get_nb_samples(each, len(each), 48_000) for each in packets]
    assert run_js(script, [[*each] for each in packets]) == [max(0, each) for each in told]


@examples(20)
@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_a_position_of_32_bits_is_the_one_nearest(near, step):
    script = """
        import { unwrapped } from "./opusStream.js";
        console.log(unwrapped(given[0], given[1]));"""
    assert run_js(script, [(near + step) % 2**32, near]) == near + step


NONE = "it is no Opus packet (RFC 6716 §3.4)"


def positions(packets):
    """Return position, length and first sample of all that is decoded, and the errors."""
    script = f"""{FAKE}
        const told = [];
        const stream = new OpusStream({{
          emit: (position, [left]) => told.push([position, left.length, left[0]]),
          onError: ({{ message }}) => told.push(message),
          makeDecoder: (init) => new Decoder(init),
        }});
        for (const [position, packet] of given) stream.decode(position, Uint8Array.from(packet));
        stream.close();
        stream.decode(0, Uint8Array.from([224, 1]));
        console.log(JSON.stringify(told));"""
    return run_js(script, packets)


SHORT, LONG = 28 << 3, 31 << 3  # CELT, fullband: 2.5 ms and 20 ms (RFC 6716 §3.1)


def test_sound_keeps_its_position_where_packets_are_missing_or_longer():
    packets = [(1000, SHORT, 1), (1120, SHORT, 2), (9000, SHORT, 3), (9120, LONG, 4)]
    told = positions([[at, [toc, mark]] for at, toc, mark in packets])
    assert told == [[1000, 120, 1], [1120, 120, 2], [9000, 120, 3], [9120, 960, 4]]


def test_a_packet_without_sound_or_with_a_fault_does_not_move_the_others():
    packets = [
        *[(0, [SHORT, 1]), (120, [SHORT, 98]), (240, [LONG, 2])],
        *[(1200, [SHORT, 99]), (1320, [SHORT, 3]), (1440, [])],
    ]
    assert positions(packets) == [[0, 120, 1], [240, 960, 2], "bad", [1320, 120, 3], NONE]


def test_packets_that_come_faster_than_they_are_decoded_do_not_pile_up():
    script = f"""{FAKE}
        const queued = [];
        class Slow extends Decoder {{
          get decodeQueueSize() {{
            return queued.length;
          }}
          decode(chunk) {{
            queued.push(chunk);
          }}
        }}
        const told = [];
        const stream = new OpusStream({{
          emit: (position) => told.push(position),
          onError: () => {{}},
          makeDecoder: (init) => Object.assign(new Slow(init), {{ state: "configured" }}),
        }});
        for (let n = 0; n < given; n += 1) stream.decode(120 * n, Uint8Array.from([{SHORT}, 1]));
        console.log(queued.length);"""
    assert run_js(script, 100_000) <= 256
