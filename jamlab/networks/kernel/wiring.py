"""Wiring of a kernel lab: from a topology to the plan of its namespaces and cables, without I/O.

Every host and every box is a namespace; the backbone is one more. The boxes of a network form a
row, and its members are attached to the innermost::

    alice ──eth0 lan0── box ──wan lan0── box ──wan lan1── backbone ──lan0 eth0── stun

Every namespace except the hosts' forwards packets. Only namespaces on the way to an IPv6 address
have IPv6; the innermost box has the network's IPv6 firewall. Addresses equal those of the simulated
`Internet`.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from jamlab.networks.kernel.nftables import (
    OUTSIDE,
    KernelRefusalError,
    check_box,
    check_ipv6,
    conntrack_timeouts,
    ipv6_ruleset,
    ruleset,
)
from jamlab.networks.kernel.plan import Cable, Node, Plan
from jamlab.networks.model.addresses import (
    backbone_addresses,
    ipv6_addresses,
    is_ipv6,
    private_addresses,
)
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology

HOST_END = "eth0"
"""Name of a host's interface."""

_PORTS = range(16384, 65536)
"""Ephemeral ports of all hosts. Each host gets a part of its own, because a kernel NAT has
endpoint-independent mapping only while no two hosts use the same port."""

_LEAST_PORTS = 64


def plan(topology: Topology) -> Plan:
    """Return the build plan of a topology.

    Raises `KernelRefusalError`, with host or network, if the kernel cannot behave like it.
    """
    return _Planner(topology).plan()


class _Planner:
    def __init__(self, topology: Topology) -> None:
        self._nodes = [Node("backbone", 0, dict(_FORWARDS))]
        self._cables: list[Cable] = []
        self._hosts: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._boxes: dict[str, tuple[int, ...]] = {}
        self._ipv6: dict[str, tuple[str, ...]] = {}
        self._ipv6_addresses = ipv6_addresses()
        self._private = 0
        backbone = backbone_addresses()
        for member in topology.members:
            self._attach(member, 0, backbone)

    def plan(self) -> Plan:
        for place, settings in zip(
            (place for place, _ in self._hosts.values()), self._ports(), strict=True
        ):
            self._nodes[place].settings.update(settings)
        for cable in self._cables:
            if cable.carries_ipv6:
                self._nodes[cable.outer].settings.update(_IPV6_FORWARDS)
                if cable.inner_end == OUTSIDE:
                    self._nodes[cable.inner].settings.update(_IPV6_FORWARDS)
                else:
                    self._nodes[cable.inner].settings.update(_IPV6)
        return Plan(tuple(self._nodes), tuple(self._cables), self._hosts, self._ipv6, self._boxes)

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
        """Attach a member to a namespace; return the addresses, of any kind, that it adds there.

        `addresses` yields the IPv4 addresses of that network.
        """
        if isinstance(member, HostConfig):
            return self._attach_host(member, outer, addresses)
        return self._attach_lan(member, outer, addresses)

    def _attach_host(
        self, config: HostConfig, outer: int, addresses: Iterator[str]
    ) -> tuple[str, ...]:
        own = tuple(islice(addresses, config.addresses))
        place = self._add(config.name, outer, dict(_ALL))
        self._hosts[config.name] = place, own
        ipv6 = self._ipv6[config.name] = tuple(islice(self._ipv6_addresses, int(config.ipv6)))
        self._connect(outer, place, HOST_END, (*own, *ipv6), (*own, *ipv6), config)
        return (*own, *ipv6)

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
        for box, place, outer in zip(_boxes(config), places, [*places[1:], outside], strict=True):
            own: tuple[str, ...] = (f"169.254.{self._nodes[outer].level}.2",)
            if isinstance(box, NatType):
                own, reached = public, (*public, *filter(is_ipv6, reached))
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
        for number, box in reversed(list(enumerate(_boxes(config)))):
            innermost = config.ipv6 if number == 0 else None
            name = f"{config.name}-box{number}"
            check_ipv6(f"network {config.name!r}", innermost, box)
            outer = self._add_box(name, outer, box, config, innermost, public)
            places.insert(0, outer)
        self._boxes[config.name] = tuple(places)
        return places

    def _add_box(
        self,
        name: str,
        outer: int,
        box: NatType | FirewallType | None,
        config: LanConfig,
        ipv6: Ipv6Firewall | None,
        public: str,
    ) -> int:
        rules = ipv6_ruleset(ipv6)
        if box is not None:
            check_box(f"network {config.name!r}", box)
            rules = ruleset(box, public) + rules
        tracking = box or (ipv6 and ipv6.box)
        found = conntrack_timeouts(tracking) if tracking else {}
        timeouts = {f"netfilter/{key}": str(s) for key, s in found.items()}
        return self._add(name, outer, _FORWARDS | timeouts, rules)

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


def _boxes(config: LanConfig) -> tuple[NatType | FirewallType | None, ...]:
    """Return the boxes that need a namespace: one, even if it is for IPv6 alone."""
    return config.boxes or (None,)


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
_IPV6 = {
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    "ipv6/conf/all/accept_ra": "0",
    "ipv6/conf/default/accept_ra": "0",
}
_IPV6_FORWARDS = _IPV6 | {"ipv6/conf/all/forwarding": "1"}
