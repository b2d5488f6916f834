"""Bounds of hindsight: the least delays of buffers that know all arrivals beforehand.

*Best constant*: one delay for the whole trace, the smallest whose concealed share is accepted.

*Best per second*: a constant delay in each second, changed between seconds at no cost. It knows
the needs of the whole trace and shares out the accepted dropouts among the seconds. Minimising the
sum of delays plus λ times the dropouts makes the seconds independent; each λ gives a choice that no
other with as few dropouts beats, and a lower bound for every number of dropouts (the Lagrangian
dual). The least mean delay lies between the two, which the bound returns.

A third, of a buffer whose delay changes as splices can change it, is in
`jamlab.measure.playout.spliced`.
"""

from dataclasses import dataclass

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import PacketTimes

_HALVINGS = 50
_LEAST_PRICE = 1e-3  # of a dropout, in frames of delay


@dataclass(frozen=True)
class LeastDelay:
    """The least mean delay of a kind of buffer at an accepted share, between two values.

    Both are infinite where more packets than accepted were lost on the way.
    """

    low_s: float
    """No buffer of the kind has less."""
    high_s: float
    """One has this."""


def best_constant(packets: PacketTimes, accepted_share: float) -> LeastDelay:
    """Return the least constant delay with which at most a share of the packets is late."""
    needs = np.sort(packets.needs_frames)
    delay_s = float(needs[-1 - int(accepted_share * len(needs))]) / SAMPLE_RATE
    return LeastDelay(delay_s, delay_s)


def best_per_second(packets: PacketTimes, accepted_share: float) -> LeastDelay:
    """Return the least mean delay of a buffer that has a constant delay in each second."""
    seconds = _Seconds(packets)
    accepted = int(accepted_share * packets.count)
    if seconds.lost > accepted:
        return LeastDelay(np.inf, np.inf)
    cheap, dear = _LEAST_PRICE, seconds.price_above_all
    low, high = 0.0, seconds.cheapest(dear).mean
    for _ in range(_HALVINGS):
        price = float(np.sqrt(cheap * dear))
        found = seconds.cheapest(price)
        low = max(low, least_mean(found.cost, price, accepted, packets.count))
        if found.dropouts > accepted:
            cheap = price
        else:
            dear, high = price, min(high, found.mean)
    return LeastDelay(min(low, high) / SAMPLE_RATE, high / SAMPLE_RATE)


def least_mean(cost: float, price: float, accepted: int, count: int) -> float:
    """Return a lower bound of the mean delay of played packets, from the dual's cost at a price.

    With x dropouts the sum of delays is at least ``cost - price * x``, and ``count - x`` packets
    are played; over 0 to `accepted` dropouts the quotient is least at one of the ends.
    """
    return min(cost / count, (cost - price * accepted) / (count - accepted))


@dataclass(frozen=True)
class _Choice:
    """The cheapest delays at a price of a dropout."""

    cost: float
    delays: float
    played: int
    dropouts: int

    @property
    def mean(self) -> float:
        return self.delays / self.played if self.played else 0.0


class _Seconds:
    """The needs of each second's packets, sorted; with that in column i, i + 1 are played."""

    def __init__(self, packets: PacketTimes) -> None:
        self.lost = int(np.count_nonzero(np.isinf(packets.needs_frames)))
        order = np.lexsort((packets.needs_frames, packets.seconds))
        rows, begins, self._sent = np.unique(
            packets.seconds[order], return_index=True, return_counts=True
        )
        self._needs = np.full((len(rows), self._sent.max()), np.inf)
        row = np.repeat(np.arange(len(rows)), self._sent)
        self._needs[row, np.arange(packets.count) - begins[row]] = packets.needs_frames[order]
        self._played = np.arange(1, self._needs.shape[1] + 1)
        greatest = self._needs[np.isfinite(self._needs)].max(initial=0.0)
        self.price_above_all = float(1 + packets.count * greatest)
        """A price of a dropout that exceeds the delays of all packets together."""

    def cheapest(self, price: float) -> _Choice:
        """Return each second's delay of the least cost; to play nothing in it is allowed."""
        delays = self._needs * self._played
        savings = price * self._played - delays
        best = savings.argmax(axis=1)
        rows = np.arange(len(best))
        plays = savings[rows, best] >= 0
        total = float(delays[rows, best][plays].sum())
        played = int((best + 1)[plays].sum())
        dropouts = int(self._sent.sum()) - played
        return _Choice(total + price * dropouts, total, played, dropouts)
