"""Topology of an internet as a value: hosts, networks, NATs, firewalls and links.

::

                       the backbone (public addresses)
       ┌─────────────┬──────────┴───────┬───────────────────┐  ◀ every line is a link
     host           lan                lan                 lan
     "stun"    boxes: NAT         boxes: NAT (carrier)  boxes: firewall
                ┌────┴────┐             │                   │
              host      host           lan                 host
             "alice"   "bob"       boxes: NAT             "eve"
                                        │
                                      host "carol"

Boxes are listed from the inside out, and see IPv4 only. Addresses behind a NAT are private; a
network without a NAT has addresses of the network outside of it.

A host has an IPv6 address if it wants one and every network around it has IPv6. That address is
public everywhere, and each of these networks filters with a firewall of its own, or not at all.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType, NatType

DOMAIN = "jamlab.test"
"""Domain of the hosts (.test: RFC 6761 §6.2); a host's name resolves with and without it."""

PERFECT = LinkConfig()
"""A link that takes no time."""

PRIVATE_ADDRESSES = 254
"""Number of addresses in a network behind a NAT: those of a /24."""


class TopologyError(ValueError):
    """A topology cannot be built."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """A host, its link to the network, and the number of its IPv4 addresses.

    Raises `TopologyError` if a field has an invalid value.
    """

    name: str
    link: LinkConfig = PERFECT
    addresses: int = 1
    ipv6: bool = False
    """Whether it has an IPv6 address, too."""

    def __post_init__(self) -> None:
        _check_end("host", self)


@dataclass(frozen=True, slots=True)
class LanConfig:
    """A network behind boxes: its members, its uplink, and the number of its outside addresses.

    A network whose only box is an IPv6 firewall has no `boxes`. Raises `TopologyError` if a field
    has an invalid value.
    """

    name: str
    members: "tuple[HostConfig | LanConfig, ...]"
    boxes: tuple[NatType | FirewallType, ...]
    link: LinkConfig = PERFECT
    addresses: int = 1
    ipv6: Ipv6Firewall | None = None
    """The firewall towards IPv6 outside; None for a network without IPv6."""

    def __post_init__(self) -> None:
        _check_end("network", self)
        _check_members(f"network {self.name!r}", self.members)
        _check_boxes(f"network {self.name!r}", self)
        _check_ipv6(f"network {self.name!r}", self)

    @property
    def translates(self) -> bool:
        """Whether a NAT hides its members' addresses from the outside."""
        return any(isinstance(box, NatType) for box in self.boxes)


@dataclass(frozen=True, slots=True)
class Topology:
    """The hosts and networks on the backbone.

    Raises `TopologyError` if there are no members, or two members have the same name.
    """

    members: tuple[HostConfig | LanConfig, ...]

    def __post_init__(self) -> None:
        _check_members("the internet", self.members)
        names = Counter(member.name for member in _everything(self.members))
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise TopologyError(
                f"hosts or networks have the same name ({', '.join(twice)}): give each its own"
            )


def networks_around(topology: Topology, host: str) -> tuple[LanConfig, ...]:
    """Return the networks around a host, from the inside out; raises KeyError if unknown."""
    found = _networks_around(topology.members, host)
    if found is None:
        raise KeyError(f"there is no host {host!r}")
    return found


def _networks_around(
    members: tuple[HostConfig | LanConfig, ...], host: str
) -> tuple[LanConfig, ...] | None:
    for member in members:
        if isinstance(member, LanConfig):
            inner = _networks_around(member.members, host)
            if inner is not None:
                return (*inner, member)
        elif member.name == host:
            return ()
    return None


def _everything(members: tuple[HostConfig | LanConfig, ...]) -> Iterator[HostConfig | LanConfig]:
    for member in members:
        yield member
        if isinstance(member, LanConfig):
            yield from _everything(member.members)


def _addresses_outside(member: HostConfig | LanConfig) -> int:
    """Return how many addresses a member needs on the network outside of it."""
    if isinstance(member, HostConfig) or member.translates:
        return member.addresses
    return sum(_addresses_outside(inner) for inner in member.members)


def _check_end(what: str, config: HostConfig | LanConfig) -> None:
    """Check the fields that hosts and networks have in common."""
    name, addresses = config.name, config.addresses
    if not isinstance(name, str) or not name or "." in name or name != name.strip():
        raise TopologyError(f"{name!r} is not a name for a {what}: use a word without dots")
    if not isinstance(config.link, LinkConfig):
        raise TopologyError(f"the link of {what} {name!r} is {config.link!r}: give a LinkConfig")
    if isinstance(addresses, bool) or not isinstance(addresses, int) or not 1 <= addresses <= 16:
        raise TopologyError(f"{what} {name!r} has {addresses!r} addresses: give it 1 to 16")
    if isinstance(config, HostConfig) and not isinstance(config.ipv6, bool):
        raise TopologyError(f"ipv6 of host {name!r} is {config.ipv6!r}: give True or False")


def _check_boxes(where: str, lan: LanConfig) -> None:
    _check_types(f"boxes of {where}", lan.boxes, (NatType, FirewallType))
    nats = sum(isinstance(box, NatType) for box in lan.boxes)
    needed = sum(_addresses_outside(member) for member in lan.members)
    if not lan.boxes and lan.ipv6 in (None, Ipv6Firewall.NONE):
        raise TopologyError(
            f"{where} has no boxes: give it a NAT or a firewall, or leave the network out"
        )
    if nats > 1:
        raise TopologyError(
            f"{where} has {nats} NATs but one set of outside addresses: nest networks with one "
            "NAT each"
        )
    if nats == 0 and lan.addresses > 1:
        raise TopologyError(
            f"{where} has {lan.addresses} addresses but no NAT to use them: leave addresses out"
        )
    if nats == 1 and needed > PRIVATE_ADDRESSES:
        raise TopologyError(
            f"{where} needs {needed} addresses, but there are only {PRIVATE_ADDRESSES} behind a "
            "NAT: give it fewer members"
        )


def _check_ipv6(where: str, lan: LanConfig) -> None:
    if lan.ipv6 is None:
        for member in lan.members:
            if member.ipv6 not in (None, False):
                raise TopologyError(
                    f"{where} has no IPv6, but its member {member.name!r} has: give the network "
                    "an Ipv6Firewall, or the member none"
                )
    elif not isinstance(lan.ipv6, Ipv6Firewall):
        classes = ", ".join(f"Ipv6Firewall.{each.name}" for each in Ipv6Firewall)
        raise TopologyError(f"ipv6 of {where} is {lan.ipv6!r}: give one of {classes}, or None")


def _check_members(where: str, members: object) -> None:
    _check_types(f"members of {where}", members, (HostConfig, LanConfig))
    if not members:
        raise TopologyError(f"{where} has no members: give it a host")


def _check_types(what: str, values: object, types: tuple[type, type]) -> None:
    """Check that a value is a tuple of members of two types."""
    names = " or ".join(one.__name__ for one in types)
    if not isinstance(values, tuple):
        raise TopologyError(f"the {what} are {values!r}: give a tuple of {names}")
    for value in values:
        if not isinstance(value, types):
            raise TopologyError(f"among the {what} is {value!r}: give a {names}")


def host_name(participant: str) -> str:
    """Return the host name of a participant."""
    return participant.replace(" ", "-")
