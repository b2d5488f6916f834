"""Frames of a capture of packets: pcap (microseconds or nanoseconds) and pcapng.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Of pcapng, enhanced packet blocks are
read, which all tools of today write; others have no time or are obsolete. No kept library reads
both (dpkt and python-pcapng had their last release in 2022), and what is needed is this page.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from jamlab.networks.model.delay_table import TraceError

_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
"""Byte order and resolution by magic number."""
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_RESOLUTION, _END = 9, 0
_LINK_TYPE_BITS = 0xFFFF  # the others tell the length of a checksum


class Frame(NamedTuple):
    """A captured frame."""

    time_s: float
    link_type: int
    """Kind of its outermost header: LINKTYPE_ of tcpdump.org."""
    content: bytes


class _Interface(NamedTuple):
    link_type: int
    tick_s: float


def is_capture(data: bytes) -> bool:
    """Return whether a file is a capture, by its first bytes."""
    return data[:4] in _PCAP or data[:4] == _PCAPNG


def frames(data: bytes, name: str) -> Iterator[Frame]:
    """Yield the frames of a capture; one that is cut short ends with its last whole frame.

    Raises `TraceError` when it is damaged.
    """
    try:
        yield from _of_pcapng(data) if data[:4] == _PCAPNG else _of_pcap(data)
    except (struct.error, KeyError, IndexError, OverflowError):
        raise TraceError(f"{name} is damaged: capture it again") from None


def _of_pcap(data: bytes) -> Iterator[Frame]:
    order, tick_s = _PCAP[data[:4]]
    (network,) = struct.unpack_from(f"{order}I", data, 20)
    header = struct.Struct(f"{order}IIII")
    at = 24
    while at + header.size <= len(data):
        seconds, ticks, length, _ = header.unpack_from(data, at)
        at += header.size
        if at + length > len(data):
            return
        yield Frame(seconds + ticks * tick_s, network & _LINK_TYPE_BITS, data[at : at + length])
        at += length


def _of_pcapng(data: bytes) -> Iterator[Frame]:
    order = "<"
    interfaces: list[_Interface] = []
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == _PCAPNG:
            order, interfaces = _ORDERS[data[at + 8 : at + 12]], []
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4:
            raise IndexError
        if at + length > len(data):
            return
        body = data[at + 8 : at + length - 4]
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order))
        elif kind == _ENHANCED:
            yield _enhanced(body, order, interfaces)
        at += length


def _interface(body: bytes, order: str) -> _Interface:
    (link_type,) = struct.unpack_from(f"{order}H", body)
    tick_s, at = 1e-6, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        if code == _END:
            break
        if code == _RESOLUTION:
            power = body[at + 4]
            tick_s = 2.0 ** -(power & 0x7F) if power & 0x80 else 10.0**-power
        at += 4 + length + -length % 4
    return _Interface(link_type, tick_s)


def _enhanced(body: bytes, order: str, interfaces: list[_Interface]) -> Frame:
    number, high, low, length = struct.unpack_from(f"{order}IIII", body)
    link_type, tick_s = interfaces[number]
    return Frame(((high << 32) | low) * tick_s, link_type, body[20 : 20 + length])
