"""Ends in processes of their own, forked from a server that has imported what an end needs.

Importing aiortc takes longer than most attempts, so one process does it, ``python -m
jamlab.measure.end_server``, and forks for each end. It has a single thread and no event loop, so
there is nothing a fork could catch in the middle. A request is one packet, with one end of a socket
pair on which the new process is told what to do. Nobody waits for those processes: the kernel
forgets them when they end, and they end when the other end of their pair does, however that came
about; the server ends with the process that started it.
"""

import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
from asyncio import Runner
from collections.abc import Sequence
from functools import partial

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.ends import Level, Log
from jamlab.measure.end_process import Inside, here, serve_end
from jamlab.measure.port_loop import PortLoop
from jamlab.measure.remote_end import EndProcessError, RemoteEnd

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
