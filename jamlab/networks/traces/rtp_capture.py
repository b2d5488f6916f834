"""RTP streams in a capture, also secured (SRTP leaves headers clear) and in a TURN channel."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.model.packet import is_media
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.capture import frames
from jamlab.networks.traces.rtp_stream import ArrivedPackets, stream_trace

_UDP = 17
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8)
_RTP_HEADER = 12


class _Packet(NamedTuple):
    sequence: int
    timestamp: int
    arrival_s: float


_Streams = dict[tuple[bytes, int], list[_Packet]]
"""Packets of each stream by both ends' addresses and ports, and SSRC."""


def read_capture(data: bytes, name: str, ssrc: str | None = None) -> DelayTrace:
    """Return the delays of the stream with most packets, or of one by SSRC; raises `TraceError`.

    An SSRC is decimal, or hexadecimal with ``0x``.
    """
    streams = _streams(data, name)
    if not streams:
        raise TraceError(f"{name} has no RTP over UDP: capture the receiver's side of a call")
    wanted = None if ssrc is None else _number(ssrc)
    matching = [s for (_, number), s in streams.items() if wanted is None or number == wanted]
    if not matching:
        largest = sorted(streams, key=lambda key: -len(streams[key]))[:10]
        known = ", ".join(f"{number:#x}" for _, number in largest)
        raise TraceError(f"{name} has no RTP stream {ssrc}: choose {known}")
    sequence, timestamp, arrival_s = zip(*max(matching, key=len), strict=True)
    packets = ArrivedPackets(
        np.array(sequence, np.int64), np.array(timestamp, np.int64), np.array(arrival_s)
    )
    return stream_trace(name, packets)


def _number(ssrc: str) -> int:
    try:
        return int(ssrc, 0)
    except ValueError:
        raise TraceError(f"{ssrc!r} is no SSRC: give its number, as 1234 or 0x4d2") from None


def _streams(data: bytes, name: str) -> _Streams:
    streams: _Streams = defaultdict(list)
    for time_s, link_type, content in frames(data, name):
        for ends, payload in _datagrams(link_type, content):
            if is_media(payload):
                ssrc = int.from_bytes(payload[8:12])
                sequence, timestamp = (
                    int.from_bytes(payload[2:4]),
                    int.from_bytes(payload[4:8]),
                )
                streams[ends, ssrc].append(_Packet(sequence, timestamp, time_s))
    return streams


def _datagrams(link_type: int, frame: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ends and the payload of a frame's UDP datagram, if it has one."""
    strip = _LINKS.get(link_type)
    ip = b"" if strip is None else strip(frame)
    if not ip:
        return
    if ip[0] >> 4 == 4 and len(ip) >= 20:
        fragment = int.from_bytes(ip[6:8]) & 0x1FFF
        protocol, addresses, udp = ip[9], ip[12:20], ip[4 * (ip[0] & 15) :]
    elif ip[0] >> 4 == 6:
        fragment, protocol, addresses, udp = 0, ip[6] if len(ip) > 40 else 0, ip[8:40], ip[40:]
    else:
        return
    if protocol == _UDP and not fragment and len(udp) >= 8 + _RTP_HEADER:
        yield addresses + udp[:4], _out_of_channel(udp[8:])


def _out_of_channel(payload: bytes) -> bytes:
    """Return the payload of a TURN ChannelData message (RFC 8656 section 12.4), else all."""
    return payload[4:] if 0x40 <= payload[0] <= 0x4F else payload


# Headers below IP


def _ethernet(frame: bytes) -> bytes:
    at = 12
    while int.from_bytes(frame[at : at + 2]) in _VLANS:
        at += 4
    return frame[at + 2 :] if int.from_bytes(frame[at : at + 2]) in (_IPV4, _IPV6) else b""


def _after(length: int) -> Callable[[bytes], bytes]:
    return lambda frame: frame[length:]


_LINKS: dict[int, Callable[[bytes], bytes]] = {
    0: _after(4),  # loopback of BSD
    1: _ethernet,
    12: _after(0),
    14: _after(0),
    101: _after(0),  # raw IP
    108: _after(4),
    113: _after(16),  # any device of Linux
    228: _after(0),
    229: _after(0),
    276: _after(20),
}
"""For each LINKTYPE_ what returns the IP packet of a frame."""
