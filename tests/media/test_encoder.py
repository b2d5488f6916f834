"""The frame encoder: the same frames, whatever the length of the card's blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.encoder import EncodedFrame, FrameEncoder
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.quality import HIGH_QUALITY, LOW_LATENCY
from tests.examples import examples

QUALITIES = st.sampled_from([LOW_LATENCY, HIGH_QUALITY])
SOUND = np.random.default_rng(1).uniform(-0.3, 0.3, (12_000, 2)).astype(np.float32)


def cut(sound, sizes):
    position = 0
    for size in sizes:
        yield sound[position : position + size]
        position += size


def push_all(encoder, blocks):
    return [frame for block in blocks for frame in encoder.push(block)]


def lengths(frames):
    """Length of each frame, as its own header has it."""
    return [len(OpusDecoder().decode(frame.payload)) for frame in frames]


@examples(60)
@given(QUALITIES, st.lists(st.integers(0, 1500), max_size=16))
def test_block_sizes_do_not_matter(quality, sizes):
    sound = SOUND[: sum(sizes)]
    sizes = [len(block) for block in cut(sound, sizes)]
    assert push_all(FrameEncoder(quality), cut(sound, sizes)) == list(
        FrameEncoder(quality).push(sound)
    )


@pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY], ids=lambda q: q.name)
def test_frames_are_the_codecs_own(quality):
    """Nothing is lost, repeated or shifted between the card's blocks and libopus."""
    frames = push_all(FrameEncoder(quality), cut(SOUND, [64] * 150))
    codec, length = OpusEncoder(quality), quality.frame_frames
    assert frames == [
        EncodedFrame(codec.encode(SOUND[at : at + length]), at)
        for at in range(0, 64 * 150 - length + 1, length)
    ]


def test_a_frame_is_there_with_its_last_sample():
    encoder = FrameEncoder(LOW_LATENCY)
    assert push_all(encoder, [SOUND[:119]]) == []
    assert [frame.position for frame in encoder.push(SOUND[119:120])] == [0]


def test_an_empty_block_completes_nothing():
    assert push_all(FrameEncoder(LOW_LATENCY), [SOUND[:0]] * 3) == []


def test_the_captured_block_is_copied():
    """A card may use its buffer again as soon as the callback returns."""
    encoder, buffer = FrameEncoder(LOW_LATENCY), SOUND[:64].copy()
    push_all(encoder, [buffer])
    buffer[:] = 0
    (frame,) = encoder.push(SOUND[64:120])
    assert frame.payload == OpusEncoder(LOW_LATENCY).encode(SOUND[:120])


@examples(60)
@given(
    QUALITIES,
    st.lists(st.integers(1, 2000) | st.tuples(st.integers(0, 9)), max_size=24),
)
def test_length_changes_at_frame_borders_only(quality, steps):
    """Steps are blocks, by their length, and numbers of peers, as tuples."""
    encoder = FrameEncoder(quality)
    frames, expected = [], []
    length, filled, position, peers = quality.frame_frames, 0, 0, 1
    for step in steps:
        if isinstance(step, tuple):
            (peers,) = step
            encoder.serve(peers)
            assert encoder.frame_frames == length  # the frame begun is not touched
            continue
        frames += encoder.push(np.zeros((step, 2), np.float32))
        filled += step
        while filled >= length:
            expected.append((position, length))
            position += length
            filled -= length
            length = quality.frame_for(peers)
        assert encoder.frame_frames == length
    found = zip((frame.position for frame in frames), lengths(frames), strict=True)
    assert list(found) == expected


def test_positions_are_contiguous_through_a_change():
    encoder = FrameEncoder(LOW_LATENCY)
    frames = push_all(encoder, [SOUND[:1000]])
    encoder.serve(5)
    frames += push_all(encoder, [SOUND[1000:5000]])
    encoder.serve(1)
    frames += push_all(encoder, [SOUND[5000:]])
    sizes = lengths(frames)
    assert [frame.position for frame in frames] == [0, *np.cumsum(sizes[:-1])]
    assert set(sizes) == {120, 480}


@given(st.lists(st.integers(0, 700), max_size=8))
def test_knows_how_much_it_was_given(sizes):
    encoder = FrameEncoder(LOW_LATENCY)
    for size in sizes:
        push_all(encoder, [SOUND[:size]])
    assert encoder.captured_frames == sum(sizes)


@given(QUALITIES)
def test_knows_its_quality(quality):
    encoder = FrameEncoder(quality)
    assert encoder.quality is quality
    assert encoder.frame_frames == quality.frame_frames
