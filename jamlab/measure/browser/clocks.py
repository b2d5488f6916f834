"""The clocks of pages and of audio contexts, tied to this process's clock.

A *page's clock* is ``performance.now()``. It is read many times from here; each reading lies
between the call and its answer, so each bounds the offset, and all bounds hold at once. Both clocks
are the machine's, so there is no skew between them.

An *audio context* renders in blocks, as its device asks for them; its clock, ``currentTime``, is
ahead of time at the beginning of a block and falls behind until the next. The clock where it leads
most gives every frame its time: the last frame of a block has the time at which the block is
rendered, and the others come before it at even distances. So a microphone is one whose block is
handed over when its last frame has been captured, and an ear hears a frame before the block has to
wait for its device; what devices add is not in the figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

RESOLUTION_S = 1e-4
"""Rounding of ``performance.now()`` in a page that is not isolated (W3C High Resolution Time)."""

_WINDOW_S = 1.0
_FEWEST = 20


class ClockError(RuntimeError):
    """Raised when the readings do not tie a clock to another."""


@dataclass(frozen=True, slots=True)
class PageClock:
    """The offset of a page's clock: this process's reading less the page's, in seconds."""

    offset_s: float
    bound_s: float
    """The offset's largest error."""


def page_clock(readings: Sequence[tuple[float, float, float]]) -> PageClock:
    """Return the offset of a page's clock.

    A reading is this process's time before the call, the page's time, and this process's time
    after the answer, all in seconds. Raises `ClockError` when the readings contradict each other.
    """
    before, page, after = np.asarray(readings, dtype=np.float64).T
    low, high = float((before - page).max()), float((after - page).min())
    if high + RESOLUTION_S < low:
        raise ClockError(
            "the page's clock did not run evenly with this machine's: measure again when the "
            "machine is not suspended and its load is low"
        )
    return PageClock((low + high) / 2, max(0.0, high - low) / 2 + RESOLUTION_S)


@dataclass(frozen=True, slots=True)
class ContextClock:
    """The clock of an audio context: page seconds of its second 0, its rate, and its blocks."""

    origin_s: float
    pace: float
    """Page seconds in one of its seconds."""
    block_s: float
    """The time for which it stands still between two blocks."""
    pause_s: float
    """The longest time by which it fell behind its own rate."""

    def time_of(self, seconds: ArrayLike) -> np.ndarray:
        """Return the page times, in seconds, of times of the context."""
        return self.origin_s + self.pace * np.asarray(seconds, dtype=np.float64)


def context_clock(readings: Sequence[Sequence[float]]) -> ContextClock:
    """Return the clock of a context from readings of it, in seconds, and of the page, in ms.

    Raises `ClockError` when there are too few.
    """
    if len(readings) < _FEWEST:
        raise ClockError("an audio context of the page did not run: its page has to play or record")
    context, page_ms = np.asarray(readings, dtype=np.float64).T
    page = page_ms / 1000
    lead = context - page
    window = ((page - page[0]) // _WINDOW_S).astype(int)
    edges = np.flatnonzero(np.diff(window, prepend=-1))
    most, least = np.maximum.reduceat(lead, edges), np.minimum.reduceat(lead, edges)
    at = np.maximum.reduceat(page, edges)
    # Readings fall anywhere in a block, so the nearest misses its beginning by an exponential time.
    missed = np.log(2) * (most - least) / np.maximum(np.diff(edges, append=len(lead)) - 1, 1)
    slope = float(stats.theilslopes(most, at).slope) if len(at) > 2 else 0.0
    lead_0 = float(np.median(most + missed - slope * at))
    block_s = float(np.median(most - least + 2 * missed))
    pause_s = max(0.0, lead_0 - float((least - slope * at).min()) - block_s)
    # context = page + lead_0 + slope·page, solved for the page's time
    return ContextClock(-lead_0 / (1 + slope), 1 / (1 + slope), block_s, pause_s)
