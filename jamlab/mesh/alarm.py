"""When to tell a user that the latency to a peer is high, and when that it no longer is.

One sample above the threshold is no news, and a latency that hovers about it must not be told of
again and again. So it has to stay above for a while to be told, and below a lower threshold for a
longer while to be taken back. Two alarms are therefore at least ``raise_after_s + clear_after_s``
apart, whatever the latency does. No clock here: samples come with the time.
"""

from jamlab.mesh.notices import NoticeKind

HIGH_LATENCY_S = 0.100
"""One way; what the product calls high."""


class LatencyAlarm:
    """Watches the latency to one peer.

    Parameters
    ----------
    high_s : float
        Latency above which it is high.
    normal_s : float
        Latency below which it is normal again.
    raise_after_s : float
        How long it has to be high without a break.
    clear_after_s : float
        How long it has to be normal without a break.
    """

    def __init__(
        self,
        *,
        high_s: float = HIGH_LATENCY_S,
        normal_s: float = 0.9 * HIGH_LATENCY_S,
        raise_after_s: float = 2.0,
        clear_after_s: float = 5.0,
    ) -> None:
        self.raised = False
        """Whether the user was told that the latency is high, and not yet that it no longer is."""
        self._high_s = high_s
        self._normal_s = normal_s
        self._raise_after_s = raise_after_s
        self._clear_after_s = clear_after_s
        self._since_s: float | None = None  # it is otherwise than was told

    def observe(self, one_way_s: float | None, now_s: float) -> NoticeKind | None:
        """Take a sample; returns what to tell the user, if anything.

        Parameters
        ----------
        one_way_s : float or None
            The latency; None when it is not known, which is neither high nor normal.
        now_s : float
            When, by any clock that does not go back.
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
        """Tell whether a latency is otherwise than the user was told."""
        return one_way_s < self._normal_s if self.raised else one_way_s > self._high_s
