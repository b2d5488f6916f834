"""A topology as network namespaces and the cables between them: what `KernelLab` builds.

A host is a namespace, and so is every box; the backbone is one more. A network behind boxes is a
row of them, the innermost of which the members hang on::

    alice ──eth0 lan0── box ──wan lan0── box ──wan lan1── backbone ──lan0 eth0── stun

Every namespace but a host's forwards packets. There are no subnets: an interface has a /32, the
outer namespace has a route for each address that is reached by a cable, and everything else goes
out, to a gateway that has the same address on all its cables. What nobody has ends on the backbone,
without a word. Addresses are those the simulated `Internet` gives.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from jamlab.networks.kernel.nftables import (
    OUTSIDE,
    KernelRefusalError,
    check_box,
    conntrack_timeouts,
    ruleset,
)
from jamlab.networks.model.addresses import backbone_addresses, private_addresses
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.topology import PERFECT, HostConfig, LanConfig, Topology

HOST_END = "eth0"
"""The name of a host's interface."""

_PORTS = range(16384, 65536)
"""What hosts take free ports from, each its own: NATs keep them
(`jamlab.networks.kernel.nftables`)."""

_LEAST_PORTS = 64


@dataclass(frozen=True, slots=True)
class Node:
    """A namespace.

    Attributes
    ----------
    name : str
        The host's name; else one that says what it is.
    settings : dict of str to str
        What to write where, under ``/proc/sys/net``.
    rules : str
        Text for nft, or none.
    """

    name: str
    level: int
    settings: dict[str, str] = field(default_factory=dict)
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Cable:
    """What a namespace hangs on.

    Attributes
    ----------
    outer, inner : int
        The namespaces, as places in the plan.
    outer_end, inner_end : str
        Their interfaces.
    addresses : tuple of str
        Those of the inner end.
    reached : tuple of str
        Those the outer namespace reaches over it.
    member : str
        Name of the host or network that hangs on it; of the boxes inside of one, none.
    link : LinkConfig
        What it does to packets.
    """

    outer: int
    inner: int
    outer_end: str
    inner_end: str
    addresses: tuple[str, ...]
    reached: tuple[str, ...]
    member: str = ""
    link: LinkConfig = PERFECT


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to build."""

    nodes: tuple[Node, ...]
    """The first is the backbone."""
    cables: tuple[Cable, ...]
    hosts: dict[str, tuple[int, tuple[str, ...]]]
    """By name: which namespace, and its addresses."""
    boxes: dict[str, tuple[int, ...]]
    """The namespaces of each network's boxes, from the inside out, by its name."""

    def commands(self, place: int) -> Iterator[str]:
        """Yield what ``ip`` is to do in a namespace whose cables are there."""
        yield "link set lo up"
        if place == 0:
            yield "route add blackhole default"
        for cable in self.cables:
            if cable.outer == place:
                yield from self._outer_commands(cable)
            if cable.inner == place:
                yield from self._inner_commands(cable)

    def _outer_commands(self, cable: Cable) -> Iterator[str]:
        yield f"address add {self._gateway(cable)}/32 dev {cable.outer_end}"
        yield f"link set {cable.outer_end} up"
        for address in cable.reached:
            via = "" if address in cable.addresses else f" via {cable.addresses[0]} onlink"
            yield f"route add {address}/32{via} dev {cable.outer_end}"

    def _inner_commands(self, cable: Cable) -> Iterator[str]:
        for address in cable.addresses:
            yield f"address add {address}/32 dev {cable.inner_end}"
        yield f"link set {cable.inner_end} up"
        source = f" src {cable.addresses[0]}"
        yield f"route add default via {self._gateway(cable)} dev {cable.inner_end} onlink{source}"

    def _gateway(self, cable: Cable) -> str:
        return f"169.254.{self.nodes[cable.outer].level}.1"


def plan(topology: Topology) -> Plan:
    """Return what to build.

    Raises
    ------
    KernelRefusalError
        The kernel cannot be such an internet; says who cannot be what.
    """
    return _Planner(topology).plan()


