"""A check that this machine reaches itself over UDP, as all real-time measurements need."""

import socket
from dataclasses import dataclass

from jamlab.media.host_candidates import host_addresses

DATAGRAM_S = 0.5
"""Limit for a datagram to ourselves."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason why nothing connects on this machine, and its remedy."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.remedy}"


NO_LOOPBACK = Obstacle(
    "this machine has no network, not even its loopback",
    "bring the loopback up, as root: ip link set lo up",
)


def unreachable() -> Obstacle | None:
    """Return why this machine does not reach itself over UDP; None when it does.

    The machine sends a datagram to each of its own addresses until one arrives.
    """
    addresses = host_addresses()
    if not addresses:
        return NO_LOOPBACK
    if any(_is_reached(address) for address in addresses):
        return None
    return Obstacle(
        f"datagrams from this machine to itself do not arrive, at {', '.join(addresses)}",
        "bring the loopback up, as root (ip link set lo up), and allow UDP to this machine's own "
        "addresses in the firewall or the container's policy",
    )


def _is_reached(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as end:
            end.bind((address, 0))
            end.settimeout(DATAGRAM_S)
            end.sendto(b"jamlab", end.getsockname())
            end.recv(16)
    except OSError:
        return False
    return True
