"""A server that forks a process for each end of a connectivity attempt.

Importing aiortc takes longer than most attempts, so one process does it, ``python -m
jamlab.measure.connectivity_on_kernel.end_server``, and forks for each end. It has a single thread
and no event loop, so a fork never copies an unfinished operation. A request is one packet: the
arguments of the end, and one socket of a pair that connects the new process with the requesting
process (`jamlab.measure.connectivity_on_kernel.end_messages`). The kernel reaps the processes. Each
ends when the other socket of its pair is closed, and the server ends with its parent.

Each end opens its UDP sockets on ports that no earlier end on the same host used (`PortLoop`). A
kernel draws ports at random and may draw one again, and the network remembers a used port: a NAT
still has the mapping and filtering state of the earlier end, and coturn answers ``437 Allocation
Mismatch`` (RFC 8656 §7.2) until a second after an earlier allocation has ended. Within a hundred
attempts from one host that happens.
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
from jamlab.measure.connectivity_on_kernel.remote_process import RemoteProcess
from jamlab.measure.connectivity_on_kernel.session_end import SESSION
from jamlab.process.child import ChildError

_Protocol = TypeVar("_Protocol", bound=BaseProtocol)


class PortLoop(asyncio.SelectorEventLoop):
    """An event loop that binds UDP sockets without a given port to the next port of a list.

    When these are used up, the kernel draws.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        super().__init__()
        self._ports = iter(ports)

    async def create_datagram_endpoint(  # type: ignore[override]  # passes on all other arguments
        self,
        protocol_factory: Callable[[], _Protocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **others: Any,
    ) -> tuple[DatagramTransport, _Protocol]:
        """Open a socket as asyncio does; without a given port, on the next of the list."""
        address, port = local_addr or ("0.0.0.0", 0)
        return await super().create_datagram_endpoint(
            protocol_factory, (address, port or next(self._ports, 0)), remote_addr, **others
        )


_MOST_BYTES = 65536
_CONTROL = 0
"""The server's end of its socket: standard input."""


class EndServer:
    """The parent's side of the server, which starts ends; a context manager.

    The server is in its own process session, so Ctrl-C reaches the parent alone.
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
        outside: str = "",
    ) -> RemoteEnd:
        """Start an attempt's end in a new process; return it once it is ready.

        `inside` is called first in the process, to enter its place. The UDP sockets have `ports`,
        in order; by default the kernel draws. `outside` is the address at which the end's router
        has mapped them, if it has. Raises `ChildError` when the process cannot be started, or
        cannot enter its place.
        """
        connection = self._start(side, (side, configuration, level, inside, outside, ports))
        return await RemoteEnd.opened(connection, side, log)

    async def open_session(
        self,
        side: str,
        configuration: IceConfiguration,
        inside: Inside = here,
        ports: Sequence[int] = (),
    ) -> RemoteProcess:
        """Start a `SessionEnd` in a new process, as `open`."""
        connection = self._start(side, (side, configuration, SESSION, inside, "", ports))
        return await RemoteProcess.opened(connection, side, Log())

    def _start(self, side: str, arguments: tuple[Any, ...]) -> socket.socket:
        """Request a process, and return the socket that connects it with this one."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [pickle.dumps(arguments)], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise ChildError(f"the {side}'s end", f"cannot be started: {error}") from error
        return ours


def main() -> None:
    """Fork a process for each request until the parent ends; the server's entry point."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    control = socket.socket(fileno=_CONTROL)
    gc.freeze()  # keeps memory shared with the forked processes: a collection would write to it
    while True:
        request, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 1)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _run_end(request, fds[0])
        os.close(fds[0])


def _run_end(request: bytes, connection: int) -> None:
    """Serve an end and exit without cleaning up, for the resources are the server's."""
    try:
        *arguments, ports = pickle.loads(request)
        parent = socket.socket(fileno=connection)
        with Runner(loop_factory=partial(PortLoop, ports)) as runner:
            runner.run(serve_end(parent, *arguments))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
