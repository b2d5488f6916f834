"""A host on a simulated network: its addresses, ports, and the tasks that run on it.

A task belongs to a host by its context (`contextvars`): code started inside ``with host:``, with
the tasks and callbacks that it creates, opens its sockets on that host. A packet is delivered in
the context of the receiving socket, never in the sender's.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jamlab.networks.model.addresses import is_ipv6
from jamlab.networks.model.packet import TCP, UDP, Address, Packet, is_media
from jamlab.networks.simulated.segment import reset_for

EPHEMERAL_PORTS = range(49152, 65536)
"""Dynamic ports (RFC 6335 §6)."""

MAPPING_LIFETIME_S = 7200.0
"""Lifetime of a port's mapping that RFC 6886 §3.3 recommends to ask for."""

_UNSPECIFIED, _UNSPECIFIED_IPV6 = ("0.0.0.0", ""), "::"

_entered: contextvars.ContextVar[tuple[Host, ...]] = contextvars.ContextVar("hosts", default=())


class Socket(Protocol):
    """A socket bound to a port of a host."""

    def receive(self, packet: Packet) -> None:
        """Take a packet for this port."""


class Gateway(Protocol):
    """What a host asks of its network's router, as by UPnP-IGD or NAT-PMP; it takes no time."""

    def map_port(self, inside: Address, lifetime_s: float) -> Address | None:
        """Map a port of the host; None when the router does not."""

    def unmap_port(self, inside: Address) -> None:
        """End a mapping."""


def current_host() -> Host:
    """Return the host of the calling code; raises RuntimeError outside ``with host:``."""
    entered = _entered.get()
    if not entered:
        raise RuntimeError(
            "this code does not run on a host of the simulated internet: start it inside "
            "`with host:`"
        )
    return entered[-1]


