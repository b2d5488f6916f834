"""An event loop whose network is simulated: the world as aioice and aiortc see it through asyncio.

They open their sockets by `create_datagram_endpoint` and `create_connection`, look names up through
the loop, and read its time. Here all of that is answered by the host the running task belongs to
(`jamlab.networks.simulated.host`), and the time by a clock that is passed in, so they run
unmodified. There is no socket, no file descriptor and no thread in it.

Asyncio leaves two things open that are settled here. It promises no order among timers that are due
at the same time, but packets sent one after the other over a line that delays them equally must
arrive so: a number beside the time keeps them in order. And sets of tasks, such as `asyncio.wait`
returns, have the order of the tasks' hashes, by default their places in memory: here the hashes are
numbers, too, so that the same seed gives the same run.

Handles, too, are made and cancelled here for less: asyncio's own ask the loop each time whether it
debugs, and tell it of every cancellation. A call over the simulated internet makes a hundred
handles, and is to cost a millisecond.

Names of asyncio's that are private are used for that: `_run_once` and `_write_to_self`, which
`BaseEventLoop` leaves to its subclasses, what these need of its state, and the slots of a handle.
`tests/test_project.py` fails loudly when one moves in another version of Python.
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

from jamlab.networks.model.packet import TCP, Address
from jamlab.networks.simulated.clock import Clock, DeadlockError, VirtualClock
from jamlab.networks.simulated.host import current_host
from jamlab.networks.simulated.stream import StreamServer, connect


class Handle(asyncio.TimerHandle):
    """A callback for a time, or for the next round; parameters as of asyncio's.

    Which of the two it is says the queue it stands in.
    """

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
        """Never call back, and let go what the callback held on to."""
        self._cancelled = True
        self._callback, self._args = None, ()


T = TypeVar("T")


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is the same in every run."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio loop on a clock and a network of jamlab's.

    Parameters
    ----------
    clock : Clock
        What time it is, and what waiting costs.
    seed : int
        Of all that is random on this loop.
    """

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
        self.time = clock.time  # type: ignore[method-assign]  # asked a hundred times a call
        self.random = random.Random(seed)
        """Where everything on this loop draws from, so that a seed says all."""
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
        """Call back at a time; those of the same time in the order they were asked for."""
        if self._debug or self._closed:
            self._check_closed()
            self._check_thread()
        timer = Handle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back in the next round; asyncio's own, without its checks."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = Handle(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def close(self) -> None:
        """Close the loop; what is still due never happens."""
        super().close()
        self._timers.clear()

    # What `BaseEventLoop` leaves to its subclasses, and its round, which looks for sockets

    def _run_once(self) -> None:
        """Wait for the next timer unless there is something to do, and do what is due.

        Rounds that take no time, as all do on a virtual clock, follow each other here: asyncio's
        way from one to the next costs as much as what is done in one.
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
            for _ in range(len(ready)):  # what these add is for the next round
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
        """Bind a UDP port of the current host; as asyncio's own.

        Raises
        ------
        OSError
            When the address is not the host's, or the port is taken.
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
        """Open a stream from the current host; as asyncio's own, without TLS.

        Raises
        ------
        OSError
            When nobody listens there, or no answer comes.
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
        """Listen for streams on the current host; as asyncio's own.

        Raises
        ------
        OSError
            When the address is not the host's, or the port is taken.
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
        """Look a name up in the simulated internet."""
        address = current_host().resolve(host)
        return [(socket.AF_INET, type or socket.SOCK_DGRAM, 0, "", (address, port))]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Call at once: a thread would live in real time. Names are looked up in the simulation."""
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
    task.number = next(loop._numbers)  # before `__init__`, which puts it into a set
    task.__init__(coroutine, loop=loop, **options)  # type: ignore[misc]
    return task


def run_simulated(main: Coroutine[Any, Any, T], *, seed: int = 0, clock: Clock | None = None) -> T:
    """Run a coroutine like `asyncio.run`, on a simulated loop.

    Parameters
    ----------
    main : coroutine
        What to run.
    seed : int
        Of all that is random on the loop.
    clock : Clock, optional
        Default: a `VirtualClock` of its own, beginning at 0 s.

    Raises
    ------
    DeadlockError
        When nothing is left to do before `main` has ended.
    RuntimeError
        When a loop runs in this thread already.
    """
    if _a_loop_runs():
        main.close()
        raise RuntimeError(
            "a simulated loop cannot run inside of a loop that runs already, as in a notebook's "
            "cell: give it a thread or a process of its own"
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
    """Cancel what still runs; what refuses to end is deadlocked, and that was said already."""
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
