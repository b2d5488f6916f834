"""Whether two participants on this machine can connect at all, and if not, why.

Everything that is measured in real time here needs that, and nothing more: no network, only a
loopback that is up.
"""

import socket
from dataclasses import dataclass

from jamlab.ice.configuration import HOST_ONLY
from jamlab.measure.attempt import FAILED, Attempt, attempt
from jamlab.measure.end import CHECKS, DEADLINE, DTLS, GATHERING
from jamlab.media.host_candidates import host_addresses

DATAGRAM_S = 0.5
"""How long a datagram to ourselves may take."""
ATTEMPT_S = 10.0
"""How long two peer connections may take; they need a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing connects on this machine, and what to do about it."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.remedy}"


NO_LOOPBACK = Obstacle(
    "this machine has no network, not even its loopback",
    "bring the loopback up, as root: ip link set lo up",
)

_OF_STAGE = {
    GATHERING: NO_LOOPBACK,
    CHECKS: Obstacle(
        "two ICE agents on this machine do not reach each other",
        "allow UDP between this machine's own addresses in the firewall or the container's policy",
    ),
    DTLS: Obstacle(
        "two ICE agents on this machine reach each other, but their DTLS handshake fails",
        "pip install --force-reinstall aiortc pyopenssl cryptography",
    ),
    DEADLINE: Obstacle(
        f"two participants on this machine did not connect within {ATTEMPT_S:g} s",
        "close other programs and try again, and allow UDP between this machine's own addresses",
    ),
}


def unreachable() -> Obstacle | None:
    """Return why this machine does not reach itself over UDP; None when it does.

    It sends a datagram to each of its own addresses, until one arrives.
    """
    addresses = host_addresses()
    if not addresses:
        return NO_LOOPBACK
    if any(_is_reached(address) for address in addresses):
        return None
    return Obstacle(
        f"no datagram arrives that this machine sends to itself, at {', '.join(addresses)}",
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


async def connect_here() -> Attempt:
    """Connect two peer connections on this machine, without any server."""
    return await attempt(HOST_ONLY, level="dtls", signalling_s=0.0, deadline_s=ATTEMPT_S)


def obstacle_of(made: Attempt) -> Obstacle | None:
    """Return why an attempt on this machine failed; None when it did not."""
    return _OF_STAGE[made.stage] if made.result == FAILED else None
