"""Messages in a stream: how a TURN server reads what clients send over TCP (RFC 8656).

STUN messages and ChannelData follow each other without anything between them. The first two bits
tell them apart, and both have their length in the third and fourth byte: a STUN message's without
its header and a multiple of four, a ChannelData's without its header and without the padding to
four bytes that a stream adds (section 12.5). Once out of step there is no way back in, so the first
thing that is neither ends the connection.
"""

import struct
from collections.abc import Iterator

from aioice import stun

from jamlab.networks.stun.message import HEADER_LENGTH
from jamlab.networks.turn.allocation import CHANNEL_NUMBER_MAX, CHANNEL_NUMBER_MIN

MAX_LENGTH = 65507
"""Longest body of a message: no more fits into a UDP datagram over IPv4, so none can be relayed."""

CHANNEL_HEADER_LENGTH = 4
"""Length of what precedes the data of a ChannelData message, in bytes (RFC 8656, section 12.4)."""


class StreamError(ValueError):
    """The bytes are no sequence of STUN and ChannelData messages."""


class TurnStream:
    """Cut one direction of a connection into messages, without sockets."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield the messages they complete, without padding.

        Raises
        ------
        StreamError
            Garbage, or a message longer than `MAX_LENGTH`: the connection is of no more use.
        """
        data, position = self._pending + data, 0
        try:
            while len(data) - position >= CHANNEL_HEADER_LENGTH:
                length = _message_length(data, position)
                end = position + length + stun.padding_length(length)
                if end > len(data):
                    break
                message, position = data[position : position + length], end
                yield message
        finally:
            self._pending = data[position:]


def _message_length(data: bytes, position: int) -> int:
    type_: int
    length: int
    type_, length = struct.unpack_from("!HH", data, position)
    if length > MAX_LENGTH:
        raise StreamError(f"a message of {length} bytes is longer than any that can be relayed")
    if CHANNEL_NUMBER_MIN <= type_ <= CHANNEL_NUMBER_MAX:
        return CHANNEL_HEADER_LENGTH + length
    cookie = data[position + 4 : position + 8]
    if type_ < 0x4000 and length % 4 == 0 and struct.pack("!I", stun.COOKIE).startswith(cookie):
        return HEADER_LENGTH + length
    raise StreamError(f"0x{type_:04x} begins neither a STUN nor a ChannelData message")
