"""A TURN client for tests, written from RFC 8489 and RFC 8656 without the server's code."""

import hashlib
import hmac
import struct
import zlib
from itertools import count
from typing import NamedTuple

COOKIE = 0x2112A442
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9

MAPPED_ADDRESS, CHANGE_REQUEST, USERNAME, INTEGRITY = 0x0001, 0x0003, 0x0006, 0x0008
ERROR_CODE, UNKNOWN_ATTRIBUTES, CHANNEL_NUMBER, LIFETIME = 0x0009, 0x000A, 0x000C, 0x000D
XOR_PEER_ADDRESS, DATA_ATTRIBUTE, REALM, NONCE = 0x0012, 0x0013, 0x0014, 0x0015
XOR_RELAYED_ADDRESS, FAMILY, EVEN_PORT, TRANSPORT = 0x0016, 0x0017, 0x0018, 0x0019
DONT_FRAGMENT, XOR_MAPPED_ADDRESS, RESERVATION_TOKEN = 0x001A, 0x0020, 0x0022
PADDING, RESPONSE_PORT, FINGERPRINT = 0x0026, 0x0027, 0x8028
RESPONSE_ORIGIN, OTHER_ADDRESS = 0x802B, 0x802C

UDP_TRANSPORT = (TRANSPORT, b"\x11\0\0\0")
_numbers = count(1)


def transaction():
    return next(_numbers).to_bytes(12, "big")


def tlv(type_, value):
    return struct.pack("!HH", type_, len(value)) + value + bytes(-len(value) % 4)


def message(method, class_, attributes=(), *, tid=None, key=None, fingerprint=False):
    def with_length(body, more=0):
        head = struct.pack("!HHI", method | class_, len(body) + more, COOKIE)
        return head + tid + body

    tid = tid or transaction()
    body = b"".join(tlv(*attribute) for attribute in attributes)
    if key is not None:
        body += tlv(INTEGRITY, hmac.digest(key, with_length(body, 24), "sha1"))
    if fingerprint:
        crc = zlib.crc32(with_length(body, 8)) ^ 0x5354554E
        body += tlv(FINGERPRINT, struct.pack("!I", crc))
    return with_length(body)


def plain_address(address):
    host, port = address
    return struct.pack("!BBH4B", 0, 1, port, *map(int, host.split(".")))


def xor_address(address):
    family, port, host = struct.unpack("!HHI", plain_address(address))
    return struct.pack("!HHI", family, port ^ (COOKIE >> 16), host ^ COOKIE)


def read_address(value, xor=True):
    _, port, host = struct.unpack("!HHI", value)
    if xor:
        port, host = port ^ (COOKIE >> 16), host ^ COOKIE
    return ".".join(str(byte) for byte in host.to_bytes(4, "big")), port


def peer(*address):
    return XOR_PEER_ADDRESS, xor_address(address)


def number(channel):
    return CHANNEL_NUMBER, struct.pack("!HH", channel, 0)


def lifetime(seconds):
    return LIFETIME, struct.pack("!I", seconds)


def channel_data(channel, data):
    return struct.pack("!HH", channel, len(data)) + data


class Answer(NamedTuple):
    """A message the server sent."""

    method: int
    class_: int
    tid: bytes
    attributes: dict
    data: bytes

    @property
    def code(self):
        value = self.attributes[ERROR_CODE]
        return value[2] * 100 + value[3]

    def address(self, type_, xor=True):
        return read_address(self.attributes[type_], xor)

    def seconds(self):
        return struct.unpack("!I", self.attributes[LIFETIME])[0]

    def unknown(self):
        value = self.attributes[UNKNOWN_ATTRIBUTES]
        return list(struct.unpack(f"!{len(value) // 2}H", value))

    def is_signed_with(self, key):
        """Tell whether MESSAGE-INTEGRITY is right (RFC 8489, section 14.5)."""
        at = self.data.index(struct.pack("!HH", INTEGRITY, 20))
        covered = self.data[:2] + struct.pack("!H", at + 24 - 20) + self.data[4:at]
        return self.attributes[INTEGRITY] == hmac.digest(key, covered, "sha1")


def read(data):
    type_, length, cookie, tid = struct.unpack("!HHI12s", data[:20])
    assert cookie == COOKIE
    assert length == len(data) - 20
    attributes, at = {}, 20
    while at < len(data):
        kind, size = struct.unpack("!HH", data[at : at + 4])
        assert at + 4 + size <= len(data)
        attributes[kind] = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
    if FINGERPRINT in attributes:
        crc = zlib.crc32(data[:-8]) ^ 0x5354554E
        assert attributes[FINGERPRINT] == struct.pack("!I", crc)
    return Answer(type_ & ~ERROR, type_ & ERROR, tid, attributes, data)


def long_term_key(username, realm, password):
    """Return the key of RFC 8489, section 9.2.2."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode()).digest()


class Account:
    """A user's credentials as far as the client knows them."""

    def __init__(self, username="ada", password="secret", realm="jamlab"):
        self.username, self.realm = username, realm
        self.key = long_term_key(username, realm, password)
        self.nonce = b""

    def request(self, method, *attributes, **options):
        own = [
            (USERNAME, self.username.encode()),
            (REALM, self.realm.encode()),
            (NONCE, self.nonce),
        ]
        return message(method, REQUEST, [*attributes, *own], key=self.key, **options)
