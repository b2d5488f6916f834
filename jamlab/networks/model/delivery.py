"""Trace of delivery opportunities: when a link could pass on 1500 bytes, as Mahimahi records it.

The rules are those of Mahimahi's mm-link (R. Netravali et al., "Mahimahi: Accurate
record-and-replay for HTTP", USENIX ATC 2015; the traces of K. Winstein et al., NSDI 2013): at each
opportunity up to 1500 bytes leave the queue, of one packet, of several, or of a part of one; a
packet arrives when its last byte has left. An opportunity is lost if nothing waits at that moment.
The trace repeats.

The queue holds `DeliveryTrace.queue_bytes`; a packet that does not fit is dropped (tail drop).
"""

import math
import random
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.trace import DelayTrace

OPPORTUNITY_BYTES = 1500
"""Bytes that leave at an opportunity, headers included."""
QUEUE_BYTES = 100 * OPPORTUNITY_BYTES


@dataclass(frozen=True, eq=False)
class DeliveryTrace:
    """Times at which a link passes on up to 1500 bytes; raises ValueError where they are none.

    Parameters
    ----------
    name : str
        Name for figures and messages.
    opportunities_s : NDArray[np.float64]
        Times, not decreasing, from 0 on; the trace repeats after the last.
    queue_bytes : int
        Length of the queue.
    notes : tuple of str
        What the reader of a file has assumed, a sentence each.
    """

    name: str
    opportunities_s: NDArray[np.float64]
    queue_bytes: int = QUEUE_BYTES
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times_s = self.opportunities_s
        if times_s.ndim != 1 or not len(times_s) or not np.isfinite(times_s).all():
            raise ValueError(f"trace {self.name}: give a row of times of delivery")
        if times_s[0] < 0 or not (np.diff(times_s) >= 0).all():
            raise ValueError(f"trace {self.name}: give times of delivery that do not decrease")
        if not times_s[-1] > 0:
            raise ValueError(f"trace {self.name}: give a time of delivery after 0")
        if self.queue_bytes < OPPORTUNITY_BYTES:
            raise ValueError(
                f"trace {self.name}: give a queue of {OPPORTUNITY_BYTES} bytes or more"
            )

    @property
    def duration_s(self) -> float:
        """Time after which the trace repeats: that of its last opportunity."""
        return float(self.opportunities_s[-1])

    @property
    def rate_bit_s(self) -> float:
        """Mean of the bits that can pass in a second."""
        return 8 * OPPORTUNITY_BYTES * len(self.opportunities_s) / self.duration_s

    @cached_property
    def times_s(self) -> list[float]:
        """The opportunities, quick to read one by one."""
        return [float(time_s) for time_s in self.opportunities_s]

    def delays(self, size_bytes: int, every_s: float) -> DelayTrace:
        """Return the delays of equal packets, sent one after another for one round of the trace."""
        replay = DeliveryReplay(self, 0.0)
        sent_s = np.arange(0.0, self.duration_s, every_s)
        leaves_s = [replay.leaves_s(size_bytes, now_s) for now_s in sent_s.tolist()]
        delay_s = np.array([math.nan if each is None else each for each in leaves_s]) - sent_s
        return DelayTrace(self.name, sent_s, delay_s, absolute=True, notes=self.notes)

    def replay(self, rng: random.Random) -> "DeliveryReplay":
        """Return a replay for a link, which begins at a random time of the trace."""
        return DeliveryReplay(self, rng.uniform(0.0, self.duration_s))


class DeliveryReplay:
    """Replay of a `DeliveryTrace` packet by packet, from a time within it on.

    The first packet is sent at `from_s` of the trace, whatever the clock says then.
    """

    queues: ClassVar[bool] = True
    """A packet that does not arrive was dropped by the queue."""

    def __init__(self, trace: DeliveryTrace, from_s: float) -> None:
        self._trace = trace
        self._from_s = from_s
        self._origin_s: float | None = None  # time on the caller's clock of the trace's beginning
        self._number = -1  # of the opportunity at which the last packet left, from the first on
        self._left_bytes = 0  # that the same opportunity can still pass on
        self._waiting: deque[tuple[float, int]] = deque()  # when each packet leaves, and its size
        self._waiting_bytes = 0

    def leaves_s(self, size_bytes: int, now_s: float, spared: bool = False) -> float | None:
        """Return when a packet sent now leaves; None when the queue is full.

        A `spared` packet is taken by a full queue, too.
        """
        if self._origin_s is None:
            self._origin_s = now_s - self._from_s
        while self._waiting and self._waiting[0][0] < now_s:
            self._waiting_bytes -= self._waiting.popleft()[1]
        if self._waiting_bytes + size_bytes > self._trace.queue_bytes and not spared:
            return None
        self._skip_to(now_s - self._origin_s)
        leaves_s = max(now_s, self._origin_s + self._pass_on(size_bytes))
        self._waiting.append((leaves_s, size_bytes))
        self._waiting_bytes += size_bytes
        return leaves_s

    def _skip_to(self, since_s: float) -> None:
        """Give up the opportunities before a time."""
        if self._number >= 0 and self._time_s(self._number) >= since_s:
            return
        times_s, duration_s = self._trace.times_s, self._trace.duration_s
        rounds = max(0, math.ceil(since_s / duration_s) - 1)  # the end of a round is part of it
        within = bisect_left(times_s, since_s - rounds * duration_s)
        self._number = rounds * len(times_s) + within
        self._left_bytes = OPPORTUNITY_BYTES

    def _pass_on(self, size_bytes: int) -> float:
        """Use up opportunities for a packet; return the time of that for its last byte."""
        further = -(-(size_bytes - self._left_bytes) // OPPORTUNITY_BYTES)
        if further > 0:
            self._number += further
            self._left_bytes += further * OPPORTUNITY_BYTES
        self._left_bytes -= size_bytes
        return self._time_s(self._number)

    def _time_s(self, number: int) -> float:
        """Return the time of an opportunity since the beginning of the trace."""
        rounds, within = divmod(number, len(self._trace.times_s))
        return rounds * self._trace.duration_s + self._trace.times_s[within]
