"""Build plan of a kernel lab: the namespaces of a topology, and the cables between them.

Every host and every box is a namespace; the backbone is one more. The boxes of a network form a
row, and its members are attached to the innermost::

    alice ──eth0 lan0── box ──wan lan0── box ──wan lan1── backbone ──lan0 eth0── stun

Every namespace except the hosts' forwards packets. There are no subnets: an interface has a /32,
the outer namespace has a route for each address behind a cable, and the default route leads
outwards, to a gateway with the same address on all its cables. The backbone silently drops packets
to unused addresses. Addresses equal those of the simulated `Internet`.
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
"""Name of a host's interface."""

_PORTS = range(16384, 65536)
"""Ephemeral ports of all hosts. Each host gets a part of its own, because a kernel NAT has
endpoint-independent mapping only while no two hosts use the same port."""

_LEAST_PORTS = 64


@dataclass(frozen=True, slots=True)
class Node:
    """A namespace: a host, a box or the backbone.

    `level` is the number of cables to the backbone, `settings` has values by path under
    ``/proc/sys/net``, and `rules` is the input of nft, which may be empty.
    """

    name: str
    level: int
    settings: dict[str, str] = field(default_factory=dict)
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Cable:
    """A connection between two namespaces, given by their indices in the plan.

    `outer_end` and `inner_end` name the interfaces. `addresses` are those of the inner end,
    `reached` those that the outer namespace reaches over the cable. `member` names the host or
    network at the inner end; it is empty between two boxes of a network.
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
    """The namespaces and cables of a topology."""

    nodes: tuple[Node, ...]
    """The first is the backbone."""
    cables: tuple[Cable, ...]
    hosts: dict[str, tuple[int, tuple[str, ...]]]
    """Index of the namespace and addresses, by host name."""
    boxes: dict[str, tuple[int, ...]]
    """Indices of the boxes' namespaces, from the inside out, by name of the network."""

    def commands(self, place: int) -> Iterator[str]:
        """Yield the ``ip`` commands that configure a namespace after its cables are made."""
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
    """Return the build plan of a topology.

    Raises `KernelRefusalError`, with host or network, if the kernel cannot behave like it.
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
                f"{len(self._hosts)} hosts leave only {each} ports each for the kernel's NATs: "
                f"give at most {len(_PORTS) // _LEAST_PORTS} hosts"
            )
        for first in islice(_PORTS[::each], len(self._hosts)):
            yield {"ipv4/ip_local_port_range": f"{first} {first + each - 1}"}

    def _attach(
        self, member: HostConfig | LanConfig, outer: int, addresses: Iterator[str]
    ) -> tuple[str, ...]:
        """Attach a member to a namespace; return the addresses that it adds there."""
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
                f"network {config.name!r} has {config.addresses} addresses, but a kernel NAT has "
                "one here: leave addresses out"
            )
        return tuple(islice(addresses, 1))

    def _attach_boxes(self, config: LanConfig, outer: int, public: str) -> list[int]:
        """Add the boxes' namespaces; return their indices from the inside out."""
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
"""Without ICMP redirects, which would lead hosts past the router."""
