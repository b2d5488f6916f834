"""A port mapping as a value, and what is wrong with one."""

import ipaddress
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

Address: TypeAlias = tuple[str, int]

LEAST_LIFETIME_S = 8.0
"""Shortest lifetime that is worth a mapping: renewals are at least 4 s apart (RFC 6887 §11.2.1)."""

MOST_RENEWAL_S = 300.0
"""Longest wait for a renewal, however long the lifetime: a router that has restarted knows no
mappings, and its outside address may have changed."""

_PRIVATE = tuple(
    ipaddress.IPv4Network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
"""RFC 1918 and, for carrier-grade NATs, RFC 6598."""


class MappingProtocol(StrEnum):
    """How a router is asked for a mapping."""

    PCP = "PCP"
    """Port Control Protocol, RFC 6887."""
    NAT_PMP = "NAT-PMP"
    """NAT Port Mapping Protocol, RFC 6886."""
    UPNP_IGD = "UPnP-IGD"
    """Internet Gateway Device, a device of UPnP."""


class MappingError(RuntimeError):
    """A router gives no mapping; the message has the reason."""


class RefusedError(MappingError):
    """The router has answered that it gives none, so none is left behind."""


class NoAnswerError(MappingError):
    """The router has not answered, or not in a way that can be understood."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way out of this machine: its router's address, and its own towards the router."""

    router: str
    own: str


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A UDP port outside, `external`, that a router forwards to `internal`, a port of ours.

    `lifetime_s` was granted by the router, infinite for one that lasts until it is removed.
    """

    internal: Address
    external: Address
    lifetime_s: float
    protocol: MappingProtocol
    router: str

    @property
    def renewal_s(self) -> float:
        """Time from the mapping to its renewal, half of its lifetime (RFC 6887 §11.2.1)."""
        return min(self.lifetime_s / 2, MOST_RENEWAL_S)

    @property
    def is_behind_another_nat(self) -> bool:
        """Whether the address outside is private: only peers behind the same NAT reach it."""
        outside = ipaddress.ip_address(self.external[0])
        return any(outside in network for network in _PRIVATE)

    @property
    def fault(self) -> str | None:
        """Why the mapping is of no use, as a sentence; None if it may be."""
        host, port = self.external
        try:
            outside = ipaddress.IPv4Address(host)
        except ValueError:
            return f"the router states {host[:40]!r} as its address outside"
        if outside.is_unspecified or outside.is_loopback or outside.is_link_local:
            return f"the router states {host} as its address outside: it is not connected"
        if outside.is_multicast or outside.is_reserved:
            return f"the router states {host} as its address outside, which nobody has"
        if not 0 < port < 65_536:
            return f"the router maps port {port}, which does not exist"
        if self.lifetime_s < LEAST_LIFETIME_S:
            return f"the router maps a port for {self.lifetime_s:g} s only"
        return None


class MappingClient(Protocol):
    """Asks one router for mappings by one protocol."""

    @property
    def protocol(self) -> MappingProtocol:
        """How the router is asked."""

    async def map(self, port: int, wanted_port: int, lifetime_s: int) -> PortMapping:
        """Ask for a mapping of a port, new or renewed, or raise `MappingError`."""

    async def unmap(self, port: int, external_port: int) -> None:
        """Remove the mapping of a port, or raise `MappingError`."""


class Mapper(Protocol):
    """Gives port mappings."""

    def mapped(self, internal: Address) -> AsyncGenerator[PortMapping, None]:
        """Yield the mapping of a port when there is one, and each that replaces it.

        It is kept and renewed until the iterator is closed: use `contextlib.aclosing`.
        """
