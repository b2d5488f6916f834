"""Host candidates of a machine that has no address except the loopback's.

aioice leaves loopback addresses out, as RFC 8445 §5.1.1.1 demands. Without a network that leaves no
candidate at all, and two participants on one machine never connect. So where aioice finds no
address, an ICE connection here gathers on the loopback; with any other address nothing changes.

For this, one public method of aioice's `Connection` is replaced, on each connection separately, and
`tests/media/test_host_candidates.py` fails when it moves.
"""

import socket
from typing import Any

import aioice.ice
from aioice import Candidate, Connection

from jamlab.media.ice_connection import wants_relays_only

_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_DISCARD_PORT = 9
_GATHER = "get_component_candidates"


def host_addresses() -> list[str]:
    """Return this machine's addresses for host candidates."""
    return network_addresses() or loopback_addresses()


def network_addresses() -> list[str]:
    """Return this machine's addresses, except the loopback's."""
    return aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)


def loopback_addresses() -> list[str]:
    """Return the loopback's address, preferably IPv4's; none while the loopback is down."""
    return [address for family, address in _LOOPBACK if _is_routed(family, address)][:1]


def _is_routed(family: socket.AddressFamily, address: str) -> bool:
    """Return whether the kernel has a route to an address; sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as end:
            end.connect((address, _DISCARD_PORT))
    except OSError:
        return False
    return True


def gather_on_loopback(connection: Connection) -> None:
    """Make an ICE connection gather on the loopback if this machine has no other address.

    A connection limited to relayed candidates (RFC 8829 §4.1.1) still gets no others. Raises
    `RuntimeError` when aioice's `Connection` does not have the method to replace.
    """
    if not hasattr(connection, _GATHER):
        raise RuntimeError(
            "the installed aioice gathers candidates in another way than version 0.13: run "
            "pip install 'aioice>=0.13,<0.14'"
        )
    gather = getattr(connection, _GATHER)
    hosts_wanted = not wants_relays_only(connection)

    async def gather_somewhere(
        component: int, addresses: list[str], **limits: Any
    ) -> list[Candidate]:
        if hosts_wanted and not addresses:
            addresses = loopback_addresses()
        candidates: list[Candidate] = await gather(component, addresses, **limits)
        return candidates

    setattr(connection, _GATHER, gather_somewhere)
