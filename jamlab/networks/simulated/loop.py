"""An asyncio event loop with a simulated network, on which aioice and aiortc run unmodified.

aioice and aiortc open sockets by `create_datagram_endpoint` and `create_connection`, resolve names
through the loop, and read its time. Here the current task's host answers all of that
(`jamlab.networks.simulated.host`), and a given clock provides the time. The loop has no sockets, no
file descriptors and no threads.

Two orders that asyncio leaves open are fixed here, so that the same seed gives the same run. Timers
of the same time run in the order of their creation, by a serial number: packets sent one after the
other over a link of constant delay must arrive in order. And tasks hash by a serial number instead
of their memory address, which determines the order of sets such as those of `asyncio.wait`.

Cheap handles replace asyncio's: those check the loop's debug mode and report every cancellation to
it. A call over the simulated internet makes a hundred handles, and should cost a millisecond.

This module uses private names of asyncio: `_run_once` and `_write_to_self`, which `BaseEventLoop`
leaves to its subclasses, the state that these need, and the slots of a handle.
`tests/test_project.py` fails with a clear message when one moves in another version of Python.
"""

import asyncio
import contextlib
import heapq
import itertools
import random
import socket
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from jamlab.networks.model.addresses import is_ipv6
from jamlab.networks.model.packet import TCP, Address
from jamlab.networks.simulated.clock import Clock, DeadlockError, VirtualClock
from jamlab.networks.simulated.host import as_sockets_have_it, current_host
from jamlab.networks.simulated.stream import StreamServer, connect


class Handle(asyncio.TimerHandle):
    """A callback for a time or for the next iteration, depending on its queue."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None = None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = False

    def cancel(self) -> None:
        """Cancel the callback, and release its references."""
        self._cancelled = True
        self._callback, self._args = None, ()


T = TypeVar("T")


class _Task(asyncio.Task[Any]):
    """A task with a reproducible hash, and so a reproducible order in sets."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio loop with a given clock and a simulated network; `seed` is that of `random`."""

    _ready: deque[asyncio.Handle]
    _asyncgens: weakref.WeakSet[Any]
    _closed: bool
    _debug: bool
    _stopping: bool
    _check_closed: Callable[[], None]
    _check_thread: Callable[[], None]

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        super().__init__()
        self.clock = clock
        self.time = clock.time  # type: ignore[method-assign]  # read very often
        self.random = random.Random(seed)
        """The only random generator of the simulation."""
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.set_task_factory(_numbered)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a time; callbacks of the same time run in the order of their creation."""
        if self._debug or self._closed:
            self._check_closed()
            self._check_thread()
        timer = Handle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back in the next iteration, like asyncio's, but without its checks."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = Handle(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def close(self) -> None:
        """Close the loop, and drop its timers."""
        super().close()
        self._timers.clear()

    # Hooks that `BaseEventLoop` leaves to its subclasses, and its iteration, here without sockets

    def _run_once(self) -> None:
        """Wait for the next timer unless callbacks are ready, and run all due callbacks.

        Iterations at the same time, i.e. all on a virtual clock, are run in one call: asyncio's way
        from one to the next costs as much as an iteration itself.
        """
        ready, timers = self._ready, self._timers
        if not ready and not self._stopping:
            while timers and timers[0][2].cancelled():
                heapq.heappop(timers)
            self.clock.wait(timers[0][0] if timers else None)
        now_s = self.clock.time()
        while True:
            while timers and timers[0][0] <= now_s:
                ready.append(heapq.heappop(timers)[2])
            for _ in range(len(ready)):  # callbacks added meanwhile belong to the next iteration
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()
            if not ready or self._stopping or self.clock.time() > now_s:
                return

    def _write_to_self(self) -> None:
        self.clock.wake()

    # The network

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        local_addr: Address | None = None,
        remote_addr: Address | None = None,
    ) -> tuple[Any, Any]:
        """Bind a UDP port of the current host, like asyncio's.

        Raises OSError if it is not an address of the host, or the port is in use.
        """
        host = current_host()
        remote = (host.resolve(remote_addr[0]), remote_addr[1]) if remote_addr else None
        protocol = protocol_factory()
        return host.open_udp(protocol, local_addr, remote), protocol

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
    ) -> tuple[Any, Any]:
        """Open a stream from the current host, like asyncio's, but without TLS.

        Raises OSError if the port is closed, or no answer comes.
        """
        if ssl:
            raise OSError("the simulated internet has no TLS: use turn: over TCP instead of turns:")
        if host is None or port is None:
            raise ValueError("a simulated stream needs a host and a port to connect to")
        here = current_host()
        return await connect(here, protocol_factory, (here.resolve(host), port))

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        host: str | None = None,
        port: int | None = None,
    ) -> Any:
        """Listen for streams on the current host, like asyncio's.

        Raises OSError if it is not an address of the host, or the port is in use.
        """
        here = current_host()
        return StreamServer(here, protocol_factory, here.free_address(TCP, (host or "", port or 0)))

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        **_options: Any,
    ) -> list[Any]:
        """Resolve a name of the simulated internet."""
        address = current_host().resolve(host)
        version = socket.AF_INET6 if is_ipv6(address) else socket.AF_INET
        shown = as_sockets_have_it((address, port))
        return [(version, type or socket.SOCK_DGRAM, 0, "", shown)]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Call at once, as a thread would run in real time; resolve names in the simulation."""
        future: asyncio.Future[T] = self.create_future()
        called: Callable[..., Any] = func
        if func is socket.gethostbyname:
            called = current_host().resolve
        try:
            future.set_result(called(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _numbered(loop: Any, coroutine: Any, **options: Any) -> _Task:
    task = _Task.__new__(_Task)
    task.number = next(loop._numbers)  # before `__init__`, which adds the task to a set
    task.__init__(coroutine, loop=loop, **options)  # type: ignore[misc]
    return task


def run_simulated(main: Coroutine[Any, Any, T], *, seed: int = 0, clock: Clock | None = None) -> T:
    """Run a coroutine like `asyncio.run`, on a simulated loop, by default in virtual time.

    `seed` is that of the loop's random generator. Raises `DeadlockError` if there are no timers and
    no ready callbacks before `main` has ended, and RuntimeError if a loop already runs in this
    thread.
    """
    if _a_loop_runs():
        main.close()
        raise RuntimeError(
            "a simulated loop cannot run inside a running loop, e.g. in a notebook cell: run it in "
            "a thread or a process of its own"
        )
    loop = SimulatedLoop(clock if clock is not None else VirtualClock(), seed)
    try:
        return loop.run_until_complete(main)
    finally:
        try:
            _wind_up(loop)
        finally:
            loop.close()


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _wind_up(loop: SimulatedLoop) -> None:
    """Cancel the remaining tasks; a deadlock here is not reported, as one was before."""
    with contextlib.suppress(DeadlockError):
        while remaining := sorted(asyncio.all_tasks(loop), key=hash):
            for task in remaining:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*remaining, return_exceptions=True))
            _report_failures(loop, remaining)
        if loop._asyncgens:
            loop.run_until_complete(loop.shutdown_asyncgens())


def _report_failures(loop: SimulatedLoop, tasks: "list[asyncio.Task[Any]]") -> None:
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler(
                {"message": "a task failed when it was cancelled", "exception": error, "task": task}
            )
