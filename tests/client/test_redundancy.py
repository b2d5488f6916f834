"""Redundant audio split by the page, in Node, against the package's own reading of it."""

from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.red import MalformedRedError, parse
from tests.client.node import run_js
from tests.examples import examples

SCRIPT = """
    import { framesOf } from "./redundancy.js";
    const told = given.map((payload) =>
      framesOf(Uint8Array.from(payload))?.map(({ offset, data }) => [offset, [...data]]) ?? null);
    console.log(JSON.stringify(told));"""

header = st.builds(
    lambda kind, offset, length: ((0x80 | kind) << 24 | offset << 10 | length).to_bytes(4, "big"),
    st.sampled_from([0, 96, 111]),
    st.integers(0, 2**14 - 1),
    st.integers(0, 12),
)
likely = st.builds(
    lambda headers, own, data: b"".join(headers) + bytes([own]) + data,
    st.lists(header, max_size=34),
    st.sampled_from([0, 96, 111]),
    st.binary(max_size=40),
)


def read(payload):
    """Return offsets and frames as the page tells them."""
    own = next((byte for byte in payload[::4] if byte < 0x80), 0)
    try:
        return [[frame.offset_frames, [*frame.payload]] for frame in parse(payload, own)]
    except MalformedRedError:
        return None


@examples(20)
@given(st.lists(likely | st.binary(max_size=30), min_size=50, max_size=50))
def test_every_payload_is_split_as_the_package_splits_it(payloads):
    told = run_js(SCRIPT, [[*payload] for payload in payloads])
    assert told == [read(payload) for payload in payloads]


def test_a_packet_of_chromium_s():
    """Of Chromium 156, with other bytes for the sound: 10 ms of Opus and the 10 ms before them."""
    payload = bytes.fromhex("ef0781446f") + bytes(324) + b"\xf4" * 267
    [told] = run_js(SCRIPT, [[*payload]])
    assert told == [[480, [0] * 324], [0, [0xF4] * 267]] == read(payload)
