"""A network address translator (RFC 4787), one packet at a time.

A NAT answers two questions: *where does this outgoing packet appear to come from*, and *who gets
this incoming one*. Its whole state is a set of bindings, each of which ties an inside address to an
outside one and remembers who was sent to through it, and until when. There are two ways to a
binding: an outgoing packet has the key its type of mapping gives it, an incoming one the outside
address. A binding is found both ways or neither. One that has expired counts for nothing, but is
removed only when its key or its port is wanted again.

What a filter asks of an incoming packet's source is only whether it equals, as far as the filter
looks, a destination of late. So destinations are remembered as far as the filter looks: not at all
(EIF, where any packet sent lets everybody in), by host (ADF), or by host and port (APDF).

`incoming` drops what comes to an address without binding. Routing is not the NAT's: for hairpinning
the caller takes what leaves `outgoing` for one of the NAT's own hosts and puts it into `incoming`,
where the filter sees the sender's outside address as its source (RFC 4787 REQ-9a).
"""

import random
from collections.abc import Callable, Hashable, Sequence

from jamlab.networks.model.nat_behaviour import Mapping, NatType, Pooling, remote_key
from jamlab.networks.model.packet import TCP, UDP, Address, Packet
from jamlab.networks.simulated.ports import Binding, PortPool

_MAPPING_KEYS: dict[Mapping, Callable[[Packet], Hashable]] = {
    Mapping.EIM: lambda packet: (packet.transport, packet.source),
    Mapping.ADM: lambda packet: (packet.transport, packet.source, packet.destination[0]),
    Mapping.APDM: lambda packet: (packet.transport, packet.source, packet.destination),
}


class Nat:
    """Translate and filter.

    Time is passed in, in seconds of any origin, and must not go backwards.

    Parameters
    ----------
    nat_type : NatType
        How to behave.
    public_hosts : sequence of str
        The outside's hosts, at least one.
    rng : random.Random
        Where random ports and hosts come from.

    Raises
    ------
    ValueError
        When there is no public host, or one twice.
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
        """Whether the caller should put outgoing packets for `public_hosts` into `incoming`."""
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

    def outgoing(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet as the outside sees it, or None when no port is left for it.

        Parameters
        ----------
        packet : Packet
            From an inside host.
        now_s : float
            The time in seconds.
        """
        binding = self._binding(packet, now_s)
        if binding is None:
            return None
        self._refresh(binding, self._remote_key(packet.destination), packet.transport, now_s)
        return Packet(binding.outside, packet.destination, packet.payload, packet.transport)

    def incoming(self, packet: Packet, now_s: float) -> Packet | None:
        """Return the packet as an inside host gets it, or None when nobody does.

        Parameters
        ----------
        packet : Packet
            To one of the public hosts.
        now_s : float
            The time in seconds.
        """
        host, port = packet.destination
        pool = self._pools.get((packet.transport, host))
        binding = pool.bindings.get(port) if pool else None
        if binding is None or binding.expires_s <= now_s:
            return None
        remote = self._remote_key(packet.source)
        if binding.admitted.get(remote, now_s) <= now_s:
            return None
        if self.nat_type.inbound_refresh:
            self._refresh(binding, remote, packet.transport, now_s)
        return Packet(packet.source, binding.inside, packet.payload, packet.transport)

    def reboot(self) -> None:
        """Forget everything, as a router does that loses its power."""
        self._bindings.clear()
        self._pools.clear()
        self._pairs.clear()

    def _binding(self, packet: Packet, now_s: float) -> Binding | None:
        key = self._mapping_key(packet)
        binding = self._bindings.get(key)
        if binding is not None:
            if binding.expires_s > now_s:
                return binding
            self._remove(binding, packet.transport)
        return self._bind(key, packet, now_s)

    def _bind(self, key: Hashable, packet: Packet, now_s: float) -> Binding | None:
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
        binding.expires_s = now_s + mapping_lifetime_s
        binding.admitted[remote] = now_s + filtering_lifetime_s

    def _hosts(self, inside_host: str) -> Sequence[str]:
        """Return the hosts a mapping may get, the preferred one first."""
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
