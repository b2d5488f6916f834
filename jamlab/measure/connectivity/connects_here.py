"""A check that two participants on this machine can connect.

All measurements in real time on this machine need that, and no more: the loopback has to be up, and
a network is not needed.
"""

from jamlab.ice.configuration import HOST_ONLY
from jamlab.measure.connectivity.attempt import FAILED, Attempt, attempt
from jamlab.measure.connectivity.ends import CHECKS, DEADLINE, DTLS, GATHERING
from jamlab.measure.reaches_itself import NO_LOOPBACK, Obstacle

ATTEMPT_S = 10.0
"""Limit for two peer connections to connect; they need a tenth of a second."""


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


async def connect_here() -> Attempt:
    """Try to connect two peer connections on this machine, without a server."""
    return await attempt(HOST_ONLY, level="dtls", signalling_s=0.0, deadline_s=ATTEMPT_S)


def obstacle_of(made: Attempt) -> Obstacle | None:
    """Return why an attempt on this machine failed; None if it succeeded."""
    return _OF_STAGE[made.stage] if made.result == FAILED else None
