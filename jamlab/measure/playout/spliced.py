"""Bound of hindsight for a buffer that changes its delay as splices can, by dynamic programming.

It knows all arrivals beforehand. At each packet it may play the packet if it is there, or conceal
it, and meanwhile change the delay by a quarter of a frame in either direction, as a splice can. It
may also let its line of play stand still for any number of frames, each of them concealed, or leave
packets out: a frame that is concealed, late or left out is one dropout.

Delays are taken in steps of a quarter of a frame, rounded down, so that the bound is below every
such buffer, by half a step or less. As in `jamlab.measure.playout.bounds` a price is put on a
dropout; the cost of the cheapest course at each of many prices bounds the mean delay for every
accepted share at once.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.bounds import LeastDelay, best_constant, least_mean
from jamlab.measure.playout.packets import PacketTimes

LONGEST_S = 2.0
"""Longest delay that is tried."""
_SPLICES = 4  # splices of a quarter of a frame in a frame
_PRICES = np.geomspace(1.0, 1e5, 16)  # of a dropout, in steps of delay


def best_spliced(
    packets: PacketTimes, accepted_shares: Sequence[float], prices: NDArray[np.float64] = _PRICES
) -> list[LeastDelay]:
    """Return for each share the least mean delay of a buffer that changes it by splices.

    The upper value is infinite: the courses themselves are not kept.
    """
    step = packets.frame_frames // _SPLICES
    needs = packets.needs_frames
    reachable = needs[np.isfinite(needs)].max(initial=0.0)
    states = int(min(reachable, LONGEST_S * SAMPLE_RATE) / step) // _SPLICES * _SPLICES + 8
    least = (np.minimum(needs, states * step) // step).astype(int)
    costs = _cheapest(least.tolist(), states, prices.astype(np.float64))
    return [_bound(packets, share, costs, prices, step) for share in accepted_shares]


def _bound(
    packets: PacketTimes,
    accepted_share: float,
    costs: NDArray[np.float64],
    prices: NDArray[np.float64],
    step: int,
) -> LeastDelay:
    accepted = int(accepted_share * packets.count)
    if np.isinf(best_constant(packets, accepted_share).high_s):
        return LeastDelay(np.inf, np.inf)
    means = [
        least_mean(float(cost), float(price), accepted, packets.count)
        for cost, price in zip(costs, prices, strict=True)
    ]
    return LeastDelay(max(0.0, *means) * step / SAMPLE_RATE, np.inf)


def _cheapest(least: list[int], states: int, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost of the cheapest course for each price of a dropout."""
    price = prices[:, np.newaxis]
    delays = np.arange(states, dtype=np.float64)[np.newaxis]
    play_cost = np.minimum(delays, price)  # a packet that is there may be concealed as well
    still = np.arange(states // _SPLICES)[np.newaxis, :, np.newaxis] * price[:, :, np.newaxis]
    cost = np.zeros((len(prices), states))
    for need in least:
        waited = cost.reshape(len(prices), -1, _SPLICES) - still
        np.minimum.accumulate(waited, axis=1, out=waited)
        waited += still
        before = waited.reshape(len(prices), states)
        cost = before + price
        cost[:, need:] = before[:, need:] + play_cost[:, need:]
        spliced = cost.copy()
        np.minimum(spliced[:, 1:], cost[:, :-1], out=spliced[:, 1:])
        np.minimum(spliced[:, :-1], cost[:, 1:], out=spliced[:, :-1])
        left_out = before[:, _SPLICES:] + price
        np.minimum(spliced[:, :-_SPLICES], left_out, out=spliced[:, :-_SPLICES])
        cost = spliced
    best: NDArray[np.float64] = cost.min(axis=1)
    return best
