"""Framing of STUN messages and ChannelData over TCP (RFC 8656).

The messages follow each other without separators. The first two bits distinguish them, and bytes
three and four hold the length without the header: of a STUN message a multiple of four, of
ChannelData without the padding to four bytes that is added over TCP (section 12.5). There is no way
to resynchronise, so the first invalid message ends the connection.
"""

import struct
from collections.abc import Iterator

from aioice import stun

from jamlab.networks.stun.message import HEADER_LENGTH
from jamlab.networks.turn.allocation import CHANNEL_NUMBER_MAX, CHANNEL_NUMBER_MIN

MAX_LENGTH = 65507
"""Longest body of a message: the largest UDP payload over IPv4, longer data cannot be relayed."""

CHANNEL_HEADER_LENGTH = 4
"""Length of a ChannelData header, in bytes (RFC 8656, section 12.4)."""


class StreamError(ValueError):
    """The bytes are not a sequence of STUN and ChannelData messages."""


class TurnStream:
    """Split one direction of a connection into messages, without sockets."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield the messages that they complete, without padding.

        Raises `StreamError` for invalid bytes, or a message longer than `MAX_LENGTH`: the
        connection must be closed.
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
