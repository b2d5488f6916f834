"""A simulated stateful firewall: it filters like a NAT, without translation.

For hole punching it is an endpoint-independent NAT of the same filtering. A firewall that blocks
UDP passes TCP, so a relay over TCP can be reached. A NAT that blocks UDP is a `Firewall` and a
`Nat` in a row.
"""

from collections.abc import Hashable

from jamlab.networks.model.nat_behaviour import FirewallType, remote_key
from jamlab.networks.model.packet import TCP, UDP, Address, Packet


class Firewall:
    """Pass packets from inside, and packets from outside that match a filter entry.

    ``now_s`` is in seconds of any origin, and must not decrease.
    """

    def __init__(self, firewall_type: FirewallType) -> None:
        self.firewall_type = firewall_type
        self._remote_key = remote_key(firewall_type.filtering)
        self._lifetimes_s = {UDP: firewall_type.lifetime_s, TCP: firewall_type.tcp_lifetime_s}
        self._admitted: dict[tuple[str, Address, Hashable], float] = {}

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return a packet from an inside host, or None when its transport is blocked."""
        if self._is_blocked(packet):
            return None
        self._admit(packet.transport, packet.source, packet.destination, now_s)
        return packet

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return a packet to an inside host, or None when it is filtered or blocked."""
        if self._is_blocked(packet):
            return None
        entry = (packet.transport, packet.destination, self._remote_key(packet.source))
        if self._admitted.get(entry, now_s) <= now_s:
            return None
        if self.firewall_type.inbound_refresh:
            self._admit(packet.transport, packet.destination, packet.source, now_s)
        return packet

    def _is_blocked(self, packet: Packet) -> bool:
        return self.firewall_type.udp_blocked and packet.transport == UDP

    def _admit(self, transport: str, inside: Address, remote: Address, now_s: float) -> None:
        entry = (transport, inside, self._remote_key(remote))
        self._admitted[entry] = now_s + self._lifetimes_s[transport]
