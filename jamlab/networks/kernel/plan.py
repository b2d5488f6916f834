"""Build plan of a kernel lab: its namespaces, the cables between them, and their configuration.

There are no subnets: an interface has a /32, the outer namespace has a route for each address
behind a cable, and the default route leads outwards, to a gateway with the same address on all its
cables. The backbone silently drops packets to unused addresses.

IPv6 goes the same ways, with /128 in place of /32. The two ends of a cable have the same link-local
addresses everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from jamlab.networks.model.addresses import is_ipv6
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import PERFECT

_OUTER_LINK_LOCAL, _INNER_LINK_LOCAL = "fe80::1", "fe80::2"


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

    `outer_end` and `inner_end` name the interfaces. `addresses` are those of the inner end, IPv4
    first, `reached` those that the outer namespace reaches over the cable. `member` names the host
    or network at the inner end; it is empty between two boxes of a network.
    """

    outer: int
    inner: int
    outer_end: str
    inner_end: str
    addresses: tuple[str, ...]
    reached: tuple[str, ...]
    member: str = ""
    link: LinkConfig = PERFECT

    @property
    def carries_ipv6(self) -> bool:
        """Whether it is on the way to an IPv6 address."""
        return any(map(is_ipv6, self.reached))


@dataclass(frozen=True, slots=True)
class Plan:
    """The namespaces and cables of a topology."""

    nodes: tuple[Node, ...]
    """The first is the backbone."""
    cables: tuple[Cable, ...]
    hosts: dict[str, tuple[int, tuple[str, ...]]]
    """Index of the namespace and IPv4 addresses, by host name."""
    ipv6: dict[str, tuple[str, ...]]
    """IPv6 addresses, by host name."""
    boxes: dict[str, tuple[int, ...]]
    """Indices of the boxes' namespaces, from the inside out, by name of the network."""

    def commands(self, place: int) -> Iterator[str]:
        """Yield the ``ip`` commands that configure a namespace after its cables are made."""
        yield "link set lo up"
        if place == 0:
            yield "route add blackhole default"
            if any(cable.carries_ipv6 for cable in self.cables):
                yield "route add blackhole ::/0"
        for cable in self.cables:
            if cable.outer == place:
                yield from self._outer_commands(cable)
            if cable.inner == place:
                yield from self._inner_commands(cable)

    def _outer_commands(self, cable: Cable) -> Iterator[str]:
        yield f"address add {self._gateway(cable)}/32 dev {cable.outer_end}"
        yield from _up(cable, cable.outer_end, _OUTER_LINK_LOCAL)
        for address in cable.reached:
            next_hop = _INNER_LINK_LOCAL if is_ipv6(address) else cable.addresses[0]
            via = "" if address in cable.addresses else f" via {next_hop} onlink"
            yield f"route add {_alone(address)}{via} dev {cable.outer_end}"

    def _inner_commands(self, cable: Cable) -> Iterator[str]:
        end = cable.inner_end
        for address in cable.addresses:
            nodad = " nodad" if is_ipv6(address) else ""
            yield f"address add {_alone(address)} dev {end}{nodad}"
        yield from _up(cable, end, _INNER_LINK_LOCAL)
        source = f" src {cable.addresses[0]}"
        yield f"route add default via {self._gateway(cable)} dev {end} onlink{source}"
        if cable.carries_ipv6:
            own = [f" src {address}" for address in cable.addresses if is_ipv6(address)][:1]
            yield f"route add default via {_OUTER_LINK_LOCAL} dev {end} onlink{''.join(own)}"

    def _gateway(self, cable: Cable) -> str:
        return f"169.254.{self.nodes[cable.outer].level}.1"


def _alone(address: str) -> str:
    """Return an address as a subnet of its own."""
    return f"{address}/{128 if is_ipv6(address) else 32}"


def _up(cable: Cable, end: str, link_local: str) -> Iterator[str]:
    """Yield commands that start an interface, with the link-local address that it needs, if any."""
    if cable.carries_ipv6:
        yield f"link set {end} addrgenmode none"
        yield f"address add {link_local}/64 dev {end} nodad"
    yield f"link set {end} up"
