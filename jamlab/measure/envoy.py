"""Processes inside of network namespaces, and the lines of JSON they and their owner exchange.

An envoy gets its task as the first line of standard input and orders as further ones, tells what
happens in lines on standard output, and goes when its input ends: also when its owner is dead.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from jamlab.measure.workers import WorkerError

Tell = Callable[[dict[str, Any]], None]
"""Takes what an envoy tells its owner."""

_LONGEST_LINE = 1 << 20


class Envoy:
    """The owner's end of a process that runs; make one with `envoy`."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process
        assert process.stderr
        self._errors = asyncio.create_task(process.stderr.read())

    def order(self, what: object) -> None:
        """Send it a line."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def told(self) -> dict[str, Any]:
        """Return the next it tells.

        Raises
        ------
        WorkerError
            It has ended; with the last line it wrote to standard error.
        """
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise WorkerError(f"the process of {self.name} ended: {await self._last_words()}")
        found: dict[str, Any] = json.loads(line)
        return found

    async def dismiss(self) -> dict[str, Any]:
        """Have it go; returns the last it tells."""
        assert self._process.stdin
        self._process.stdin.close()
        last = await self.told()
        await self._process.wait()
        return last

    async def _last_words(self) -> str:
        written = (await self._errors).decode(errors="replace").strip().splitlines()
        return written[-1] if written else "no message"

    async def close(self) -> None:
        """End it, if it has not."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._errors


@asynccontextmanager
async def envoy(
    name: str, module: str, task: object, within: Callable[..., Sequence[str]]
) -> AsyncIterator[Envoy]:
    """Run a module as an envoy; what is left of it is killed when the context ends.

    Parameters
    ----------
    name : str
        What to call it in complaints.
    module : str
        Its name; its `main` calls `attend`.
    task : object
        What to do, for JSON.
    within : callable
        Takes a command and returns one that runs it in a namespace.
    """
    process = await asyncio.create_subprocess_exec(
        *within(sys.executable, "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=_LONGEST_LINE,
    )
    sent = Envoy(name, process)
    try:
        sent.order(task)
        yield sent
    finally:
        await sent.close()


# The envoy's own end


def tell(what: dict[str, Any]) -> None:
    """Tell the owner."""
    print(json.dumps(what), flush=True)


@asynccontextmanager
async def orders() -> AsyncIterator[asyncio.StreamReader]:
    """Yield standard input as a stream."""
    reader = asyncio.StreamReader(_LONGEST_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()
