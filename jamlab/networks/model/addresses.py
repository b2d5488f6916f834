"""Which addresses hosts and networks get, simulated or not.

No address is there twice, not even behind different NATs: a packet for a private address outside
reaches nobody, as it should, rather than somebody else by accident.
"""

import socket
from collections.abc import Iterator
from itertools import count

from jamlab.networks.model.topology import LanConfig

_BACKBONE, _CARRIER, _HOME = 0xC6120000, 0x64400000, 0x0A000000
"""198.18.0.0/15 for networks under test (RFC 2544), 100.64.0.0/10 for carriers' (RFC 6598), and
10.0.0.0/8 (RFC 1918), of which every network behind a NAT has a /24."""


def backbone_addresses() -> Iterator[str]:
    """Yield public ones."""
    return _following(_BACKBONE)


def private_addresses(config: LanConfig, number: int) -> Iterator[str]:
    """Yield those inside of a network behind a NAT, which is the ``number``-th of its kind."""
    carrier = any(isinstance(member, LanConfig) for member in config.members)
    return _following((_CARRIER if carrier else _HOME) + 256 * number)


def _following(start: int) -> Iterator[str]:
    """Yield those that follow, without those that look like a network's own or its broadcast's."""
    for number in count(start):
        if 0 < number % 256 < 255:
            yield socket.inet_ntoa(number.to_bytes(4, "big"))
