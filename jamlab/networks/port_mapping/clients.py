"""Clients of the two protocols at port 5351 of a router, PCP and NAT-PMP.

No kept library speaks PCP, and NAT-PMP is the same exchange with shorter messages
(docs/decisions.md). Each request has a socket of its own.
"""

import secrets
from collections.abc import Sequence
from functools import partial

from jamlab.networks.port_mapping import nat_pmp, pcp
from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
    Route,
)
from jamlab.networks.port_mapping.question import WAITS_S, ask

_GOODBYE_S = (0.25, 0.5)


class PcpClient:
    """Asks a router by PCP (RFC 6887)."""

    protocol = MappingProtocol.PCP

    def __init__(self, route: Route) -> None:
        self._route = route
        self._nonces: dict[int, bytes] = {}
        self._outside: dict[int, str] = {}

    async def map(self, port: int, wanted_port: int, lifetime_s: int) -> PortMapping:
        """Ask for a mapping of a port, new or renewed, or raise `MappingError`."""
        nonce = self._nonces.setdefault(port, secrets.token_bytes(pcp.NONCE_BYTES))
        wanted = self._outside.get(port, "")
        request = pcp.map_request(self._route.own, nonce, port, wanted_port, lifetime_s, wanted)
        answer = await self._ask(request, nonce, port, WAITS_S)
        assert answer.external
        self._outside[port] = answer.external[0]
        return PortMapping(
            (self._route.own, port),
            answer.external,
            answer.lifetime_s,
            self.protocol,
            self._route.router,
        )

    async def unmap(self, port: int, external_port: int) -> None:
        """Remove the mapping of a port, or raise `MappingError`."""
        nonce = self._nonces.pop(port, bytes(pcp.NONCE_BYTES))
        self._outside.pop(port, None)
        request = pcp.map_request(self._route.own, nonce, port, 0, 0)
        await self._ask(request, nonce, port, _GOODBYE_S)

    async def _ask(
        self, request: bytes, nonce: bytes, port: int, waits_s: Sequence[float]
    ) -> pcp.Answer:
        where = self._route.router, pcp.SERVER_PORT
        read = partial(pcp.read_map_answer, nonce=nonce, port=port)
        answer = await ask(where, self._route.own, request, read, waits_s)
        if answer.result or answer.external is None:
            raise _refused(self._route, self.protocol, answer.result, pcp.RESULTS)
        return answer


class NatPmpClient:
    """Asks a router by NAT-PMP (RFC 6886)."""

    protocol = MappingProtocol.NAT_PMP

    def __init__(self, route: Route) -> None:
        self._route = route

    async def map(self, port: int, wanted_port: int, lifetime_s: int) -> PortMapping:
        """Ask for a mapping of a port, new or renewed, or raise `MappingError`.

        The address outside is asked for first, so that no mapping is made when there is none.
        """
        outside = await self.outside(WAITS_S)
        answer = await self._map(port, wanted_port, lifetime_s, WAITS_S)
        return PortMapping(
            (self._route.own, port),
            (outside, answer.external_port),
            answer.lifetime_s,
            self.protocol,
            self._route.router,
        )

    async def unmap(self, port: int, external_port: int) -> None:
        """Remove the mapping of a port, or raise `MappingError`."""
        await self._map(port, 0, 0, _GOODBYE_S)

    async def outside(self, waits_s: Sequence[float]) -> str:
        """Return the router's address outside, or raise `MappingError`."""
        where = self._route.router, pcp.SERVER_PORT
        request = nat_pmp.address_request()
        answer = await ask(where, self._route.own, request, nat_pmp.read_address_answer, waits_s)
        if answer.result:
            raise _refused(self._route, self.protocol, answer.result, nat_pmp.RESULTS)
        return answer.address

    async def _map(
        self, port: int, wanted_port: int, lifetime_s: int, waits_s: Sequence[float]
    ) -> nat_pmp.Mapped:
        where = self._route.router, pcp.SERVER_PORT
        request = nat_pmp.map_request(port, wanted_port, lifetime_s)
        read = partial(nat_pmp.read_map_answer, port=port)
        answer = await ask(where, self._route.own, request, read, waits_s)
        if answer.result:
            raise _refused(self._route, self.protocol, answer.result, nat_pmp.RESULTS)
        return answer


async def find_pcp(route: Route, waits_s: Sequence[float] = WAITS_S) -> PcpClient:
    """Return a client if the router speaks PCP; raise `MappingError` otherwise."""
    where = route.router, pcp.SERVER_PORT
    request = pcp.announce_request(route.own)
    answer = await ask(where, route.own, request, pcp.read_announce_answer, waits_s)
    if answer.result:
        raise _refused(route, MappingProtocol.PCP, answer.result, pcp.RESULTS)
    return PcpClient(route)


async def find_nat_pmp(route: Route, waits_s: Sequence[float] = WAITS_S) -> NatPmpClient:
    """Return a client if the router speaks NAT-PMP; raise `MappingError` otherwise."""
    client = NatPmpClient(route)
    if not await client.outside(waits_s):
        raise NoAnswerError(f"{route.router} states no address outside")
    return client


def _refused(
    route: Route, protocol: MappingProtocol, result: int, results: dict[int, str]
) -> RefusedError:
    reason = results.get(result, f"result {result}")
    return RefusedError(f"{route.router} refuses by {protocol}: {reason}")
