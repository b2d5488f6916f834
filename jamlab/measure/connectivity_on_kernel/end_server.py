"""Ends in processes of their own, forked from a server that has imported what an end needs.

Importing aiortc takes longer than most attempts, so one process does it, ``python -m
jamlab.measure.connectivity_on_kernel.end_server``, and forks for each end. It has a single thread
and no event loop, so there is nothing a fork could catch in the middle. A request is one packet,
with one end of a socket pair on which the new process is told what to do. Nobody waits for those
processes: the kernel forgets them when they end, and they end when the other end of their pair
does, however that came about; the server ends with the process that started it.

An event loop whose UDP sockets get the local ports they are told to, each once.

A kernel draws ports at random, and a port that was closed may be drawn again. Whoever gets one that
somebody had before is not the stranger he should be: a NAT still lets in whom the other had asked,
and coturn answers ``437 Allocation Mismatch`` (RFC 8656 §7.2) until a second after an allocation
there has ended. With a hundred attempts from one machine that is a matter of time.
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
from jamlab.measure.connectivity_on_kernel.remote_end import EndProcessError, RemoteEnd

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


_MOST_BYTES = 65536
_CONTROL = 0
"""The server's end of its socket: standard input."""


class EndServer:
    """Starts ends in processes of their own; a context manager.

    The server is no part of the terminal's process group, so that Ctrl-C is the parent's to handle.
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
        EndProcessError
            When the process cannot be started, or cannot enter.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            request = pickle.dumps((side, configuration, level, inside, ports))
            try:
                socket.send_fds(self._control, [request], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise EndProcessError(f"no process can be started for an end: {error}") from error
        return await RemoteEnd.opened(ours, side, log)


def main() -> None:
    """Fork a process for each request until the parent is gone; the server's entry."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    control = socket.socket(fileno=_CONTROL)
    gc.freeze()
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
