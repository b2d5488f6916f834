"""Redundant audio against RFC 2198's fields, read bit by bit, and against packets of Chromium."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.encoder import EncodedFrame
from jamlab.media.quality import FRAME_LENGTHS
from jamlab.media.red import (
    MOST_OFFSET,
    MOST_PAYLOAD_BYTES,
    MOST_REDUNDANT_BYTES,
    MalformedRedError,
    RedFormat,
    RedFrame,
    RedPacker,
    fits,
    numbered,
    pack,
    parse,
)
from tests.examples import examples

TYPES = RedFormat(red=63, opus=111)


def read_bits(payload):
    """Read a payload as the figure of RFC 2198 §3 has it: blocks of type, offset and data."""
    bits = "".join(f"{byte:08b}" for byte in payload)
    headers, at = [], 0
    while bits[at] == "1":
        fields = bits[at + 1 : at + 8], bits[at + 8 : at + 22], bits[at + 22 : at + 32]
        headers.append(tuple(int(field, 2) for field in fields))
        at += 32
    primary, at = int(bits[at + 1 : at + 8], 2), (at + 8) // 8
    blocks = []
    for kind, offset, length in headers:
        blocks.append((kind, offset, payload[at : at + length]))
        at += length
    return [*blocks, (primary, 0, payload[at:])]


earlier_frames = st.lists(
    st.builds(
        RedFrame,
        st.binary(min_size=1, max_size=60) | st.binary(min_size=1000, max_size=1023),
        st.integers(1, MOST_OFFSET),
    ),
    max_size=3,
).filter(lambda earlier: fits(bytes(100), earlier))


@examples(200)
@given(st.binary(max_size=100), earlier_frames, st.integers(0, 127))
def test_what_is_packed_is_read_again(primary, earlier, opus):
    payload = pack(primary, earlier, opus)
    assert parse(payload, opus) == [*earlier, RedFrame(primary, 0)]
    blocks = [(opus, frame.offset_frames, frame.payload) for frame in earlier]
    assert read_bits(payload) == [*blocks, (opus, 0, primary)]
    assert len(payload) <= MOST_PAYLOAD_BYTES


@examples(300)
@given(st.binary(max_size=200), st.integers(0, 127))
def test_any_bytes_are_frames_or_malformed(payload, opus):
    try:
        frames = parse(payload, opus)
    except MalformedRedError:
        return
    assert [frame.offset_frames == 0 for frame in frames] == [False] * (len(frames) - 1) + [True]
    told = [(kind, offset, data) for kind, offset, data in read_bits(payload)]
    earlier = [block for block in told[:-1] if block[0] == opus and block[1] and block[2]]
    read = [(opus, frame.offset_frames, frame.payload) for frame in frames]
    assert read == [*earlier, told[-1]]


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "ends within its headers"),
        (b"\xef\x01\xe0", "ends within its headers"),
        (b"\xef\x01\xe0\x03", "ends within its headers"),
        (b"\xef\x01\xe0\x03\x6fol", "1 bytes longer than it is"),
        (b"\xef\x01\xe0\x03" * 33, "more than 32 frames"),
        (b"\x60new", "payload type 96, not 111"),
    ],
)
def test_a_malformed_payload_is_refused_with_the_reason(payload, fault):
    with pytest.raises(MalformedRedError, match=fault):
        parse(payload, 111)


def test_a_packet_of_chromium_s():
    """Of Chromium 156, with other bytes for the sound: 10 ms of Opus and the 10 ms before them."""
    payload = bytes.fromhex("ef0781446f") + bytes(324) + b"\xf4" * 267
    assert parse(payload, 111) == [RedFrame(bytes(324), 480), RedFrame(b"\xf4" * 267, 0)]
    assert parse(b"\x6f" + b"\xf4" * 516, 111) == [RedFrame(b"\xf4" * 516, 0)]  # its first one
    assert pack(b"\xf4" * 267, [RedFrame(bytes(324), 480)], 111) == payload


def test_earlier_frames_of_another_format_and_empty_ones_are_left_out():
    """Chromium sends comfort noise and events beside Opus, and blocks without data."""
    payload = b"\xe0\x01\xe0\x03" + b"\xef\x01\xe0\x00" + b"\x6f" + b"oldnew"
    assert parse(payload, 111) == [RedFrame(b"new", 0)]


@pytest.mark.parametrize(
    ("primary", "length", "offset", "wanted"),
    [
        (1, MOST_REDUNDANT_BYTES, MOST_OFFSET, True),
        (1, MOST_REDUNDANT_BYTES + 1, 120, False),
        (1, 1, MOST_OFFSET + 1, False),
        (1, 1, 0, False),
        (1, 0, 120, False),
        (MOST_PAYLOAD_BYTES - 405, 400, 120, True),
        (MOST_PAYLOAD_BYTES - 404, 400, 120, False),
    ],
)
def test_what_fits(primary, length, offset, wanted):
    frames = bytes(primary), [RedFrame(bytes(length), offset)]
    assert fits(*frames) is wanted
    if wanted:
        assert len(pack(*frames, 111)) <= MOST_PAYLOAD_BYTES
    else:
        with pytest.raises(ValueError, match="send it without"):
            pack(*frames, 111)


@pytest.mark.parametrize(("red", "opus"), [(96, 96), (128, 96), (96, -1)])
def test_payload_types_are_two_of_seven_bits(red, opus):
    with pytest.raises(ValueError, match="two different ones, 0 to 127"):
        RedFormat(red, opus)


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), earlier_frames)
def test_copies_have_the_numbers_of_their_packets(sequence, timestamp, earlier):
    """Packed at the end of a stream of one frame a packet, and read back."""
    frames = [*earlier, RedFrame(b"own", 0)]
    found = numbered(frames, sequence, timestamp)
    assert [payload for *_, payload in found] == [frame.payload for frame in frames]
    for back, ((number, time, _), frame) in enumerate(zip(found[::-1], frames[::-1], strict=True)):
        assert (number + back) % 2**16 == sequence
        assert (time + frame.offset_frames) % 2**32 == timestamp


class TestPacker:
    def frames(self, lengths, size=40):
        position = 0
        for number, length in enumerate(lengths):
            yield EncodedFrame(bytes([number]) * size, position)
            position += length

    def test_off_a_frame_goes_as_it_is(self):
        packer = RedPacker(TYPES)
        for frame in self.frames([120] * 3):
            assert packer.pack(frame) == (frame.payload, 111)

    def test_on_each_frame_has_the_one_before_it(self):
        """Also the first after it is turned on, and where frames become longer or shorter."""
        packer = RedPacker(TYPES)
        first, *rest = self.frames(FRAME_LENGTHS)
        packer.pack(first)
        packer.on, last = True, first
        for frame in rest:
            payload, kind = packer.pack(frame)
            assert kind == 63
            earlier = RedFrame(last.payload, frame.position - last.position)
            assert parse(payload, 111) == [earlier, RedFrame(frame.payload, 0)]
            last = frame

    def test_the_first_frame_of_all_has_none(self):
        packer = RedPacker(TYPES)
        packer.on = True
        [frame] = self.frames([120])
        assert packer.pack(frame) == (frame.payload, 111)
        assert packer.alone == 0

    def test_two_that_are_too_long_go_alone(self):
        """Frames of 20 ms at 256 kbit/s: 640 bytes each."""
        packer = RedPacker(TYPES)
        packer.on = True
        packed = [packer.pack(frame) for frame in self.frames([960] * 3, size=640)]
        assert {kind for _, kind in packed} == {111}
        assert packer.alone == 2
