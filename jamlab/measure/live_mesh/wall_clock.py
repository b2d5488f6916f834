"""A machine's clock for times that are sent to another machine.

Times are taken by the event loop's clock, which is never set. A constant is added, read once: the
wall clock's lead over it. So setting the wall clock during a measurement does not disturb the
measurement, and the receiver still sees a time of day.
"""

import asyncio
import time
from dataclasses import dataclass

_TRIES = 9


@dataclass(frozen=True)
class WallClock:
    """The loop's clock, shifted to the wall clock's, which is ahead of it by `ahead_s`.

    `error_s` is the largest error of that, in either direction.
    """

    ahead_s: float
    error_s: float

    @classmethod
    def read(cls) -> "WallClock":
        """Read the running loop's clock before and after the wall clock, which bounds the error."""
        now_s = asyncio.get_running_loop().time
        readings = [(now_s(), time.time(), now_s()) for _ in range(_TRIES)]
        before_s, wall_s, after_s = min(readings, key=lambda reading: reading[2] - reading[0])
        return cls(wall_s - (before_s + after_s) / 2, (after_s - before_s) / 2)

    def at(self, loop_s: float) -> float:
        """Return this clock's reading at a time of the loop's clock, in seconds."""
        return loop_s + self.ahead_s
