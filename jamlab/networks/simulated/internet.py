"""The simulated internet of a topology: its hosts, links and boxes, made and connected.

`jamlab.networks.simulated.routing` carries the packets between them.
"""

import asyncio
from collections import Counter
from itertools import islice

from jamlab.networks.model.addresses import backbone_addresses, ipv6_addresses, private_addresses
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.topology import DOMAIN, HostConfig, LanConfig, Topology
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.host import EPHEMERAL_PORTS, Host
from jamlab.networks.simulated.line import Line
from jamlab.networks.simulated.loop import SimulatedLoop
from jamlab.networks.simulated.nat import Nat
from jamlab.networks.simulated.routing import Middlebox, Plug, Router, Segment


class Internet:
    """A simulated internet of a topology; raises RuntimeError unless a `SimulatedLoop` runs."""

    def __init__(self, topology: Topology) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimulatedLoop):
            raise RuntimeError("a simulated internet needs a SimulatedLoop: use run_simulated")
        self.lost: Counter[str] = Counter()
        """Packets that did not arrive, by cause."""
        self.lines: dict[str, Line] = {}
        """Links of hosts and networks, by the name of each."""
        self.boxes: dict[str, list[Middlebox]] = {}
        """Boxes that IPv4 has to pass, of each network by its name."""
        self._loop = loop
        self._hosts: dict[str, Host] = {}
        self._plugs: dict[str, Plug] = {}
        self._names: dict[str, str] = {}
        self._private = 0
        self._ipv6_addresses = ipv6_addresses()
        backbone = Segment(backbone_addresses(), self._ipv6_addresses, self.lost)
        for member in topology.members:
            self._attach(member, backbone)

    def host(self, name: str) -> Host:
        """Return a host; raise KeyError when there is no such host."""
        try:
            return self._hosts[name]
        except KeyError:
            raise KeyError(f"there is no host {name!r}: give one of {[*self._hosts]}") from None

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, in the topology's order."""
        return tuple(self._hosts.values())

    def readdress(self, name: str) -> None:
        """Give a host another address, as after a change of networks; sockets keep the old one."""
        self._plugs[name].readdress()
        self._names[name] = self._names[f"{name}.{DOMAIN}"] = self.host(name).addresses[0]

    def _attach(self, member: HostConfig | LanConfig, segment: Segment) -> None:
        line = self.lines[member.name] = Line(self._loop, member.link, self.lost)
        if isinstance(member, HostConfig):
            self._attach_host(member, segment, line)
        else:
            self._attach_lan(member, segment, line)

    def _attach_host(self, config: HostConfig, segment: Segment, line: Line) -> None:
        addresses = tuple(islice(segment.addresses, config.addresses))
        ipv6 = tuple(islice(segment.ipv6_addresses, int(config.ipv6)))
        plug = self._plugs[config.name] = Plug(self._loop, line, segment)
        first_port = EPHEMERAL_PORTS[int(self._loop.random.random() * len(EPHEMERAL_PORTS))]
        host = Host(config.name, addresses, plug.send, self._names, first_port, ipv6)
        host.router = plug
        self._hosts[config.name] = host
        self._names[config.name] = self._names[f"{config.name}.{DOMAIN}"] = addresses[0]
        plug.connect(host)

    def _attach_lan(self, config: LanConfig, outside: Segment, line: Line) -> None:
        public = tuple(islice(outside.addresses, config.addresses)) if config.translates else ()
        self._private += config.translates
        private = private_addresses(config, self._private)
        addresses = private if config.translates else outside.addresses
        inside = Segment(addresses, self._ipv6_addresses, self.lost)
        boxes = self.boxes[config.name] = [self._box(box, public) for box in config.boxes]
        firewall = config.ipv6.box if config.ipv6 else None
        ipv6_boxes = [Firewall(firewall)] if firewall else []
        inside.gateway = router = Router(
            self._loop, line, outside, inside, boxes, ipv6_boxes, self.lost
        )
        outside.join(public, router)
        for member in config.members:
            self._attach(member, inside)

    def _box(self, config: NatType | FirewallType, public: tuple[str, ...]) -> Middlebox:
        if isinstance(config, NatType):
            return Nat(config, public, self._loop.random)
        return Firewall(config)
