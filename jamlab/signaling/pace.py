"""How fast a service may be asked, and how soon again after it failed."""

from random import Random


class TokenBucket:
    """Permission to do `rate_per_s` things a second on average, and `burst` at once.

    In any T seconds it permits at most ``burst + rate_per_s * T``.

    Parameters
    ----------
    rate_per_s : float
        How fast it fills.
    burst : float
        How much it holds; it starts full.
    """

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at_s: float | None = None

    def wait_s(self, cost: float, now_s: float) -> float:
        """Return how long until `cost` can be taken; what costs more than all takes all."""
        self._fill(now_s)
        return max(0.0, min(cost, self._burst) - self._tokens) / self._rate_per_s

    def take(self, cost: float, now_s: float) -> bool:
        """Take `cost`, if it is there."""
        # a remainder too small to be waited for by the clock counts as nothing
        if self.wait_s(cost, now_s) > 1e-6:
            return False
        self._tokens -= min(cost, self._burst)
        return True

    def is_full(self, now_s: float) -> bool:
        """Return whether nothing has been taken lately: a new one would permit the same."""
        self._fill(now_s)
        return self._tokens >= self._burst

    def _fill(self, now_s: float) -> None:
        if self._filled_at_s is not None:
            earned = max(0.0, now_s - self._filled_at_s) * self._rate_per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at_s = now_s


def backoff_s(attempt: int, random: Random, *, first_s: float, most_s: float) -> float:
    """Return how long to wait before an attempt: twice as long each time, with jitter, capped.

    The jitter is the upper half, so that those who lost a service together do not all come back at
    the same moment, and nobody comes back at once.

    Parameters
    ----------
    attempt : int
        How many attempts failed before, from 0.
    random : Random
        Where the jitter comes from.
    first_s, most_s : float
        The longest wait before the first attempt, and before any.
    """
    longest_s = min(most_s, first_s * 2.0 ** min(attempt, 32))
    return longest_s * random.uniform(0.5, 1.0)
