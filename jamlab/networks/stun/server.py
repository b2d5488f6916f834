"""A STUN server on the running loop's sockets."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.core import StunCore, StunCounters, check_addresses
from jamlab.networks.stun.endpoint import Endpoint, open_endpoint


class StunServer:
    """Answer Binding requests over UDP while the context lasts (RFC 8489, RFC 5780).

    A server has one IPv4 address, or two for behaviour discovery. Port 0 takes any free port. The
    second port of a server with two hosts is by default the next port, or with port 0 any free one.

    Raises ValueError if there are more than two hosts, two are equal, or there is a second port
    without a second host. On entering the context, raises OSError if an address is not available.
    """

    def __init__(
        self,
        hosts: Sequence[str] = ("127.0.0.1",),
        port: int = 3478,
        alternate_port: int | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._ports = [port]
        if alternate_port is not None:
            self._ports.append(alternate_port)
        elif len(self._hosts) > 1:
            self._ports.append(port and port + 1)
        check_addresses(self._hosts, self._ports)
        self.counters = StunCounters()
        self._core: StunCore | None = None
        self._endpoints: dict[Address, Endpoint] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses on which the server listens; clients use the first. Empty when closed."""
        return tuple(self._endpoints)

    async def __aenter__(self) -> Self:
        try:
            ports = [await self._open_on_all_hosts(port) for port in self._ports]
        except BaseException:  # a cancellation leaves sockets open, too
            await self._close()
            raise
        self._core = StunCore(self._hosts, ports, self.counters)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _open_on_all_hosts(self, port: int) -> int:
        for host in self._hosts:
            endpoint = await open_endpoint((host, port), self._received, self.counters)
            self._endpoints[endpoint.address] = endpoint
            port = endpoint.address[1]
        return port

    async def _close(self) -> None:
        endpoints = list(self._endpoints.values())
        self._endpoints.clear()
        for endpoint in endpoints:
            endpoint.close()
        for endpoint in endpoints:
            await endpoint.wait_closed()

    def _received(self, data: bytes, source: Address, local: Address) -> None:
        if self._core is None:
            return  # the other addresses are still being opened; clients retransmit
        reply = self._core.receive(data, source, local)
        if reply is not None:
            self._endpoints[reply.source].send(reply.payload, reply.destination)
