"""Network position of a participant, e.g. behind a home router, a carrier's NAT or an office."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig

Box: TypeAlias = NatType | FirewallType

_OPEN_IPV6 = None, Ipv6Firewall.NONE


@dataclass(frozen=True, slots=True)
class Place:
    """The boxes between a participant and the backbone.

    `name` is short and stable, e.g. ``"EIM/APDF/preserve"``. `layers` has the networks around the
    participant from the inside out, each as the boxes at its border from the inside out; it is
    empty for a participant with a public IPv4 address. `ipv6` is the firewall that IPv6 has to
    pass, at the border of the innermost network; None without IPv6.
    """

    name: str
    layers: tuple[tuple[Box, ...], ...] = ()
    ipv6: Ipv6Firewall | None = None

    @property
    def maps_ports(self) -> bool:
        """Whether the participant's own router, the innermost, maps ports when it is asked."""
        return bool(self.layers) and any(map(_maps, self.layers[0]))

    def variant(self, ipv6: Ipv6Firewall | None = None, *, port_mapping: bool = False) -> "Place":
        """Return the same place with IPv6, a router that maps ports, or both; its name says so.

        Raises ValueError if there is no router to map ports, or the place has one or the other
        already.
        """
        if self.ipv6 is not None or self.maps_ports:
            raise ValueError(f"{self.name!r} is a variant already: make it of the plain place")
        name, layers = self.name, self.layers
        if ipv6 is not None:
            name = f"{name}, IPv6 {ipv6}"
        if port_mapping:
            if not any(isinstance(box, NatType) for layer in layers[:1] for box in layer):
                raise ValueError(f"{self.name!r} has no router of its own to map ports")
            own = tuple(map(_mapping, layers[0]))
            name, layers = f"{name}, port mapping", (own, *layers[1:])
        return Place(name, layers, ipv6)

    def member(self, host: str, access: LinkConfig) -> HostConfig | LanConfig:
        """Return a host in this place, for a topology; its networks' names begin with `host`.

        `access` is the link to the backbone; links inside take no time.
        """
        dual = self.ipv6 is not None
        layers = self.layers or (() if self.ipv6 in _OPEN_IPV6 else ((),))
        if not layers:
            return HostConfig(host, access, ipv6=dual)
        member: HostConfig | LanConfig = HostConfig(host, ipv6=dual)
        ipv6 = self.ipv6
        for depth, boxes in enumerate(layers, start=1):
            link = access if depth == len(layers) else PERFECT
            member = LanConfig(f"{host}-network-{depth}", (member,), boxes, link, ipv6=ipv6)
            ipv6 = Ipv6Firewall.NONE if dual else None
        return member


def _maps(box: Box) -> bool:
    return isinstance(box, NatType) and box.port_mapping


def _mapping(box: Box) -> Box:
    return replace(box, port_mapping=True) if isinstance(box, NatType) else box
