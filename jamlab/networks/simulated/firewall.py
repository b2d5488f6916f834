"""A stateful firewall: it filters as a NAT does, and translates nothing.

To hole punching it looks like an endpoint-independent NAT of the same filtering. One that blocks
UDP leaves TCP, so a relay that listens on TCP can be reached. A NAT that blocks UDP is this in a
row with a `Nat`.
"""

from collections.abc import Hashable

from jamlab.networks.model.nat_behaviour import FirewallType, remote_key
from jamlab.networks.model.packet import TCP, UDP, Address, Packet


class Firewall:
    """Let out what comes from inside, and let in what answers it.

    Time is passed in, in seconds of any origin, and must not go backwards.

    Parameters
    ----------
    firewall_type : FirewallType
        How to behave.
    """

    def __init__(self, firewall_type: FirewallType) -> None:
        self.firewall_type = firewall_type
        self._remote_key = remote_key(firewall_type.filtering)
        self._lifetimes_s = {UDP: firewall_type.lifetime_s, TCP: firewall_type.tcp_lifetime_s}
        self._admitted: dict[tuple[str, Address, Hashable], float] = {}

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet, or None when its transport is blocked.

        Parameters
        ----------
        packet : Packet
            From an inside host.
        now_s : float
            The time in seconds.
        """
        if self._is_blocked(packet):
            return None
        self._admit(packet.transport, packet.source, packet.destination, now_s)
        return packet

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet, or None when it is no answer or its transport is blocked.

        Parameters
        ----------
        packet : Packet
            To an inside host.
        now_s : float
            The time in seconds.
        """
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
