"""Captures of RTP, built byte by byte: Ethernet or raw IP, IPv4 or IPv6, pcap or pcapng."""

import struct

ETHERNET, RAW = 1, 101


def rtp(sequence, timestamp, ssrc=0x1234, payload=b"\0" * 60):
    return struct.pack(">BBHII", 0x80, 111, sequence % 65536, timestamp % 2**32, ssrc) + payload


def udp(payload, ports=(5000, 6000)):
    return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload


def ipv4(datagram):
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
    )
    return header + datagram


def ipv6(datagram):
    ends = bytes(15) + b"\1" + bytes(15) + b"\2"
    return struct.pack(">IHBB", 6 << 28, len(datagram), 17, 64) + ends + datagram


def ethernet(packet, vlan=False):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0"
    return bytes(12) + (b"\x81\0\0\7" if vlan else b"") + kind + packet


def pcap(frames, link_type=ETHERNET, order="<", nanoseconds=False):
    """Return a capture of pairs of time, in whole nanoseconds, and frame."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for time_ns, frame in frames:
        ticks = time_ns % 10**9 // (1 if nanoseconds else 1000)
        out += struct.pack(f"{order}IIII", time_ns // 10**9, ticks, len(frame), len(frame)) + frame
    return out


def pcapng(frames, link_type=ETHERNET, order="<", nanoseconds=False):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        length = struct.pack(f"{order}I", 12 + len(body))
        return struct.pack(f"{order}I", kind) + length + body + length

    resolution = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0) if nanoseconds else b""
    out = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(f"{order}HHI", link_type, 0, 65535) + resolution)
    for time_ns, frame in frames:
        ticks = time_ns // (1 if nanoseconds else 1000)
        head = struct.pack(
            f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
        )
        out += block(6, head + frame)
    return out
