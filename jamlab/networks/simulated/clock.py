"""Clocks of a simulated event loop: virtual time, in which waiting costs nothing, or real time.

An asyncio loop asks its selector to wait until the next timer is due. A simulated loop has no
sockets, so a clock replaces the selector: the real clock sleeps, the virtual clock jumps. A
connection that takes 63 s to fail then costs only the work for its packets.

Without timers and ready callbacks a virtual loop would wait forever, because neither threads nor
sockets can wake it. That is a deadlock, reported with the place where each task waits. A loop that
runs without progress, say because an ICE agent keeps sending consent checks, is not detected: give
the program a timeout.
"""

import asyncio
import threading
import time
from typing import Any, Protocol


class DeadlockError(RuntimeError):
    """There are no timers and no ready callbacks, but tasks still wait."""


class Clock(Protocol):
    """The clock of a `jamlab.networks.simulated.loop.SimulatedLoop`."""

    def time(self) -> float:
        """Return the time in seconds."""

    def wait(self, until_s: float | None) -> None:
        """Wait until a time or, with None, until `wake`; may return early."""

    def wake(self) -> None:
        """End the wait; any thread may call this."""


class VirtualClock:
    """Time that starts at 0 s and advances only when the loop waits."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def time(self) -> float:
        """Return the seconds since the clock was made."""
        return self._now_s

    def wait(self, until_s: float | None) -> None:
        """Jump to a time, exactly; raises DeadlockError when there is no time to wait for."""
        if until_s is None:
            raise DeadlockError(_deadlock(asyncio.all_tasks()))
        self._now_s = max(self._now_s, until_s)

    def wake(self) -> None:
        """Do nothing: a virtual clock never blocks."""


class RealClock:
    """The machine's monotonic clock, for simulated networks in real time."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def time(self) -> float:
        """Return the time in seconds."""
        return time.monotonic()

    def wait(self, until_s: float | None) -> None:
        """Sleep."""
        self._woken.wait(None if until_s is None else until_s - self.time())
        self._woken.clear()

    def wake(self) -> None:
        """End the current sleep, or else the next one."""
        self._woken.set()


def _deadlock(tasks: "set[asyncio.Task[Any]]") -> str:
    waiting = sorted(f"{task.get_name()} in {_place(task)}" for task in tasks if not task.done())
    return "nothing is left to do, and these tasks still wait: " + ("; ".join(waiting) or "none")


def _place(task: "asyncio.Task[Any]") -> str:
    """Return where a task is suspended, in its innermost coroutine."""
    awaited: Any = task.get_coro()
    inner = awaited
    while hasattr(awaited, "cr_await"):
        inner, awaited = awaited, awaited.cr_await
    frame = getattr(inner, "cr_frame", None)
    name = getattr(inner, "__qualname__", repr(inner))
    return f"{name} (line {frame.f_lineno} of {frame.f_code.co_filename})" if frame else name
