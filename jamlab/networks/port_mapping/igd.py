"""A client of routers that are Internet Gateway Devices of UPnP, through async-upnp-client.

Whatever a router answers, the library's errors and those of its parsers become a `MappingError`,
and its warnings, which quote the router, are not printed.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from async_upnp_client.client import UpnpDevice, UpnpService
from async_upnp_client.client_factory import UpnpFactory
from async_upnp_client.exceptions import UpnpActionError

from jamlab.networks.port_mapping.mapping import (
    MappingProtocol,
    NoAnswerError,
    PortMapping,
    RefusedError,
    Route,
)
from jamlab.networks.port_mapping.requester import RouterRequester
from jamlab.networks.port_mapping.ssdp import WAITS_S, find_description

logging.getLogger("async_upnp_client").addHandler(logging.NullHandler())

DESCRIPTION_S = 10.0
"""Time limit of all that a router says of itself, which some say slowly."""

OTHER_PORTS = 3
"""How many other ports are asked for when a port is taken."""

_PORTS = range(49_152, 65_536)
_CONNECTIONS = (
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
_TAKEN = (718, 729)  # ConflictInMappingEntry; ConflictWithOtherMechanisms
_ONLY_PERMANENT = 725  # OnlyPermanentLeasesSupported
_ANYBODY = ""  # the wildcard of NewRemoteHost
_UDP = "UDP"


class IgdClient:
    """Asks a router by UPnP-IGD: the service WANIPConnection or WANPPPConnection."""

    protocol = MappingProtocol.UPNP_IGD

    def __init__(self, route: Route, service: UpnpService) -> None:
        self._route = route
        self._service = service
        self._leases = True
        self._held: dict[int, int] = {}  # ports outside, by ours

    async def map(self, port: int, wanted_port: int, lifetime_s: int) -> PortMapping:
        """Ask for a mapping of a port, new or renewed, or raise `MappingError`.

        When the port outside is taken by another, some other ports are tried.
        """
        answer = await self._call("GetExternalIPAddress")
        outside = str(answer.get("NewExternalIPAddress") or "")
        others = random.sample(_PORTS, OTHER_PORTS)
        for external_port in (wanted_port, *others):
            granted_s = await self._add_anew(port, external_port, lifetime_s)
            if granted_s is not None:
                return PortMapping(
                    (self._route.own, port),
                    (outside, external_port),
                    granted_s,
                    self.protocol,
                    self._route.router,
                )
        raise RefusedError(f"{self._route.router} has no port free: {wanted_port} and others")

    async def unmap(self, port: int, external_port: int) -> None:
        """Remove the mapping of a port, or raise `MappingError`."""
        self._held.pop(port, None)
        await self._delete(external_port)

    async def _add_anew(self, port: int, external_port: int, lifetime_s: int) -> float | None:
        """Map a port as `_add` does, in the place of its mapping so far.

        Some routers take a renewal for a conflict.
        """
        before = self._held.get(port)
        granted_s = await self._add(port, external_port, lifetime_s)
        if granted_s is None and external_port == before:
            await self._delete(external_port)
            granted_s = await self._add(port, external_port, lifetime_s)
        elif granted_s is not None and before not in (None, external_port):
            await self._delete(before)
        if granted_s is not None:
            self._held[port] = external_port
        return granted_s

    async def _delete(self, external_port: int | None) -> None:
        with contextlib.suppress(_CodeError):  # it is gone
            await self._call(
                "DeletePortMapping",
                NewRemoteHost=_ANYBODY,
                NewExternalPort=external_port,
                NewProtocol=_UDP,
            )

    async def _add(self, port: int, external_port: int, lifetime_s: int) -> float | None:
        """Map a port to a port outside; return the lifetime, or None if the latter is taken."""
        while True:
            lease_s = lifetime_s if self._leases else 0
            try:
                await self._call(
                    "AddPortMapping",
                    NewRemoteHost=_ANYBODY,
                    NewExternalPort=external_port,
                    NewProtocol=_UDP,
                    NewInternalPort=port,
                    NewInternalClient=self._route.own,
                    NewEnabled=True,
                    NewPortMappingDescription="jamlab",
                    NewLeaseDuration=lease_s,
                )
            except _CodeError as error:
                if error.code in _TAKEN:
                    return None
                if error.code != _ONLY_PERMANENT or not self._leases:
                    raise
                self._leases = False
            else:
                return lease_s or math.inf

    async def _call(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Call an action of the service; raises `_CodeError` or `NoAnswerError`."""
        with _told(self._route.router):
            return dict(await self._service.action(action).async_call(**arguments))


class _CodeError(RefusedError):
    """A router's refusal with a code of UPnP."""

    def __init__(self, router: str, code: int) -> None:
        super().__init__(f"{router} refuses by UPnP-IGD with error {code}")
        self.code = code


@contextlib.contextmanager
def _told(router: str) -> Iterator[None]:
    """Turn any error over a router's answers into ours: it can answer whatever it likes."""
    try:
        yield
    except UpnpActionError as error:
        raise _CodeError(router, error.error_code or 0) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise NoAnswerError(f"{router} cannot be understood by UPnP: {reason!r}") from error


async def find_igd(route: Route, waits_s: Sequence[float] = WAITS_S) -> IgdClient:
    """Return a client if the router is an Internet Gateway Device; else raise `MappingError`."""
    url = await find_description(route, waits_s)
    factory = UpnpFactory(RouterRequester(route, url), non_strict=True)
    with _told(route.router):
        async with asyncio.timeout(DESCRIPTION_S):
            device = await factory.async_create_device(url)
        service = _connection(device)
    if service is None:
        raise NoAnswerError(f"{route.router} is a UPnP device that maps no ports")
    return IgdClient(route, service)


def _connection(device: UpnpDevice) -> UpnpService | None:
    """Return the service of a device that maps ports."""
    found = device.all_services
    for kind in _CONNECTIONS:
        for service in found:
            if service.service_type == kind:
                return service
    return None
