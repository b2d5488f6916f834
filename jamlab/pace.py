"""Rate limits (token bucket) and exponential backoff."""

from random import Random


class TokenBucket:
    """Rate limit: `rate_per_s` on average, and `burst` at once.

    In any T seconds it permits at most ``burst + rate_per_s * T``. The bucket starts full.
    """

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at_s: float | None = None

    def wait_s(self, cost: float, now_s: float) -> float:
        """Return the time until `cost` can be taken; a cost above the capacity takes all tokens."""
        self._fill(now_s)
        return max(0.0, min(cost, self._burst) - self._tokens) / self._rate_per_s

    def take(self, cost: float, now_s: float) -> bool:
        """Take `cost` tokens, if available; return whether they were."""
        # a shortage shorter than the clock's resolution does not count
        if self.wait_s(cost, now_s) > 1e-6:
            return False
        self._tokens -= min(cost, self._burst)
        return True

    def is_full(self, now_s: float) -> bool:
        """Return whether the bucket is full, so that a new one would permit the same."""
        self._fill(now_s)
        return self._tokens >= self._burst

    def _fill(self, now_s: float) -> None:
        if self._filled_at_s is not None:
            earned = max(0.0, now_s - self._filled_at_s) * self._rate_per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at_s = now_s


def backoff_s(attempt: int, random: Random, *, first_s: float, most_s: float) -> float:
    """Return the wait before an attempt: exponential backoff with jitter.

    The jitter covers the upper half of the wait, so that clients that lost a service together do
    not return at the same moment, and none returns at once. `attempt` is the number of failed
    attempts. `first_s` and `most_s` are the longest wait before the first attempt, and before any.
    """
    longest_s = min(most_s, first_s * 2.0 ** min(attempt, 32))
    return longest_s * random.uniform(0.5, 1.0)
