"""Addresses of hosts and networks, for simulated and kernel networks alike.

Every address is unique, even behind different NATs: a packet that is sent to a private address from
outside its network reaches no host, rather than a wrong host by accident.
"""

import ipaddress
import socket
from collections.abc import Iterator
from itertools import count

from jamlab.networks.model.topology import LanConfig

_BACKBONE, _CARRIER, _HOME = 0xC6120000, 0x64400000, 0x0A000000
"""198.18.0.0/15 for networks under test (RFC 2544), 100.64.0.0/10 for carrier-grade NATs (RFC
6598), and 10.0.0.0/8 (RFC 1918); every network behind a NAT has a /24 of the last two."""

_IPV6_HOSTS = ipaddress.IPv6Network("2001:2::/48")
"""Networks under test (RFC 5180). No network is translated, so all hosts are in one row."""


def is_ipv6(address: str) -> bool:
    """Return whether a valid address is IPv6."""
    return ":" in address


def ipv6_addresses() -> Iterator[str]:
    """Yield the IPv6 addresses of hosts, wherever they are."""
    return map(str, _IPV6_HOSTS.hosts())


def backbone_addresses() -> Iterator[str]:
    """Yield public addresses."""
    return _following(_BACKBONE)


def private_addresses(config: LanConfig, number: int) -> Iterator[str]:
    """Yield the inside addresses of the ``number``-th network behind a NAT."""
    carrier = any(isinstance(member, LanConfig) for member in config.members)
    return _following((_CARRIER if carrier else _HOME) + 256 * number)


def _following(start: int) -> Iterator[str]:
    """Yield the addresses from ``start`` on, except .0 and .255 (network and broadcast)."""
    for number in count(start):
        if 0 < number % 256 < 255:
            yield socket.inet_ntoa(number.to_bytes(4, "big"))
