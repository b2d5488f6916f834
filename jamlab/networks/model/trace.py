"""Trace of the delays of packets on a real network, and its replay for packets sent at any time.

A trace has a row for each packet: when it was sent, and its one-way delay. Between two packets of
the trace the time of arrival is interpolated, not the delay: packets sent during a stall all arrive
at its end, and an order that the network kept stays kept. A packet is lost if the trace's packet
nearest to it in time was lost. A trace repeats after its end.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class DelayTrace:
    """Packets sent and their delays; raises ValueError where they are no trace.

    Parameters
    ----------
    name : str
        Name for figures and messages.
    sent_s : NDArray[np.float64]
        Times of sending, increasing from 0, shape ``(packets,)``.
    delay_s : NDArray[np.float64]
        One-way delays, 0 or more; NaN for a lost packet.
    """

    name: str
    sent_s: NDArray[np.float64]
    delay_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.sent_s.shape != self.delay_s.shape or self.sent_s.ndim != 1:
            raise ValueError(f"trace {self.name}: give as many delays as times of sending")
        if np.count_nonzero(self.received) < LEAST_PACKETS:
            raise ValueError(f"trace {self.name}: {LEAST_PACKETS} packets or more must arrive")
        if self.sent_s[0] != 0 or not (np.diff(self.sent_s) > 0).all():
            raise ValueError(f"trace {self.name}: give times of sending that increase from 0")
        if not (self.delay_s[self.received] >= 0).all():
            raise ValueError(f"trace {self.name}: give delays of 0 or more, NaN for lost packets")

    @cached_property
    def received(self) -> NDArray[np.bool_]:
        """Whether each packet arrived."""
        return ~np.isnan(self.delay_s)

    @cached_property
    def duration_s(self) -> float:
        """Time after which the trace repeats: one interval after its last packet."""
        return float(self.sent_s[-1] + np.median(np.diff(self.sent_s)))

    def arrivals_s(self, sent_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when packets sent at any times from 0 on arrive; NaN for lost ones."""
        rounds, within_s = np.divmod(sent_s, self.duration_s)
        known_s, arrival_s = self._known
        arrivals_s = np.interp(within_s, known_s, arrival_s) + rounds * self.duration_s
        middles_s = (self.sent_s[1:] + self.sent_s[:-1]) / 2
        nearest = np.searchsorted(middles_s, within_s)
        arrivals_s[~self.received[nearest]] = np.nan
        return arrivals_s

    @cached_property
    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sending and arrival of the packets that arrived, and of a neighbour at either end."""
        sent_s, delay_s = self.sent_s[self.received], self.delay_s[self.received]
        first, last = sent_s[0] + self.duration_s, sent_s[-1] - self.duration_s
        sent_s = np.concatenate(([last], sent_s, [first]))
        return sent_s, sent_s + np.concatenate((delay_s[-1:], delay_s, delay_s[:1]))


LEAST_PACKETS = 10
"""Least number of packets of which jitter can be said to be known."""
