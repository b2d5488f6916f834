"""What time it is: virtual, where waiting costs nothing, or real.

An asyncio loop asks its selector to wait until the next timer is due. A loop of ours owns no
socket, so there is nothing else to wait for, and a clock can stand in its place: the real
one sleeps, the virtual one moves its hand. A connection that takes 63 s to fail then costs what its
packets cost.

With no timer left and nothing ready to run, a virtual loop would wait forever: nothing outside can
wake it, neither a thread nor a person. That is a deadlock, reported with what every task waits for.
It takes a deadline of one's own to notice that a loop goes on but gets nowhere, say because an ICE
agent keeps asking for consent.
"""

import asyncio
import threading
import time
from typing import Any, Protocol


class DeadlockError(RuntimeError):
    """Nothing is left to do, and somebody still waits."""


class Clock(Protocol):
    """What a `jamlab.networks.simulated.loop.SimulatedLoop` asks of its clock."""

    def time(self) -> float:
        """Return the time in seconds."""

    def wait(self, until_s: float | None) -> None:
        """Let the time pass until then, or, when it is None, until `wake`; may return early."""

    def wake(self) -> None:
        """Wait no longer; may be called by any thread."""


class VirtualClock:
    """Time that advances only when nothing is left to do, from 0 s."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def time(self) -> float:
        """Return the seconds since the clock was made."""
        return self._now_s

    def wait(self, until_s: float | None) -> None:
        """Move on to a time; it is exact, so what happens after a delay happens at that sum.

        Raises
        ------
        DeadlockError
            When there is none.
        """
        if until_s is None:
            raise DeadlockError(_who_waits(asyncio.all_tasks()))
        self._now_s = max(self._now_s, until_s)

    def wake(self) -> None:
        """Do nothing: a virtual clock never makes anybody wait."""


class RealClock:
    """Time as it passes, for the same networks in real time."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def time(self) -> float:
        """Return the seconds of the machine's monotonic clock."""
        return time.monotonic()

    def wait(self, until_s: float | None) -> None:
        """Sleep."""
        self._woken.wait(None if until_s is None else until_s - self.time())
        self._woken.clear()

    def wake(self) -> None:
        """End the sleep, or the next one if nobody sleeps."""
        self._woken.set()


def _who_waits(tasks: "set[asyncio.Task[Any]]") -> str:
    waiting = sorted(f"{task.get_name()} in {_place(task)}" for task in tasks if not task.done())
    return "nothing is left to do, and these still wait: " + ("; ".join(waiting) or "no task")


def _place(task: "asyncio.Task[Any]") -> str:
    """Say where a task is suspended: the innermost coroutine of it."""
    awaited: Any = task.get_coro()
    inner = awaited
    while hasattr(awaited, "cr_await"):
        inner, awaited = awaited, awaited.cr_await
    frame = getattr(inner, "cr_frame", None)
    name = getattr(inner, "__qualname__", repr(inner))
    return f"{name} (line {frame.f_lineno} of {frame.f_code.co_filename})" if frame else name
