"""Trace of the delays of packets on a real network, and its replay for packets sent at any time.

A trace has a row for each packet: when it was sent, and its one-way delay. Between two packets of
the trace the time of arrival is interpolated, not the delay: packets sent during a stall all arrive
at its end, and an order that the network kept stays kept. A packet is lost if the trace's packet
nearest to it in time was lost.

A trace repeats after its end. No packet of a round arrives before one of the round before, as if
the network that was full at the end of a round had to be emptied first.
"""

import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

LEAST_PACKETS = 10
"""Least number of packets of which jitter can be said to be known."""


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
    absolute : bool
        Whether the delays are whole: measured with one clock. By default they are relative to the
        least one, as sender and receiver had different clocks.
    notes : tuple of str
        What the reader of a file has corrected or assumed, a sentence each.
    """

    name: str
    sent_s: NDArray[np.float64]
    delay_s: NDArray[np.float64]
    absolute: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sent_s.shape != self.delay_s.shape or self.sent_s.ndim != 1:
            raise ValueError(f"trace {self.name}: give as many delays as times of sending")
        if np.count_nonzero(self.received) < LEAST_PACKETS:
            raise ValueError(f"trace {self.name}: {LEAST_PACKETS} packets or more must arrive")
        rising = self.sent_s[0] == 0 and (np.diff(self.sent_s) > 0).all()
        if not rising or not np.isfinite(self.sent_s).all():
            raise ValueError(f"trace {self.name}: give times of sending that increase from 0")
        delays_s = self.delay_s[self.received]
        if not (delays_s >= 0).all() or not np.isfinite(delays_s).all():
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
        arrivals_s = np.interp(within_s, *self._known)
        arrivals_s = np.where(rounds > 0, np.maximum(arrivals_s, self._overhang_s), arrivals_s)
        nearest = np.searchsorted(self._middles_s, within_s)
        arrivals_s[~self.received[nearest]] = np.nan
        return arrivals_s + rounds * self.duration_s

    def evenly(self, every_s: float) -> "DelayTrace":
        """Return the delays of packets sent at even intervals for one round of the trace."""
        sent_s = np.arange(0.0, self.duration_s, every_s)
        delay_s = np.maximum(self.arrivals_s(sent_s) - sent_s, 0.0)
        return replace(self, sent_s=sent_s, delay_s=delay_s)

    @cached_property
    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sending and arrival of the packets that arrived, and of a neighbour at either end."""
        sent_s = self.sent_s[self.received]
        arrival_s = sent_s + self.delay_s[self.received]
        last_s = min(arrival_s[-1] - self.duration_s, arrival_s[0])
        next_s = max(arrival_s[0] + self.duration_s, arrival_s.max())
        around_s = sent_s[-1] - self.duration_s, sent_s[0] + self.duration_s
        sent_s = np.concatenate(([around_s[0]], sent_s, [around_s[1]]))
        return sent_s, np.concatenate(([last_s], arrival_s, [next_s]))

    @cached_property
    def _overhang_s(self) -> float:
        """Time in a round until which packets of the round before arrive; 0 or less for none."""
        return float(self._known[1][1:-1].max() - self.duration_s)

    @cached_property
    def _middles_s(self) -> NDArray[np.float64]:
        """Times between two packets, at which the nearest one changes."""
        middles_s: NDArray[np.float64] = (self.sent_s[1:] + self.sent_s[:-1]) / 2
        return middles_s

    @cached_property
    def _lists(self) -> tuple[list[float], list[float], list[float], list[bool]]:
        """Sending and arrival of known packets, middles and receipt, quick to read one by one."""
        known_s, arrival_s = self._known
        middles_s = [] if self.received.all() else self._middles_s.tolist()
        return known_s.tolist(), arrival_s.tolist(), middles_s, self.received.tolist()

    def replay(self, rng: random.Random) -> "DelayReplay":
        """Return a replay for a link, which begins at a random time of the trace."""
        return DelayReplay(self, rng.uniform(0.0, self.duration_s))


class DelayReplay:
    """Replay of a `DelayTrace` packet by packet, from a time within it on.

    The first packet is sent at `from_s` of the trace, whatever the clock says then.
    """

    queues: ClassVar[bool] = False
    """A packet that does not arrive was lost on the way."""

    def __init__(self, trace: DelayTrace, from_s: float) -> None:
        self._known_s, self._arrival_s, self._middles_s, self._received = trace._lists
        self._duration_s = trace.duration_s
        self._overhang_s = trace._overhang_s
        self._from_s = from_s
        self._origin_s: float | None = None  # time on the caller's clock of the trace's beginning

    def leaves_s(self, size_bytes: int, now_s: float, spared: bool = False) -> float | None:
        """Return when a packet sent now arrives, of any size; None for a lost one.

        A `spared` packet is not lost.
        """
        if self._origin_s is None:
            self._origin_s = now_s - self._from_s
        rounds, within_s = divmod(now_s - self._origin_s, self._duration_s)
        if not spared and self._middles_s:
            nearest = bisect_left(self._middles_s, within_s)
            if not self._received[nearest]:
                return None
        arrival_s = self._arrival_of(within_s)
        if rounds > 0:
            arrival_s = max(arrival_s, self._overhang_s)
        return max(now_s, self._origin_s + (rounds * self._duration_s + arrival_s))

    def _arrival_of(self, within_s: float) -> float:
        """Return when a packet arrives by the time since the beginning of its round."""
        known_s, arrivals_s = self._known_s, self._arrival_s
        after = min(bisect_right(known_s, within_s), len(known_s) - 1)
        begin_s, end_s = known_s[after - 1], known_s[after]
        share = min(1.0, (within_s - begin_s) / (end_s - begin_s))
        return arrivals_s[after - 1] + share * (arrivals_s[after] - arrivals_s[after - 1])
