"""A machine's clock, for times that another machine is told.

What is timed here is timed by the event loop's clock, which nobody sets. Told to others it has a
constant added, read once: what the wall clock showed then. So a wall clock that is set during a
measurement does not disturb it, and its reader still sees a time of day.
"""

import asyncio
import time
from dataclasses import dataclass

_TRIES = 9


@dataclass(frozen=True)
class WallClock:
    """The loop's clock, shifted to the wall clock's.

    Parameters
    ----------
    ahead_s : float
        What the wall clock shows beyond the loop's.
    error_s : float
        How far that can be off, either way.
    """

    ahead_s: float
    error_s: float

    @classmethod
    def read(cls) -> "WallClock":
        """Read both clocks; the running loop's before and after, so that the error is known."""
        now_s = asyncio.get_running_loop().time
        readings = [(now_s(), time.time(), now_s()) for _ in range(_TRIES)]
        before_s, wall_s, after_s = min(readings, key=lambda reading: reading[2] - reading[0])
        return cls(wall_s - (before_s + after_s) / 2, (after_s - before_s) / 2)

    def at(self, loop_s: float) -> float:
        """Return what this clock shows at a time of the loop's, in seconds."""
        return loop_s + self.ahead_s
