"""Lag of the event loop that a measurement runs on.

A sound card's block of 64 frames lasts 1.3 ms, but asyncio's usual loop rounds every timer up to
whole milliseconds, the unit of epoll's timeout. `select` takes microseconds, so a measurement runs
on a loop built on it. The remaining lateness is this process's own and is measured during the run:
a result from a loop that lagged says nothing about the network, so it is invalid rather than slow.
"""

import asyncio
from dataclasses import dataclass

import numpy as np

PROBE_INTERVAL_S = 0.005
"""Time between two readings of the loop's lag."""


@dataclass(frozen=True, slots=True)
class LoopLag:
    """Lateness of the loop's timers, summarised."""

    readings: int
    """Number of timers."""
    median_s: float
    p95_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, lateness_s: list[float]) -> "LoopLag":
        """Summarise lateness in seconds; raise ValueError when there are no readings."""
        if not lateness_s:
            raise ValueError("the loop's lag was never read: measure for longer than 5 ms")
        median, p95, p99 = np.percentile(lateness_s, [50, 95, 99])
        return cls(len(lateness_s), float(median), float(p95), float(p99), max(lateness_s))

    def to_dict(self) -> dict[str, float]:
        """Return the summary for a record, in milliseconds."""
        return {
            "readings": self.readings,
            "median_ms": self.median_s * 1000,
            "p95_ms": self.p95_s * 1000,
            "p99_ms": self.p99_s * 1000,
            "max_ms": self.max_s * 1000,
        }


class LagProbe:
    """A context manager that reads the running loop's lag every few milliseconds.

    A stalled loop makes one late call where several were due, so a late call counts for each of
    them: the share of late readings is the share of time the loop was late.
    """

    def __init__(self) -> None:
        self._lateness_s: list[float] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "LagProbe":
        loop = asyncio.get_running_loop()
        self._schedule(loop, loop.time() + PROBE_INTERVAL_S)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def lag(self) -> LoopLag:
        """Summarise the readings so far."""
        return LoopLag.of(self._lateness_s)

    def _schedule(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        self._timer = loop.call_at(due_s, self._read, loop, due_s)

    def _read(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        while due_s <= now_s:
            self._lateness_s.append(now_s - due_s)
            due_s += PROBE_INTERVAL_S
        self._schedule(loop, due_s)
