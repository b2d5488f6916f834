"""Messages of a stream: the same for every segmentation of the stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.turn.stream import StreamError, TurnStream
from tests.examples import examples
from tests.networks.malformed import ANYTHING
from tests.networks.turn import independent_client as c

MESSAGES = st.lists(
    st.one_of(
        st.builds(
            lambda text: c.message(c.BINDING, c.REQUEST, [(0x8022, text)]), st.binary(max_size=20)
        ),
        st.builds(c.channel_data, st.sampled_from([0x4000, 0x7FFF]), st.binary(max_size=20)),
    ),
    max_size=8,
)


def padded(message):
    return message + bytes(-len(message) % 4)


def fed(stream, *pieces):
    return [message for piece in pieces for message in stream.feed(piece)]


@given(MESSAGES, st.lists(st.integers(0, 300), max_size=12))
def test_pieces_do_not_matter(messages, cuts):
    data = b"".join(map(padded, messages))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert fed(TurnStream(), *pieces) == messages


def test_byte_by_byte():
    messages = [c.channel_data(0x4000, b"12345"), c.message(c.BINDING, c.REQUEST)]
    data = b"".join(map(padded, messages))
    assert fed(TurnStream(), *(data[k : k + 1] for k in range(len(data)))) == messages


def test_a_message_waits_for_its_padding():
    stream = TurnStream()
    assert fed(stream, c.channel_data(0x4000, b"12345")) == []
    assert fed(stream, b"\0\0") == []
    assert fed(stream, b"\0") == [c.channel_data(0x4000, b"12345")]


def test_the_longest_datagram_passes():
    message = c.channel_data(0x4000, bytes(65507))
    assert fed(TurnStream(), padded(message)) == [message]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x40\x00\xff\xe4", "65508 bytes is longer than any"),
        (b"\x00\x01\xff\xf0", "65520 bytes is longer than any"),
        (b"\x80\x00\x00\x04", "0x8000 begins neither"),
        (b"\x16\x03\x01\x00\xaa\x01", "0x1603 begins neither"),
        (b"\x00\x01\x00\x02", "0x0001 begins neither"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x43", "0x0001 begins neither"),
        (b"\x00\x01\x00\x00\x22", "0x0001 begins neither"),
    ],
)
def test_garbage(data, reason):
    with pytest.raises(StreamError, match=reason):
        fed(TurnStream(), data)


def test_what_came_before_garbage_is_read():
    messages = TurnStream().feed(c.channel_data(0x4000, b"good") + b"\xff\xff\xff\xff")
    assert next(messages) == c.channel_data(0x4000, b"good")
    with pytest.raises(StreamError):
        next(messages)


@examples(300)
@given(st.lists(ANYTHING, max_size=6))
def test_anything_is_messages_or_an_error(pieces):
    stream = TurnStream()
    try:
        messages = fed(stream, *pieces)
    except StreamError:
        return
    assert sum(map(len, messages)) <= sum(map(len, pieces))
    assert all(message[0] < 0x80 for message in messages)
