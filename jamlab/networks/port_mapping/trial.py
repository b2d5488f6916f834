"""A trial of the router: whether it maps a port of this machine."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from jamlab.networks.port_mapping.default_route import default_route
from jamlab.networks.port_mapping.mapper import QUICK_FINDERS, Finder, PortMapper
from jamlab.networks.port_mapping.mapping import PortMapping, Route


@dataclass(frozen=True, slots=True)
class Trial:
    """The router of the default route, and the mapping that it gave for a moment."""

    router: str | None
    mapping: PortMapping | None

    def __str__(self) -> str:
        if self.router is None:
            return "this machine has no router over IPv4"
        if self.mapping is None:
            return f"the router {self.router} maps no port for us"
        by = f"{self.mapping.protocol} by the router {self.router}"
        if self.mapping.is_behind_another_nat:
            by += ", which is itself behind a NAT: it helps only towards others behind the same"
        return by


async def try_router(
    find_route: Callable[[], Awaitable[Route | None]] = default_route,
    finders: Sequence[Finder] = QUICK_FINDERS,
) -> Trial:
    """Have a port mapped, and the mapping removed; takes two seconds if nobody answers."""
    route = await find_route()
    if route is None:
        return Trial(None, None)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(route.own, 0)
    )
    try:
        internal = transport.get_extra_info("sockname")
        async with (
            PortMapper(find_route, finders) as mapper,
            aclosing(mapper.mapped(internal)) as mappings,
        ):
            return Trial(route.router, await anext(mappings, None))
    finally:
        transport.close()
