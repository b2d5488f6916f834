"""When an agent looks for new addresses of this machine, and asks servers again.

The network of a call may change under it: an address goes before another one comes, a server
restarts, a firewall opens. While no packet comes, this machine's addresses are looked up. When no
pair works any more, everything is gathered anew. Servers that gave no candidate are asked again,
ever less often, while there is no direct path.

There is no I/O here: `Renewal.due_s` is the time for the next `step` if nothing else happens.
"""

import math
from enum import Enum, auto

LOOK_S = 0.5
"""Least interval at which addresses are looked up."""

AGAIN_S, LONGEST_AGAIN_S = 1.0, 30.0
"""Wait before servers without a candidate are asked again, doubled each time, and the longest."""

LOST_AGAIN_S = 2.0
"""The longest of these waits after the path was lost."""

FRESH_S = 2.0
"""Time after everything was gathered in which it is not gathered anew because no pair works."""


class PathState(Enum):
    """State of the selected pair."""

    DIRECT = auto()
    RELAYED = auto()
    QUIET = auto()
    """No packet comes on it."""
    LOST = auto()
    """No pair works, or none does yet."""


class Step(Enum):
    """What is to be done now; `ALL` includes the addresses, and both the servers."""

    LOOK = auto()
    """Gather anew if this machine has a new address."""
    ASK_AGAIN = auto()
    """Ask the servers that gave no candidate, unless their answer is awaited."""
    ASK_ANEW = auto()
    """Ask the servers that gave no candidate, even those whose answer is awaited."""
    ALL = auto()
    """Gather anew."""


class Renewal:
    """The steps of one agent; before its first pair works, the path counts as lost."""

    def __init__(self) -> None:
        self._path = PathState.LOST
        self._has_lost = False  # a path that worked
        self._look_s = self._gathered_s = -math.inf
        self._again_s = math.inf
        self._wait_s = AGAIN_S

    @property
    def due_s(self) -> float:
        """Time of the next `step`; infinity for none."""
        looks = self._path in (PathState.QUIET, PathState.LOST)
        return min(self._look_s if looks else math.inf, self._again_s)

    def step(self, path: PathState, now_s: float) -> list[Step]:
        """Return what is to be done now."""
        lost = path is PathState.LOST and self._path is not PathState.LOST
        self._path = path
        self._has_lost = path is PathState.LOST and (lost or self._has_lost)
        if lost and now_s >= self._gathered_s + FRESH_S:
            return [Step.ALL]
        return [*self._look(now_s), *self._ask_again(now_s)]

    def note_gathering(self, now_s: float) -> None:
        """Note that everything is gathered anew."""
        self._gathered_s, self._look_s = now_s, now_s + LOOK_S
        self._again_s, self._wait_s = now_s + AGAIN_S, AGAIN_S

    def _look(self, now_s: float) -> list[Step]:
        if self._path not in (PathState.QUIET, PathState.LOST) or now_s < self._look_s:
            return []
        self._look_s = now_s + LOOK_S
        return [Step.LOOK]

    def _ask_again(self, now_s: float) -> list[Step]:
        if self._path is PathState.DIRECT:
            self._again_s, self._wait_s = math.inf, AGAIN_S
            return []
        if math.isinf(self._again_s):
            self._again_s = now_s + self._wait_s
        if now_s < self._again_s:
            return []
        longest_s = LOST_AGAIN_S if self._has_lost else LONGEST_AGAIN_S
        self._wait_s = min(2 * self._wait_s, longest_s)
        self._again_s = now_s + self._wait_s
        return [Step.ASK_ANEW if self._has_lost else Step.ASK_AGAIN]
