"""A simulated network address translator (NAT) with the behaviours of RFC 4787.

A NAT translates the source of outgoing packets, and filters and translates incoming packets. Its
whole state is a set of bindings. A binding maps an inside address to an outside address, and has
filter entries for the destinations of its packets, with their time of expiry. Outgoing packets find
it by a key that depends on the mapping behaviour, incoming packets by the outside address. An
expired binding is ignored, and removed only when its key or its port is needed again.

A filter entry holds the part of a destination that the filtering behaviour compares with the source
of an incoming packet: nothing (EIF, where any outgoing packet admits every source), the host (ADF),
or host and port (APDF).

A port that an inside host has asked for (`Nat.map_port`) has a binding of its own, which all its
packets use and which admits every source until the mapping ends. A port that is bound already by an
endpoint-independent mapping keeps its outside address.

`incoming` drops packets to an address without a binding. Hairpinning is the caller's part: it
passes the result of `outgoing` to `incoming` if the destination is a public host of the NAT. The
filter then sees the sender's outside address as the source (RFC 4787 REQ-9a).
"""

import random
from collections.abc import Callable, Hashable, Sequence

from jamlab.networks.model.nat_behaviour import Mapping, NatType, Pooling, remote_key
from jamlab.networks.model.packet import TCP, UDP, Address, Packet
from jamlab.networks.simulated.ports import NEVER_S, Binding, PortPool


def _by_source(packet: Packet) -> Hashable:
    return packet.transport, packet.source


_FEWEST_SWEPT = 1024

_MAPPING_KEYS: dict[Mapping, Callable[[Packet], Hashable]] = {
    Mapping.EIM: _by_source,
    Mapping.ADM: lambda packet: (packet.transport, packet.source, packet.destination[0]),
    Mapping.APDM: lambda packet: (packet.transport, packet.source, packet.destination),
}


