"""State of a candidate pair, as its checks and their answers have left it."""

import math
from dataclasses import dataclass

OFTEN_S, SELECTED_S, SPARE_S = 0.25, 2.5, 5.0
"""Intervals of checks: in doubt, of the selected pair, and of spare pairs."""

DEAD_S = 0.5
"""Time without an answer after which a pair is dead; longer on a path with a long round trip."""

STEADY_S = 1.0
"""Time for which a pair that was dead has to answer before it is preferred again."""


@dataclass(slots=True, eq=False)
class PairState:
    """State of a candidate pair; `priority` is RFC 8445's (§6.1.2.3)."""

    is_relayed: bool
    priority: int
    sent_s: float = -math.inf
    """Time of the last check."""
    tries: int = 0
    """Checks since the last answer."""
    asked_s: float = math.inf
    """Time of the first of these checks; infinity when there is none."""
    answered_s: float = -math.inf
    """Time of the last answer to a check of ours."""
    round_trip_s: float = 0.0
    heard_s: float = -math.inf
    """Time of the last packet that is not STUN."""
    triggered: bool = False
    nominated_s: float = -math.inf
    """Time of the peer's last nomination."""
    named_s: float = -math.inf
    """Time of the last check that nominates since the pair was selected."""
    is_named: bool = False
    """Whether such a check was answered."""
    was_dead: bool = False
    mended_s: float = -math.inf
    """Time of the first answer after the pair was dead."""

    @property
    def is_valid(self) -> bool:
        """Whether a check was ever answered."""
        return self.answered_s > -math.inf

    def is_doubtful(self, now_s: float) -> bool:
        """Whether an answer is overdue."""
        return now_s - self.asked_s >= max(OFTEN_S, 1.5 * self.round_trip_s)

    @property
    def dies_s(self) -> float:
        """Time at which the pair is dead without an answer."""
        return self.asked_s + max(DEAD_S, OFTEN_S + 2 * self.round_trip_s)

    def is_alive(self, now_s: float) -> bool:
        """Whether the pair is valid and not dead."""
        return self.is_valid and now_s < self.dies_s

    def is_steady(self, now_s: float) -> bool:
        """Whether the pair has not been dead lately."""
        return now_s - self.mended_s >= STEADY_S
