"""An event loop whose UDP sockets get the local ports they are told to, each once.

A kernel draws ports at random, and a port that was closed may be drawn again. Whoever gets one that
somebody had before is not the stranger he should be: a NAT still lets in whom the other had asked,
and coturn answers ``437 Allocation Mismatch`` (RFC 8656 §7.2) until a second after an allocation
there has ended. With a hundred attempts from one machine that is a matter of time.
"""

import asyncio
from asyncio import BaseProtocol, DatagramTransport
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_Protocol = TypeVar("_Protocol", bound=BaseProtocol)


class PortLoop(asyncio.SelectorEventLoop):
    """A loop of which everybody who leaves the port of a UDP socket open gets the next one.

    Parameters
    ----------
    ports : iterable of int
        All free; when they are used up, the kernel draws.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        super().__init__()
        self._ports = iter(ports)

    async def create_datagram_endpoint(  # type: ignore[override]  # all of the others are passed on
        self,
        protocol_factory: Callable[[], _Protocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **others: Any,
    ) -> tuple[DatagramTransport, _Protocol]:
        """Open a socket, as asyncio does; where it has no port of its own yet, on the next."""
        address, port = local_addr or ("0.0.0.0", 0)
        return await super().create_datagram_endpoint(
            protocol_factory, (address, port or next(self._ports, 0)), remote_addr, **others
        )
