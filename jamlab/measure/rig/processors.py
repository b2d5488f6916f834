"""How busy a machine's processors are over a time, from two readings of the kernel's counters."""

from pathlib import Path
from typing import TypeAlias

_STAT = Path("/proc/stat")
_IDLE = slice(3, 5)  # idle and iowait of proc(5)
_TIMES = slice(0, 8)  # guests' time is in the user's already

Ticks: TypeAlias = tuple[int, int]
"""Ticks of all processors since the machine began: idle ones, and all."""


def ticks() -> Ticks:
    """Read the counters of all processors together."""
    return ticks_in(_STAT.read_text(encoding="ascii"))


def ticks_in(stat: str) -> Ticks:
    """Return the counters in the text of ``/proc/stat``.

    Examples
    --------
    >>> ticks_in("cpu  10 0 20 60 10 0 0 0 5 0")
    (70, 100)
    """
    times = [int(word) for word in stat.splitlines()[0].split()[1:]]
    return sum(times[_IDLE]), sum(times[_TIMES])


def busy_share(before: Ticks, after: Ticks) -> float:
    """Return the share of the processors' time that was not idle, 0 to 1, between two readings.

    Examples
    --------
    >>> busy_share((70, 100), (80, 200))
    0.9
    """
    idle, whole = (late - early for early, late in zip(before, after, strict=True))
    return 1 - idle / whole if whole > 0 else 0.0
