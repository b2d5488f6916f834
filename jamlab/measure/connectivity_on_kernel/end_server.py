"""A server that forks a process for each end of a connectivity attempt.

Importing aiortc takes longer than most attempts, so one process does it, ``python -m
jamlab.measure.connectivity_on_kernel.end_server``, and forks for each end. It has a single thread
and no event loop, so a fork copies nothing that is half done. A request is one packet: what to be,
and one end of a socket pair over which the new process talks with the process that asked
(`jamlab.measure.connectivity_on_kernel.end_messages`). The kernel reaps the processes. Each ends
when the other end of its pair is closed, and the server when its parent is gone.

Each end opens its UDP sockets on ports that no end on the same host had before (`PortLoop`). A
kernel draws ports at random and may draw one again, and an end on a used port is no stranger to the
network: a NAT still lets in the peers of the earlier end, and coturn answers ``437 Allocation
Mismatch`` (RFC 8656 §7.2) until a second after an allocation there has ended. In a hundred attempts
from one host that happens.
"""

import asyncio
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
from asyncio import BaseProtocol, DatagramTransport, Runner
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.ends import Level, Log
from jamlab.measure.connectivity_on_kernel.end_process import Inside, here, serve_end
from jamlab.measure.connectivity_on_kernel.remote_end import RemoteEnd
from jamlab.process.child import ChildError

_Protocol = TypeVar("_Protocol", bound=BaseProtocol)


class PortLoop(asyncio.SelectorEventLoop):
    """An event loop that gives UDP sockets without a port of their own the next one of a list.

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


_MOST_BYTES = 65536
_CONTROL = 0
"""The server's end of its socket: standard input."""


class EndServer:
    """The server as its parent uses it, to start ends; a context manager.

    It is in a session of its own, so Ctrl-C reaches the parent alone.
    """

    def __enter__(self) -> "EndServer":
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__]
            self._server = subprocess.Popen(command, stdin=theirs.fileno(), start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._server.wait()

    async def open(
        self,
        side: str,
        configuration: IceConfiguration,
        level: Level,
        log: Log,
        inside: Inside = here,
        ports: Sequence[int] = (),
    ) -> RemoteEnd:
        """Return an end in a new process, as soon as it is there.

        Parameters
        ----------
        side, configuration, level, log
            As of `jamlab.measure.connectivity.ends.end_here`.
        inside : callable
            What the process enters first.
        ports : sequence of int
            Where its UDP sockets are, one after the other; by default the kernel draws.

        Raises
        ------
        jamlab.process.child.ChildError
            When the process cannot be started, or cannot enter.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            request = pickle.dumps((side, configuration, level, inside, ports))
            try:
                socket.send_fds(self._control, [request], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise ChildError(f"the {side}'s end", f"cannot be started: {error}") from error
        return await RemoteEnd.opened(ours, side, log)


def main() -> None:
    """Fork a process for each request until the parent is gone; the server's entry."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    control = socket.socket(fileno=_CONTROL)
    gc.freeze()  # memory that no collection writes to stays shared with the forked processes
    while True:
        request, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 1)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _be_an_end(request, fds[0])
        os.close(fds[0])


def _be_an_end(request: bytes, connection: int) -> None:
    """Be an end, and never return: nothing of the server is to be cleaned up here."""
    try:
        *what, ports = pickle.loads(request)
        there = socket.socket(fileno=connection)
        with Runner(loop_factory=partial(PortLoop, ports)) as runner:
            runner.run(serve_end(there, *what))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
