"""Alarms about the path to a peer: high latency, with hysteresis in level and time, and relaying.

A single sample above the threshold does not matter, and a latency near the threshold must not cause
notice after notice. So the alarm is raised when the latency has stayed above the threshold for a
while, and cleared when it has stayed below a lower threshold for longer. Two alarms are therefore
at least ``raise_after_s + clear_after_s`` apart, whatever the latency does.

A connection often begins over a relay and is direct a moment later, so the user is told of a relay
only when it has stayed for a while. There is no clock here: each sample comes with its time.
"""

from jamlab.mesh.notices import NoticeKind

HIGH_LATENCY_S = 0.100
"""One-way latency that the product calls high."""

NORMAL_LATENCY_S = 0.090
"""One-way latency below which the product calls it normal again."""


class LatencyAlarm:
    """Latency alarm of one peer, with separate thresholds and times to raise and to clear it."""

    def __init__(
        self,
        *,
        high_s: float = HIGH_LATENCY_S,
        normal_s: float = NORMAL_LATENCY_S,
        raise_after_s: float = 2.0,
        clear_after_s: float = 5.0,
    ) -> None:
        self.raised = False
        self._high_s = high_s
        self._normal_s = normal_s
        self._raise_after_s = raise_after_s
        self._clear_after_s = clear_after_s
        self._since_s: float | None = None  # start of the deviation from the reported state

    def observe(self, one_way_s: float | None, now_s: float) -> NoticeKind | None:
        """Take a sample at a time of any monotonic clock, and return the notice it causes, if any.

        A latency of None is unknown: neither high nor normal.
        """
        if one_way_s is None or not self._differs(one_way_s):
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < (self._clear_after_s if self.raised else self._raise_after_s):
            return None
        self.raised, self._since_s = not self.raised, None
        return NoticeKind.HIGH_LATENCY if self.raised else NoticeKind.NORMAL_LATENCY

    def _differs(self, one_way_s: float) -> bool:
        """Return whether a latency deviates from the reported state."""
        return one_way_s < self._normal_s if self.raised else one_way_s > self._high_s


class RelayAlarm:
    """Alarm of one peer whose sound goes through a relay, for more than a moment."""

    def __init__(self, *, raise_after_s: float = 5.0) -> None:
        self.raised = False
        self._raise_after_s = raise_after_s
        self._since_s: float | None = None

    def observe(self, is_relayed: bool | None, now_s: float) -> NoticeKind | None:
        """Take a sample at a time of any monotonic clock, and return the notice it causes, if any.

        None is a route that is not known, which changes nothing.
        """
        if is_relayed is None:
            return None
        if not is_relayed:
            was_raised, self.raised, self._since_s = self.raised, False, None
            return NoticeKind.RESTORED if was_raised else None
        self._since_s = now_s if self._since_s is None else self._since_s
        if self.raised or now_s - self._since_s < self._raise_after_s:
            return None
        self.raised = True
        return NoticeKind.RELAYING