class Host:
    """A host; made by `jamlab.networks.simulated.internet.Internet`.

    The first of its IPv4 addresses is the default, and the first of its IPv6 addresses where one is
    asked for. `send` takes the packets that the host sends, and `names` has the IPv4 addresses of
    the whole internet by name. Ephemeral ports are assigned from `first_port` on.
    """

    def __init__(
        self,
        name: str,
        addresses: tuple[str, ...],
        send: Callable[[Packet], None],
        names: Mapping[str, str],
        first_port: int = EPHEMERAL_PORTS.start,
        ipv6_addresses: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.addresses = addresses
        """Its IPv4 addresses."""
        self.ipv6_addresses = ipv6_addresses
        self.router: Gateway | None = None
        """The router of its network; None where nobody can be asked."""
        self.send = send
        self.unclaimed = 0
        """Packets received for unbound ports."""
        self.media_from: Counter[str] = Counter()
        """RTP packets received, by source address; those in ChannelData do not count."""
        self._names = names
        self._sockets: dict[tuple[str, Address], Socket] = {}
        self._next_port = first_port

    def __enter__(self) -> Host:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(self, *exc_info: object) -> None:
        _entered.set(_entered.get()[:-1])

    def has(self, address: str) -> bool:
        """Return whether an address, of either version of IP, is the host's."""
        return address in self.addresses or address in self.ipv6_addresses

    def resolve(self, name: str) -> str:
        """Resolve a name to an IPv4 address, or check an address of either version of IP.

        Raises socket.gaierror for an unknown name.
        """
        address = self._names.get(name, name)
        version = socket.AF_INET6 if is_ipv6(address) else socket.AF_INET
        try:
            return socket.inet_ntop(version, socket.inet_pton(version, address))
        except OSError:
            raise socket.gaierror(
                socket.EAI_NONAME, f"there is no host {name!r} on the simulated internet"
            ) from None

    def open_udp(
        self, protocol: Any, local: Address | None = None, remote: Address | None = None
    ) -> UdpTransport:
        """Bind a UDP port and connect `protocol` to it; raise OSError when it is in use."""
        if local is None and remote is not None:
            local = unspecified_for(remote)
        transport = UdpTransport(self, protocol, self.free_address(UDP, local), remote)
        self.bind(UDP, transport.local, transport)
        protocol.connection_made(transport)
        return transport

    # Ports

    def free_address(self, transport: str, local: Address | None = None) -> Address:
        """Return the address to bind for `local`: port 0 becomes a free port.

        The unspecified address becomes the host's first address of that version of IP. Raises
        OSError if it is not an address of the host, or the port is in use.
        """
        address, port = local[:2] if local else (self.addresses[0], 0)
        if address in _UNSPECIFIED:
            address = self.addresses[0]
        elif address == _UNSPECIFIED_IPV6 and self.ipv6_addresses:
            address = self.ipv6_addresses[0]
        elif not self.has(address):
            address = self.resolve(address)
        if not self.has(address):
            raise OSError(errno.EADDRNOTAVAIL, f"{self.name} has no address {address}")
        if port and (transport, (address, port)) in self._sockets:
            raise OSError(errno.EADDRINUSE, f"{self.name} has {transport} port {port} in use")
        return address, port or self._free_port(transport, address)

    def _free_port(self, transport: str, address: str) -> int:
        for _ in EPHEMERAL_PORTS:
            port, self._next_port = self._next_port, self._next_port + 1
            if self._next_port not in EPHEMERAL_PORTS:
                self._next_port = EPHEMERAL_PORTS.start
            if (transport, (address, port)) not in self._sockets:
                return port
        raise OSError(errno.EADDRINUSE, f"{self.name} has no {transport} port left")

    def bind(self, transport: str, local: Address, bound: Socket) -> None:
        """Deliver a port's packets to a socket."""
        self._sockets[transport, local] = bound

    def release(self, transport: str, local: Address) -> None:
        """Free a port."""
        self._sockets.pop((transport, local), None)

    def map_port(self, port: int, lifetime_s: float = MAPPING_LIFETIME_S) -> Address | None:
        """Ask the router to map a UDP port of the first address, or to renew its mapping.

        Returns the outside address, from which everybody may send to the port; None when no router
        maps it.
        """
        inside = self.addresses[0], port
        return None if self.router is None else self.router.map_port(inside, lifetime_s)

    def unmap_port(self, port: int) -> None:
        """Tell the router that a mapping is not needed any more."""
        if self.router is not None:
            self.router.unmap_port((self.addresses[0], port))

    def receive(self, packet: Packet) -> None:
        """Take a packet from the network."""
        if packet.transport == UDP and is_media(packet.payload):
            self.media_from[packet.source[0]] += 1
        bound = self._sockets.get((packet.transport, packet.destination))
        if bound is not None:
            bound.receive(packet)
            return
        self.unclaimed += 1
        if packet.transport == TCP and (refusal := reset_for(packet)) is not None:
            self.send(refusal)


def unspecified_for(remote: Address) -> Address:
    """Return the unspecified address of a remote address's version of IP, with port 0."""
    return (_UNSPECIFIED_IPV6 if is_ipv6(remote[0]) else _UNSPECIFIED[0]), 0


def as_sockets_have_it(address: Address) -> tuple[Any, ...]:
    """Return an address as a socket shows it: with flow and scope for IPv6 (RFC 3493 §3.3)."""
    return (*address, 0, 0) if is_ipv6(address[0]) else address


class UdpTransport(asyncio.DatagramTransport):
    """The asyncio transport of a bound UDP port."""

    def __init__(self, host: Host, protocol: Any, local: Address, remote: Address | None) -> None:
        peername = remote and as_sockets_have_it(remote)
        super().__init__({"sockname": as_sockets_have_it(local), "peername": peername})
        self.local = local
        self._host = host
        self._protocol = protocol
        self._remote = remote
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._closing = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram to `addr`, or to the connected address.

        Raises ValueError if there is neither, or the two differ.
        """
        remote = self._remote if addr is None else addr
        if remote is None:
            raise ValueError("this UDP port is not connected: give a destination address")
        destination = remote[0], remote[1]
        if self._remote not in (None, destination):
            raise ValueError(
                f"this UDP port is connected to {self._remote}: send to that address only"
            )
        if not self._closing:
            self._host.send(Packet(self.local, destination, bytes(data)))

    def receive(self, packet: Packet) -> None:
        """Pass a datagram to the protocol, unless the port is connected to another address."""
        if self._remote in (None, packet.source):
            source = as_sockets_have_it(packet.source)
            self._context.run(self._protocol.datagram_received, packet.payload, source)

    def is_closing(self) -> bool:
        """Return whether `close` was called."""
        return self._closing

    def close(self) -> None:
        """Free the port; the loop then calls `connection_lost`."""
        if not self._closing:
            self._closing = True
            self._host.release(UDP, self.local)
            self._loop.call_soon(self._protocol.connection_lost, None, context=self._context)

    def abort(self) -> None:
        """Close."""
        self.close()
