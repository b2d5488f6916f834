"""A simulated internet as a value: who is there, behind what, over which links.

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

Boxes are passed from the inside out. Behind a NAT addresses are private; a network whose boxes do
not translate has public ones, or its carrier's.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType, NatType

DOMAIN = "jamlab.test"
"""Every host's name resolves, alone and under this domain (reserved by RFC 6761 §6.2)."""

PERFECT = LinkConfig()
"""A link that takes no time."""

PRIVATE_ADDRESSES = 254
"""How many addresses a network behind a NAT has to give away: those of a /24."""


class TopologyError(ValueError):
    """A topology nobody could build."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """A machine, the link it hangs on, and how many addresses it has.

    Raises
    ------
    TopologyError
        When there can be no such host.
    """

    name: str
    link: LinkConfig = PERFECT
    addresses: int = 1

    def __post_init__(self) -> None:
        _check_end("host", self)


@dataclass(frozen=True, slots=True)
class LanConfig:
    """A network behind boxes: its members, its uplink, and how many outside addresses it has.

    Raises
    ------
    TopologyError
        When there can be no such network.
    """

    name: str
    members: "tuple[HostConfig | LanConfig, ...]"
    boxes: tuple[NatType | FirewallType, ...]
    link: LinkConfig = PERFECT
    addresses: int = 1

    def __post_init__(self) -> None:
        _check_end("network", self)
        _check_members(f"network {self.name!r}", self.members)
        _check_boxes(f"network {self.name!r}", self)

    @property
    def translates(self) -> bool:
        """Whether its members' addresses are hidden from the outside."""
        return any(isinstance(box, NatType) for box in self.boxes)


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that hangs on the backbone.

    Raises
    ------
    TopologyError
        When there is nobody, or two have the same name.
    """

    members: tuple[HostConfig | LanConfig, ...]

    def __post_init__(self) -> None:
        _check_members("the internet", self.members)
        names = Counter(member.name for member in _everything(self.members))
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise TopologyError(f"{', '.join(twice)} is there twice: give each its own name")


def networks_around(topology: Topology, host: str) -> tuple[LanConfig, ...]:
    """Return the networks a host is in, from the inside out.

    Raises
    ------
    KeyError
        When nobody is called that.
    """
    found = _networks_around(topology.members, host)
    if found is None:
        raise KeyError(f"no host is called {host!r}")
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
    """Return how many addresses a member needs on the network it hangs on."""
    if isinstance(member, HostConfig) or member.translates:
        return member.addresses
    return sum(_addresses_outside(inner) for inner in member.members)


def _check_end(what: str, config: HostConfig | LanConfig) -> None:
    """Check what hosts and networks have in common."""
    name, addresses = config.name, config.addresses
    if not isinstance(name, str) or not name or "." in name or name != name.strip():
        raise TopologyError(f"{name!r} is no name for a {what}: use a word without dots")
    if not isinstance(config.link, LinkConfig):
        raise TopologyError(f"the link of {what} {name!r} is {config.link!r}: give a LinkConfig")
    if isinstance(addresses, bool) or not isinstance(addresses, int) or not 1 <= addresses <= 16:
        raise TopologyError(f"{what} {name!r} has {addresses!r} addresses: give it 1 to 16")


def _check_boxes(where: str, lan: LanConfig) -> None:
    _check_types(f"boxes of {where}", lan.boxes, (NatType, FirewallType))
    nats = sum(isinstance(box, NatType) for box in lan.boxes)
    needed = sum(_addresses_outside(member) for member in lan.members)
    if not lan.boxes:
        raise TopologyError(
            f"{where} has no boxes: put its members beside it, or give it a NAT or a firewall"
        )
    if nats > 1:
        raise TopologyError(
            f"{where} has {nats} NATs with one set of addresses between them: nest a network of "
            "its own for each"
        )
    if nats == 0 and lan.addresses > 1:
        raise TopologyError(
            f"{where} has {lan.addresses} addresses and no NAT to use them: leave them out"
        )
    if nats == 1 and needed > PRIVATE_ADDRESSES:
        raise TopologyError(
            f"{where} needs {needed} addresses inside, and behind a NAT there are "
            f"{PRIVATE_ADDRESSES}: give it fewer members"
        )


def _check_members(where: str, members: object) -> None:
    _check_types(f"members of {where}", members, (HostConfig, LanConfig))
    if not members:
        raise TopologyError(f"{where} has no members: give it a host")


def _check_types(what: str, values: object, types: tuple[type, type]) -> None:
    """Check that something is a tuple of one of two types."""
    names = " or ".join(one.__name__ for one in types)
    if not isinstance(values, tuple):
        raise TopologyError(f"the {what} are {values!r}: give a tuple of {names}")
    for value in values:
        if not isinstance(value, types):
            raise TopologyError(f"among the {what} is {value!r}: give a {names}")


def host_name(participant: str) -> str:
    """Return what a participant's host is called."""
    return participant.replace(" ", "-")
