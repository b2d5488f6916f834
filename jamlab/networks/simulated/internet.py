"""The simulated internet: routing of packets between hosts, through links, NATs and firewalls.

A packet goes up from its host to the first network that has its destination, and down from there.
Links only compute arrival times. A component with state (a NAT, a firewall, a link with a queue)
takes the packet at its arrival time, by a timer, and a host always by the loop, so that a receiver
is never called inside the sender's `sendto`. Links with a constant delay need no timer.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from jamlab.networks.model.addresses import backbone_addresses, private_addresses
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.packet import Packet
from jamlab.networks.model.topology import DOMAIN, HostConfig, LanConfig, Topology
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.host import EPHEMERAL_PORTS, Host
from jamlab.networks.simulated.line import Line
from jamlab.networks.simulated.loop import SimulatedLoop
from jamlab.networks.simulated.nat import Nat


class Middlebox(Protocol):
    """A NAT or firewall between an inside and an outside network.

    ``now_s`` is in seconds of any origin, and must not decrease.
    """

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet that leaves to the outside, or None when it is dropped."""

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet that enters the inside, or None when it is dropped."""


class _Member(Protocol):
    """A host or a network that a link connects to a segment."""

    def arrive(self, packet: Packet, at_s: float) -> None:
        """Take a packet at the segment's end of the link."""


class Segment:
    """A network in which all members reach each other without boxes."""

    def __init__(self, addresses: Iterator[str], lost: Counter[str]) -> None:
        self.addresses = addresses
        self.members: dict[str, _Member] = {}
        self.gateway: Router | None = None
        self.lost = lost

    def forward(self, packet: Packet, at_s: float) -> None:
        """Pass a packet to the member with its destination address, or to the outside."""
        member = self.members.get(packet.destination[0])
        if member is not None:
            member.arrive(packet, at_s)
        elif self.gateway is not None:
            self.gateway.depart(packet, at_s)
        else:
            self.lost["no such address"] += 1

    def deliver(self, packet: Packet, at_s: float) -> None:
        """Pass a packet from outside to the member with its destination address."""
        member = self.members.get(packet.destination[0])
        if member is not None:
            member.arrive(packet, at_s)
        else:
            self.lost["no such address"] += 1


class Router:
    """Connects a network with the one outside of it, through boxes and the uplink."""

    def __init__(
        self,
        loop: SimulatedLoop,
        line: Line,
        outside: Segment,
        inside: Segment,
        boxes: Sequence[Middlebox],
        lost: Counter[str],
    ) -> None:
        self._loop = loop
        self._line = line
        self._outside = outside
        self._inside = inside
        self._boxes = boxes
        self._lost = lost

    def depart(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the outside."""
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self._depart, packet)
        else:
            self._depart(packet)

    def arrive(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the inside at the outer end of the uplink."""
        self._line.carry(self._line.down, packet, at_s, self._reach)

    def _depart(self, packet: Packet) -> None:
        now_s = self._loop.time()
        for passed, box in enumerate(self._boxes, start=1):
            leaving = box.outgoing(packet, now_s)
            if leaving is None:
                self._lost["box, outgoing"] += 1
                return
            packet = leaving
            if isinstance(box, Nat) and packet.destination[0] in box.public_hosts:
                self._turn_back(packet, box, passed)
                return
        self._line.carry(self._line.up, packet, now_s, self._outside.forward)

    def _turn_back(self, packet: Packet, nat: Nat, passed: int) -> None:
        if nat.hairpinning:
            self._enter(packet, self._boxes[:passed])
        else:
            self._lost["no hairpinning"] += 1

    def _reach(self, packet: Packet, at_s: float) -> None:
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self._enter, packet, self._boxes)
        else:
            self._enter(packet, self._boxes)

    def _enter(self, packet: Packet, boxes: Sequence[Middlebox]) -> None:
        now_s = self._loop.time()
        for box in reversed(boxes):
            entering = box.incoming(packet, now_s)
            if entering is None:
                self._lost["box, incoming"] += 1
                return
            packet = entering
        self._inside.deliver(packet, now_s)


class Plug:
    """The host's end of its link."""

    def __init__(self, loop: SimulatedLoop, line: Line, segment: Segment) -> None:
        self._loop = loop
        self._line = line
        self._segment = segment
        self.host: Host

    def send(self, packet: Packet) -> None:
        """Take a packet from the host."""
        now_s = self._loop.time()
        if packet.destination[0] in self.host.addresses:
            self._reach(packet, now_s)
        elif packet.source[0] not in self.host.addresses:
            self._segment.lost["no such address"] += 1
        else:
            self._line.carry(self._line.up, packet, now_s, self._segment.forward)

    def readdress(self) -> None:
        """Replace the host's addresses by unused ones."""
        members, host = self._segment.members, self.host
        for address in host.addresses:
            del members[address]
        host.addresses = tuple(islice(self._segment.addresses, len(host.addresses)))
        members.update(dict.fromkeys(host.addresses, self))

    def arrive(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the host."""
        self._line.carry(self._line.down, packet, at_s, self._reach)

    def _reach(self, packet: Packet, at_s: float) -> None:
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self.host.receive, packet)
        else:
            self._loop.call_soon(self.host.receive, packet)


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
        """Boxes of each network, by its name."""
        self._loop = loop
        self._hosts: dict[str, Host] = {}
        self._plugs: dict[str, Plug] = {}
        self._names: dict[str, str] = {}
        self._private = 0
        backbone = Segment(backbone_addresses(), self.lost)
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
        plug = self._plugs[config.name] = Plug(self._loop, line, segment)
        first_port = EPHEMERAL_PORTS[int(self._loop.random.random() * len(EPHEMERAL_PORTS))]
        host = Host(config.name, addresses, plug.send, self._names, first_port)
        plug.host = self._hosts[config.name] = host
        self._names[config.name] = self._names[f"{config.name}.{DOMAIN}"] = addresses[0]
        segment.members.update(dict.fromkeys(addresses, plug))

    def _attach_lan(self, config: LanConfig, outside: Segment, line: Line) -> None:
        public = tuple(islice(outside.addresses, config.addresses)) if config.translates else ()
        self._private += config.translates
        private = private_addresses(config, self._private)
        addresses = private if config.translates else outside.addresses
        inside = Segment(addresses, self.lost)
        boxes = self.boxes[config.name] = [self._box(box, public) for box in config.boxes]
        inside.gateway = router = Router(self._loop, line, outside, inside, boxes, self.lost)
        for member in config.members:
            self._attach(member, inside)
        outside.members.update(dict.fromkeys(public or inside.members, router))

    def _box(self, config: NatType | FirewallType, public: tuple[str, ...]) -> Middlebox:
        if isinstance(config, NatType):
            return Nat(config, public, self._loop.random)
        return Firewall(config)
