"""Routing between the networks of a simulated internet: segments, routers, and hosts' plugs.

A packet goes up from its host to the first segment that has its destination, and down from there.
Links only compute arrival times. A component with state (a NAT, a firewall, a link with a queue)
takes the packet at its arrival time, by a timer, and a host always by the loop, so that a receiver
is never called inside the sender's `sendto`. Links with a constant delay need no timer.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from jamlab.networks.model.addresses import is_ipv6
from jamlab.networks.model.packet import UDP, Address, Packet
from jamlab.networks.simulated import nat_pmp
from jamlab.networks.simulated.host import Host
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
    """A network in which all members reach each other without boxes.

    `addresses` and `ipv6_addresses` are those that its members get.
    """

    def __init__(
        self, addresses: Iterator[str], ipv6_addresses: Iterator[str], lost: Counter[str]
    ) -> None:
        self.addresses = addresses
        self.ipv6_addresses = ipv6_addresses
        self.members: dict[str, _Member] = {}
        self.gateway: Router | None = None
        self.lost = lost

    def join(self, addresses: Iterable[str], member: _Member) -> None:
        """Reach a member at more addresses, also from outside if nothing translates them."""
        for address in addresses:
            self.members[address] = member
            if self.gateway is not None:
                self.gateway.announce(address)

    def leave(self, addresses: Iterable[str]) -> None:
        """Reach nobody at these addresses any more."""
        for address in addresses:
            self.members.pop(address, None)
            if self.gateway is not None:
                self.gateway.withdraw(address)

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
    """Connects a network with the one outside of it, through boxes and the uplink.

    IPv4 passes the boxes, and IPv6 those of `ipv6_boxes`.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        line: Line,
        outside: Segment,
        inside: Segment,
        boxes: Sequence[Middlebox],
        ipv6_boxes: Sequence[Middlebox],
        lost: Counter[str],
    ) -> None:
        self._loop = loop
        self._line = line
        self._outside = outside
        self._inside = inside
        self._boxes = boxes
        self._ipv6_boxes = ipv6_boxes
        self._translates = any(isinstance(box, Nat) for box in boxes)
        self._lost = lost

    def announce(self, address: str) -> None:
        """Let the outside reach an inside address, unless a NAT translates it."""
        if not self._translates or is_ipv6(address):
            self._outside.join((address,), self)

    def withdraw(self, address: str) -> None:
        """Let the outside reach an inside address no more."""
        if not self._translates or is_ipv6(address):
            self._outside.leave((address,))

    def map_port(self, inside: Address, lifetime_s: float) -> Address | None:
        """Map an inside address's port; None if no NAT here does that."""
        for box in self._boxes:
            if isinstance(box, Nat):
                return box.map_port(inside, lifetime_s, self._loop.time())
        return None

    def unmap_port(self, inside: Address) -> None:
        """End a mapping that was asked for."""
        for box in self._boxes:
            if isinstance(box, Nat):
                box.unmap_port(inside, self._loop.time())

    def depart(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the outside, or a request to the router itself."""
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self._depart, packet)
        else:
            self._depart(packet)

    def arrive(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the inside at the outer end of the uplink."""
        self._line.carry(self._line.down, packet, at_s, self._reach)

    def _depart(self, packet: Packet) -> None:
        now_s = self._loop.time()
        if packet.destination[0] == nat_pmp.ROUTER:
            self._serve(packet, now_s)
            return
        for passed, box in enumerate(self._boxes_for(packet), start=1):
            leaving = box.outgoing(packet, now_s)
            if leaving is None:
                self._lost["box, outgoing"] += 1
                return
            packet = leaving
            if isinstance(box, Nat) and packet.destination[0] in box.public_hosts:
                self._turn_back(packet, box, passed)
                return
        self._line.carry(self._line.up, packet, now_s, self._outside.forward)

    def _serve(self, packet: Packet, now_s: float) -> None:
        """Answer a request by NAT-PMP; a router that maps no ports is silent."""
        asked = packet.transport == UDP and packet.destination[1] == nat_pmp.PORT
        for nat in self._boxes:
            if asked and isinstance(nat, Nat) and nat.nat_type.port_mapping:
                reply = nat_pmp.answer(packet.payload, packet.source, nat, now_s)
                if reply is not None:
                    self._inside.deliver(Packet(packet.destination, packet.source, reply), now_s)
                return
        self._lost["no such address"] += 1

    def _turn_back(self, packet: Packet, nat: Nat, passed: int) -> None:
        if nat.hairpinning:
            self._enter(packet, self._boxes[:passed])
        else:
            self._lost["no hairpinning"] += 1

    def _reach(self, packet: Packet, at_s: float) -> None:
        boxes = self._boxes_for(packet)
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self._enter, packet, boxes)
        else:
            self._enter(packet, boxes)

    def _boxes_for(self, packet: Packet) -> Sequence[Middlebox]:
        return self._ipv6_boxes if is_ipv6(packet.destination[0]) else self._boxes

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

    def connect(self, host: Host) -> None:
        """Connect the host to the network, which reaches it at all its addresses."""
        self.host = host
        self._segment.join((*host.addresses, *host.ipv6_addresses), self)

    def send(self, packet: Packet) -> None:
        """Take a packet from the host."""
        now_s = self._loop.time()
        if self.host.has(packet.destination[0]):
            self._reach(packet, now_s)
        elif not self._routable(packet):
            self._segment.lost["no such address"] += 1
        else:
            self._line.carry(self._line.up, packet, now_s, self._segment.forward)

    def _routable(self, packet: Packet) -> bool:
        """Return whether the source is the host's, and of the destination's version of IP."""
        source, destination = packet.source[0], packet.destination[0]
        return self.host.has(source) and is_ipv6(source) == is_ipv6(destination)

    def readdress(self) -> None:
        """Replace the host's addresses by unused ones."""
        segment, host = self._segment, self.host
        segment.leave((*host.addresses, *host.ipv6_addresses))
        host.addresses = tuple(islice(segment.addresses, len(host.addresses)))
        host.ipv6_addresses = tuple(islice(segment.ipv6_addresses, len(host.ipv6_addresses)))
        self.connect(host)

    def map_port(self, inside: Address, lifetime_s: float) -> Address | None:
        """Ask the network's router to map a port of the host."""
        router = self._segment.gateway
        return None if router is None else router.map_port(inside, lifetime_s)

    def unmap_port(self, inside: Address) -> None:
        """Tell the network's router that a mapping is not needed any more."""
        if self._segment.gateway is not None:
            self._segment.gateway.unmap_port(inside)

    def arrive(self, packet: Packet, at_s: float) -> None:
        """Take a packet for the host."""
        self._line.carry(self._line.down, packet, at_s, self._reach)

    def _reach(self, packet: Packet, at_s: float) -> None:
        if at_s > self._loop.time():
            self._loop.call_at(at_s, self.host.receive, packet)
        else:
            self._loop.call_soon(self.host.receive, packet)
