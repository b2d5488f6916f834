"""Reference model: RFC 4787's definitions and hole punching, written literally and slow.

`NaiveNat` keeps every mapping it ever made, and of each the list of everything that happened to it.
`hole_punching` is what two ICE agents do with STUN alone, without their messages and timers.
"""

from dataclasses import dataclass

from jamlab.networks.model.nat_behaviour import Filtering, Mapping, Pooling, PortAllocation
from jamlab.networks.model.packet import UDP, Packet


@dataclass
class NaiveMapping:
    transport: str
    inside: tuple
    destination: tuple
    outside: tuple
    events: list
    """``(time, address outside)`` of everything that refreshes."""


class NaiveNat:
    def __init__(self, nat_type, public_hosts=("198.51.100.1",), ports=range(1024, 65536)):
        self.nat_type = nat_type
        self.public_hosts = public_hosts
        self.ports = ports
        self.mappings = []
        self.asked_for = {}
        """Outside addresses of ports that an inside host has asked for, by inside address."""

    def map_port(self, inside):
        """What a router does for UPnP-IGD or NAT-PMP, with a port nobody could guess."""
        self.asked_for[inside] = self.public_hosts[0], 40000 + len(self.asked_for)
        return self.asked_for[inside]

    def outgoing(self, packet, now_s):
        """Translate, with ports nobody could guess."""
        if packet.source in self.asked_for:
            return packet._replace(source=self.asked_for[packet.source])
        mapping = self.used_by(packet, now_s)
        if mapping is None:
            outside = (self.public_hosts[0], 20000 + len(self.mappings))
            mapping = self.add(packet, outside, now_s)
        mapping.events.append((now_s, packet.destination))
        return packet._replace(source=mapping.outside)

    def incoming(self, packet, now_s):
        for inside, outside in self.asked_for.items():
            if outside == packet.destination:
                return packet._replace(destination=inside)
        for mapping in self.alive(packet.transport, now_s):
            if mapping.outside == packet.destination and self.lets_in(mapping, packet, now_s):
                if self.nat_type.inbound_refresh:
                    mapping.events.append((now_s, packet.source))
                return packet._replace(destination=mapping.inside)
        return None

    def add(self, packet, outside, now_s):
        mapping = NaiveMapping(
            packet.transport,
            packet.source,
            packet.destination,
            outside,
            [(now_s, packet.destination)],
        )
        self.mappings.append(mapping)
        return mapping

    def alive(self, transport, now_s):
        udp = transport == UDP
        lifetime_s = self.nat_type.mapping_lifetime_s if udp else self.nat_type.tcp_lifetime_s
        return [
            mapping
            for mapping in self.mappings
            if mapping.transport == transport and now_s - mapping.events[-1][0] < lifetime_s
        ]

    def used_by(self, packet, now_s):
        """The mapping an outgoing packet uses again, if any."""
        for mapping in self.alive(packet.transport, now_s):
            same = {
                Mapping.EIM: True,
                Mapping.ADM: mapping.destination[0] == packet.destination[0],
                Mapping.APDM: mapping.destination == packet.destination,
            }
            if mapping.inside == packet.source and same[self.nat_type.mapping]:
                return mapping
        return None

    def lets_in(self, mapping, packet, now_s):
        udp = packet.transport == UDP
        lifetime_s = self.nat_type.filtering_lifetime_s if udp else self.nat_type.tcp_lifetime_s
        recent = [remote for when, remote in mapping.events if now_s - when < lifetime_s]
        return {
            Filtering.EIF: recent != [],
            Filtering.ADF: packet.source[0] in [host for host, _ in recent],
            Filtering.APDF: packet.source in recent,
        }[self.nat_type.filtering]

    def may_get(self, packet, outside, now_s):
        """Whether a new mapping for a packet may have this outside address."""
        host, port = outside
        return host in self.hosts_for(packet) and port in self.ports_for(packet, host, now_s)

    def hosts_for(self, packet):
        paired = {m.outside[0] for m in self.mappings if m.inside[0] == packet.source[0]}
        return paired if paired and self.nat_type.pooling is Pooling.PAIRED else self.public_hosts

    def ports_for(self, packet, host, now_s):
        """The ports one of which a new mapping on this host has."""
        taken = {m.outside[1] for m in self.alive(packet.transport, now_s) if m.outside[0] == host}
        made = [
            mapping.outside[1]
            for mapping in self.mappings
            if mapping.transport == packet.transport and mapping.outside[0] == host
        ]
        free = [port for port in self.ports if port not in taken]
        allocation = self.nat_type.port_allocation
        if allocation is PortAllocation.PRESERVE and packet.source[1] in free:
            return [packet.source[1]]
        if allocation is PortAllocation.CONTIGUOUS and made:
            return [port for port in free if port > made[-1]][:1] or free[:1]
        return free


STUN_SERVER = ("192.0.2.1", 3478)


class Agent:
    """One end: a socket at an inside address, behind a middlebox or none."""

    def __init__(self, inside, box, asks, stun):
        self.inside = inside
        self.box = box
        self.remotes = []
        self.reached = set()
        self.candidates = [inside, *([box.map_port(inside)] if asks else [])]
        if stun:
            self.candidates.append(self.send(STUN_SERVER).source)

    def send(self, destination):
        packet = Packet(self.inside, destination, b"")
        return self.box.outgoing(packet, 0.0) if self.box else packet

    def receive(self, packet):
        arrived = self.box.incoming(packet, 0.0) if self.box else packet
        return arrived if arrived and arrived.destination == self.inside else None

    def check(self, other, remote):
        request = other.receive(self.send(remote))
        if request is None:
            return
        if request.source not in other.remotes:
            other.remotes.append(request.source)
        response = self.receive(other.send(request.source))
        if response is not None and response.source == remote:
            self.reached.add(remote)


def hole_punching(box_a, box_b, rounds=6, *, asking=(False, False), stun=True):
    """Tell whether both ends find an address of the other at which their checks are answered.

    `asking`: whether each asks its box for a mapping. `stun`: whether they know what a server sees.
    """
    a = Agent(("10.0.0.1", 5001), box_a, asking[0], stun)
    b = Agent(("10.0.0.2", 5002), box_b, asking[1], stun)
    a.remotes, b.remotes = list(b.candidates), list(a.candidates)
    for _ in range(rounds):
        for one, other in ((a, b), (b, a)):
            for remote in tuple(one.remotes):
                one.check(other, remote)
    assert bool(a.reached) == bool(b.reached), "one end alone"
    return bool(a.reached)
