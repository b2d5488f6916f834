"""Candidates for ports that the router has mapped (UPnP-IGD, NAT-PMP, PCP).

A mapped address is like one that a STUN server tells: packets to it arrive at the host candidate
that is its base (RFC 8445 §5.1.1). So it is offered to the peer as a server-reflexive candidate,
and checks are sent from the base as before.

For this, one public method of aioice's `Connection` is replaced, on each connection separately, and
`tests/media/test_mapped_candidates.py` fails when it moves.
"""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority

MapPort: TypeAlias = Callable[[int], tuple[str, int] | None]
"""Asks the router to map a UDP port of this host; returns the outside address, or None."""

_GATHER = "get_component_candidates"


def offer_mapped(connection: Connection, map_port: MapPort) -> None:
    """Make an ICE connection ask for a mapping of each IPv4 host candidate's port, and offer it.

    Raises `RuntimeError` when aioice's `Connection` does not have the method to replace.
    """
    if not hasattr(connection, _GATHER):
        raise RuntimeError(
            "the installed aioice gathers candidates in another way than version 0.13: run "
            "pip install 'aioice>=0.13,<0.14'"
        )
    gather = getattr(connection, _GATHER)

    async def gather_and_map(
        component: int, addresses: list[str], **limits: Any
    ) -> list[Candidate]:
        candidates: list[Candidate] = await gather(component, addresses, **limits)
        return [*candidates, *_mapped(candidates, map_port)]

    setattr(connection, _GATHER, gather_and_map)


def _mapped(candidates: list[Candidate], map_port: MapPort) -> Iterator[Candidate]:
    """Yield a candidate for each mapping, unless a STUN server has told the same address."""
    known = {(candidate.host, candidate.port) for candidate in candidates}
    for base in candidates:
        if base.type != "host" or ipaddress.ip_address(base.host).version != 4:
            continue
        outside = map_port(base.port)
        if outside is not None and outside not in known:
            yield mapped_candidate(base, outside)


def mapped_candidate(base: Candidate, outside: tuple[str, int]) -> Candidate:
    """Return the server-reflexive candidate of a host candidate's mapped address."""
    host, port = outside
    return Candidate(
        foundation=candidate_foundation("srflx", base.transport, f"{base.host} mapped"),
        component=base.component,
        transport=base.transport,
        priority=candidate_priority(base.component, "srflx"),
        host=host,
        port=port,
        type="srflx",
        related_address=base.host,
        related_port=base.port,
    )
