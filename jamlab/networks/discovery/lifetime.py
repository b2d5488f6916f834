"""Search for the lifetime of a NAT's mapping and filter entry (RFC 5780, section 4.6).

RFC 5780 bisects: is the mapping still open after a wait? Waits cannot be shortened, but can run at
the same time, each on a port of its own. So this search divides the interval into several parts,
takes the results in the order of the waits, and ends the round at the first wait that was too long.
"""

import math

PARTS = 9
"""Largest number of parts of an interval, and so of ports open at once."""


class LifetimeSearch:
    """Narrow down a lifetime.

    `limit_s` is the longest wait, `resolution_s` the largest distance of the final bounds. Raises
    ValueError if one of them is not above 0, or not finite.
    """

    def __init__(self, limit_s: float = 600.0, resolution_s: float = 5.0) -> None:
        if not (0 < limit_s < math.inf and 0 < resolution_s < math.inf):
            raise ValueError(
                f"limit_s is {limit_s!r} and resolution_s {resolution_s!r}: give seconds above 0"
            )
        self._limit_s = limit_s
        self._resolution_s = resolution_s
        self._too_long_s = math.inf
        self._low_s, self._high_s = 0.0, math.inf

    def waits_s(self) -> list[float]:
        """Return the waits of the next round, ascending, in seconds; empty at the end."""
        low_s, high_s = self._low_s, self._too_long_s
        if high_s < math.inf:
            parts = min(PARTS, math.ceil((high_s - low_s) / self._resolution_s))
            return [low_s + (high_s - low_s) * (part / parts) for part in range(1, parts)]
        if low_s < self._limit_s:
            return [self._limit_s * (part / PARTS) for part in range(1, PARTS + 1)]
        return []

    def tell(self, wait_s: float, closed_after_s: float) -> None:
        """Take the result of a wait: the time after which the mapping was certainly closed.

        That time is infinite when the mapping was still open after the wait.
        """
        if closed_after_s < math.inf:
            self._too_long_s = wait_s
            self._high_s = min(self._high_s, closed_after_s)
        else:
            self._low_s = max(self._low_s, wait_s)

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The longest time for which it stayed open, and the shortest after which it was closed."""
        return self._low_s, self._high_s
