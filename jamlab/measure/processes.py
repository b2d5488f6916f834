"""Who does the work of a run, and who is told how far it is.

Processes inside of network namespaces, and the lines of JSON they and their owner exchange.

An envoy gets its task as the first line of standard input and orders as further ones, tells what
happens in lines on standard output, and goes when its input ends: also when its owner is dead.
"""

import asyncio
import json
import multiprocessing
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from jamlab.measure.reaches_itself import unreachable
from jamlab.process.signals import sigterm_unwinds

Progress: TypeAlias = Callable[[float, str], None]
"""Takes the share done, 0 to 1, and what is being done."""


@contextmanager
def process_pool() -> Iterator[Executor]:
    """Yield a process on every core; what is not begun is given up when the context fails.

    They are spawned, not forked: the parent may have threads, as a notebook's kernel has. SIGTERM
    ends the context, too, or they would outlive who was to wait for them.
    """
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    try:
        with sigterm_unwinds():
            yield pool
    except BaseException:
        # once: a second time would take it back that futures are to be cancelled
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


class WorkerError(RuntimeError):
    """The worker ended without a record."""


def check_reachable() -> None:
    """Refuse to measure on a machine that does not reach itself over UDP.

    Raises
    ------
    WorkerError
        Says why it does not, and what to do.
    """
    obstacle = unreachable()
    if obstacle is not None:
        raise WorkerError(str(obstacle))


async def run_worker(module: str, task: object, folder: Path, progress: Progress) -> None:
    """Run a module as a worker process, to its end.

    Parameters
    ----------
    module : str
        Its name.
    task : object
        What to do, for JSON.
    folder : Path
        Where the worker leaves its record.
    progress : callable
        Told how far it is, whenever the worker says so.

    Raises
    ------
    WorkerError
        When this machine does not reach itself, before anything is measured; when the worker
        fails, with the last line it wrote.
    """
    await asyncio.to_thread(check_reachable)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(folder), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        errors = await _attend(worker, task, progress)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    if worker.returncode != 0:
        last = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise WorkerError(f"the measuring process ended with {worker.returncode}: {last}")


async def _attend(worker: Process, task: object, progress: Progress) -> bytes:
    """Give the worker its task, pass its progress on; returns what it wrote to standard error."""
    assert worker.stdin
    assert worker.stdout
    assert worker.stderr
    reading_errors = asyncio.create_task(worker.stderr.read())
    try:
        worker.stdin.write(json.dumps(task).encode())
        worker.stdin.close()
        async for line in worker.stdout:
            progress(*json.loads(line))
        await worker.wait()
        return await reading_errors
    finally:
        reading_errors.cancel()


def report(done: float, doing: str) -> None:
    """Tell the parent how far this worker is."""
    print(json.dumps([done, doing]), flush=True)


Tell = Callable[[dict[str, Any]], None]
"""Takes what an envoy tells its owner."""


_LONGEST_LINE = 1 << 20


class ChildProcess:
    """The owner's end of a process that runs; make one with `child_process`."""

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
async def child_process(
    name: str, module: str, task: object, within: Callable[..., Sequence[str]]
) -> AsyncIterator[ChildProcess]:
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
    sent = ChildProcess(name, process)
    try:
        sent.order(task)
        yield sent
    finally:
        await sent.close()


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
