"""Port mappings on the simulated internet: the session's own `PortMapper` at a host's router.

The question takes no time. Everything else, the renewals and the removal at the end too, is as
behind a real router.
"""

from jamlab.networks.port_mapping.mapper import PortMapper
from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
    Route,
)
from jamlab.networks.simulated.host import Host, current_host

_ROUTER = "router.jamlab.test"


def simulated_mapper() -> PortMapper:
    """Return a mapper for sessions on hosts of the simulated internet.

    Each port is mapped by the router of the host whose code asks.
    """
    return PortMapper(_route, [_find])


class _Client:
    """Asks the router of a host."""

    protocol = MappingProtocol.PCP

    def __init__(self, host: Host) -> None:
        self._host = host

    async def map(self, port: int, wanted_port: int, lifetime_s: int) -> PortMapping:
        """Map a port, or renew its mapping; raises `RefusedError` when the router maps none."""
        external = self._host.map_port(port, lifetime_s)
        if external is None:
            raise RefusedError("the router maps no ports")
        internal = self._host.addresses[0], port
        return PortMapping(internal, external, lifetime_s, self.protocol, _ROUTER)

    async def unmap(self, port: int, external_port: int) -> None:
        """Remove the mapping of a port."""
        self._host.unmap_port(port)


async def _route() -> Route | None:
    host = current_host()
    return None if host.router is None else Route(_ROUTER, host.addresses[0])


async def _find(route: Route) -> _Client:
    host = current_host()
    if host.router is None:
        raise NoAnswerError("there is no router")
    return _Client(host)