class _Planner:
    def __init__(self, topology: Topology) -> None:
        self._nodes = [Node("backbone", 0, _FORWARDS)]
        self._cables: list[Cable] = []
        self._hosts: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._boxes: dict[str, tuple[int, ...]] = {}
        self._private = 0
        backbone = backbone_addresses()
        for member in topology.members:
            self._attach(member, 0, backbone)

    def plan(self) -> Plan:
        for place, settings in zip(
            (place for place, _ in self._hosts.values()), self._ports(), strict=True
        ):
            self._nodes[place].settings.update(settings)
        return Plan(tuple(self._nodes), tuple(self._cables), self._hosts, self._boxes)

    def _ports(self) -> Iterator[dict[str, str]]:
        each = len(_PORTS) // len(self._hosts)
        if each < _LEAST_PORTS:
            raise KernelRefusalError(
                f"{len(self._hosts)} hosts leave the kernel's NATs {each} ports for each: have at "
                f"most {len(_PORTS) // _LEAST_PORTS}"
            )
        for first in islice(_PORTS[::each], len(self._hosts)):
            yield {"ipv4/ip_local_port_range": f"{first} {first + each - 1}"}

    def _attach(
        self, member: HostConfig | LanConfig, outer: int, addresses: Iterator[str]
    ) -> tuple[str, ...]:
        """Attach a member to a namespace; returns the addresses that are reached there."""
        if isinstance(member, HostConfig):
            return self._attach_host(member, outer, addresses)
        return self._attach_lan(member, outer, addresses)

    def _attach_host(
        self, config: HostConfig, outer: int, addresses: Iterator[str]
    ) -> tuple[str, ...]:
        own = tuple(islice(addresses, config.addresses))
        place = self._add(config.name, outer, dict(_ALL))
        self._hosts[config.name] = place, own
        self._connect(outer, place, HOST_END, own, own, config)
        return own

    def _attach_lan(
        self, config: LanConfig, outside: int, addresses: Iterator[str]
    ) -> tuple[str, ...]:
        public = self._public(config, addresses)
        self._private += config.translates
        inside = private_addresses(config, self._private) if public else addresses
        places = self._attach_boxes(config, outside, public[0] if public else "")
        reached = tuple(
            address
            for member in config.members
            for address in self._attach(member, places[0], inside)
        )
        for box, place, outer in zip(config.boxes, places, [*places[1:], outside], strict=True):
            own: tuple[str, ...] = (f"169.254.{self._nodes[outer].level}.2",)
            if isinstance(box, NatType):
                own = reached = public
            hanging = config if outer == outside else None
            self._connect(outer, place, OUTSIDE, own, reached, hanging)
        return reached

    def _public(self, config: LanConfig, addresses: Iterator[str]) -> tuple[str, ...]:
        if not config.translates:
            return ()
        if config.addresses > 1:
            raise KernelRefusalError(
                f"network {config.name!r} has {config.addresses} addresses, and a NAT of the "
                "kernel has one here: leave them out"
            )
        return tuple(islice(addresses, 1))

    def _attach_boxes(self, config: LanConfig, outer: int, public: str) -> list[int]:
        """Add the boxes' namespaces; returns their places from the inside out."""
        places: list[int] = []
        for number, box in reversed(list(enumerate(config.boxes))):
            outer = self._add_box(f"{config.name}-box{number}", outer, box, config, public)
            places.insert(0, outer)
        self._boxes[config.name] = tuple(places)
        return places

    def _add_box(
        self, name: str, outer: int, box: NatType | FirewallType, config: LanConfig, public: str
    ) -> int:
        check_box(f"network {config.name!r}", box)
        timeouts = {f"netfilter/{key}": str(s) for key, s in conntrack_timeouts(box).items()}
        return self._add(name, outer, _FORWARDS | timeouts, ruleset(box, public))

    def _add(self, name: str, outer: int, settings: dict[str, str], rules: str = "") -> int:
        self._nodes.append(Node(name, self._nodes[outer].level + 1, settings, rules))
        return len(self._nodes) - 1

    def _connect(
        self,
        outer: int,
        inner: int,
        end: str,
        own: tuple[str, ...],
        reached: tuple[str, ...],
        hanging: HostConfig | LanConfig | None,
    ) -> None:
        number = sum(cable.outer == outer for cable in self._cables)
        cable = Cable(outer, inner, f"lan{number}", end, own, reached)
        if hanging is not None:
            cable = replace(cable, member=hanging.name, link=hanging.link)
        self._cables.append(cable)


_ALL = {
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
}
_FORWARDS = _ALL | {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}
"""Redirects would tell hosts to go around the router, where there is no way."""