class Nat:
    """Translate and filter packets.

    ``now_s`` is in seconds of any origin, and must not decrease. `rng` chooses random ports and
    hosts. `public_hosts` are outside IPv4 addresses; raises ValueError if there is none, or one
    appears twice.
    """

    def __init__(self, nat_type: NatType, public_hosts: Sequence[str], rng: random.Random) -> None:
        if isinstance(public_hosts, str) or not public_hosts:
            raise ValueError(
                f"public_hosts of a NAT is {public_hosts!r}: give a list of at least one host"
            )
        if len(set(public_hosts)) < len(public_hosts):
            raise ValueError(f"public_hosts of a NAT has a host twice: {list(public_hosts)}")
        self.nat_type = nat_type
        self.public_hosts = tuple(public_hosts)
        self.hairpinning = nat_type.hairpinning
        """Whether the caller should pass outgoing packets for `public_hosts` to `incoming`."""
        self._mapping_key = _MAPPING_KEYS[nat_type.mapping]
        self._remote_key = remote_key(nat_type.filtering)
        self._lifetimes_s = {
            UDP: (nat_type.mapping_lifetime_s, nat_type.filtering_lifetime_s),
            TCP: (nat_type.tcp_lifetime_s, nat_type.tcp_lifetime_s),
        }
        self._rng = rng
        self._bindings: dict[Hashable, Binding] = {}
        self._pools: dict[tuple[str, str], PortPool] = {}
        self._pairs: dict[str, str] = {}
        self._swept_at = _FEWEST_SWEPT

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return a packet from an inside host, translated, or None when no port is left."""
        binding = self._binding(packet, now_s)
        if binding is None:
            return None
        self._refresh(binding, self._remote_key(packet.destination), packet.transport, now_s)
        return Packet(binding.outside, packet.destination, packet.payload, packet.transport)

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return a packet to a public host, translated for the inside host; None when dropped."""
        host, port = packet.destination
        pool = self._pools.get((packet.transport, host))
        binding = pool.bindings.get(port) if pool else None
        if binding is None or binding.expires_s <= now_s:
            return None
        remote = self._remote_key(packet.source)
        if binding.admitted.get(remote, now_s) <= now_s and binding.mapped_until_s <= now_s:
            return None
        if self.nat_type.inbound_refresh:
            self._refresh(binding, remote, packet.transport, now_s)
        return Packet(packet.source, binding.inside, packet.payload, packet.transport)

    def map_port(
        self, inside: Address, lifetime_s: float, now_s: float, transport: str = UDP
    ) -> Address | None:
        """Give an inside address's port a mapping for a time, or renew it; return its address.

        None if this NAT does not map ports, or none is left.
        """
        if not self.nat_type.port_mapping:
            return None
        asked = Packet(inside, inside, b"", transport)
        binding = self._alive(_by_source(asked), transport, now_s)
        binding = binding or self._bind(_by_source(asked), asked, now_s)
        if binding is None:
            return None
        binding.mapped_until_s = now_s + lifetime_s
        binding.expires_s = max(binding.expires_s, binding.mapped_until_s)
        return binding.outside

    def unmap_port(self, inside: Address, now_s: float, transport: str = UDP) -> None:
        """End a mapping; the port is then bound like any other that has just been used."""
        binding = self._bindings.get(_by_source(Packet(inside, inside, b"", transport)))
        if binding is not None and binding.mapped_until_s > now_s:
            binding.mapped_until_s = NEVER_S
            binding.expires_s = now_s + self._lifetimes_s[transport][0]

    def reboot(self) -> None:
        """Drop all bindings, like a router after a power failure."""
        self._bindings.clear()
        self._pools.clear()
        self._pairs.clear()

    def _binding(self, packet: Packet, now_s: float) -> Binding | None:
        if self.nat_type.port_mapping:
            mapped = self._bindings.get(_by_source(packet))
            if mapped is not None and mapped.mapped_until_s > now_s:
                return mapped
        key = self._mapping_key(packet)
        return self._alive(key, packet.transport, now_s) or self._bind(key, packet, now_s)

    def _alive(self, key: Hashable, transport: str, now_s: float) -> Binding | None:
        """Return a binding by its key, unless it has expired; it is then removed."""
        binding = self._bindings.get(key)
        if binding is None or binding.expires_s > now_s:
            return binding
        self._remove(binding, transport)
        return None

    def _sweep(self, now_s: float) -> None:
        """Remove expired bindings whenever the number of bindings has doubled."""
        if len(self._bindings) < self._swept_at:
            return
        for (transport, _), pool in self._pools.items():
            for binding in [*pool.bindings.values()]:
                if binding.expires_s <= now_s:
                    self._remove(binding, transport)
        self._swept_at = max(_FEWEST_SWEPT, 2 * len(self._bindings))

    def _bind(self, key: Hashable, packet: Packet, now_s: float) -> Binding | None:
        self._sweep(now_s)
        outside = self._free_address(packet, now_s)
        if outside is None:
            return None
        host, port = outside
        bindings = self._pools[packet.transport, host].bindings
        if port in bindings:
            self._remove(bindings[port], packet.transport)
        if self.nat_type.pooling is Pooling.PAIRED:
            self._pairs[packet.source[0]] = host
        self._bindings[key] = bindings[port] = Binding(key, packet.source, outside, now_s, {})
        return bindings[port]

    def _free_address(self, packet: Packet, now_s: float) -> Address | None:
        inside_host, inside_port = packet.source
        for host in self._hosts(inside_host):
            port = self._pool(packet.transport, host).choose(inside_port, now_s)
            if port is not None:
                return host, port
        return None

    def _remove(self, binding: Binding, transport: str) -> None:
        host, port = binding.outside
        del self._bindings[binding.key]
        del self._pools[transport, host].bindings[port]

    def _refresh(self, binding: Binding, remote: Hashable, transport: str, now_s: float) -> None:
        mapping_lifetime_s, filtering_lifetime_s = self._lifetimes_s[transport]
        binding.expires_s = max(now_s + mapping_lifetime_s, binding.mapped_until_s)
        binding.admitted[remote] = now_s + filtering_lifetime_s

    def _hosts(self, inside_host: str) -> Sequence[str]:
        """Return the outside hosts that a new mapping may get, in order of preference."""
        hosts = self.public_hosts
        if len(hosts) == 1:
            return hosts
        if inside_host in self._pairs:
            return (self._pairs[inside_host],)
        return self._rng.sample(hosts, len(hosts))

    def _pool(self, transport: str, host: str) -> PortPool:
        pool = self._pools.get((transport, host))
        if pool is None:
            pool = PortPool(self.nat_type.port_allocation, self._rng)
            self._pools[transport, host] = pool
        return pool
