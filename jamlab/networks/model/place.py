"""Network position of a participant, e.g. behind a home router, a carrier's NAT or an office."""

from dataclasses import dataclass
from typing import TypeAlias

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig

Box: TypeAlias = NatType | FirewallType


@dataclass(frozen=True, slots=True)
class Place:
    """The boxes between a participant and the backbone.

    `name` is short and stable, e.g. ``"EIM/APDF/preserve"``. `layers` has the networks around the
    participant from the inside out, each as the boxes at its border from the inside out; it is
    empty for a participant with a public address.
    """

    name: str
    layers: tuple[tuple[Box, ...], ...] = ()

    def member(self, host: str, access: LinkConfig) -> HostConfig | LanConfig:
        """Return a host in this place, for a topology; its networks' names begin with `host`.

        `access` is the link to the backbone; links inside take no time.
        """
        if not self.layers:
            return HostConfig(host, access)
        member: HostConfig | LanConfig = HostConfig(host)
        for depth, boxes in enumerate(self.layers, start=1):
            outermost = depth == len(self.layers)
            link = access if outermost else PERFECT
            member = LanConfig(f"{host}-network-{depth}", (member,), boxes, link)
        return member
