"""Latencies of an ensemble, chosen path by path."""

import numpy as np

from jamlab.measure.ensemble.latencies import Latencies


def even(count, ms, wide_ms=0.0):
    """All paths alike, with an interval of a width."""
    names = tuple("abcdef"[:count])
    apart = ~np.eye(count, dtype=bool)
    return Latencies(names, apart * (ms - wide_ms / 2), apart * (ms + wide_ms / 2))


def of_pairs(names, pairs_ms):
    """Both directions of each pair alike; `pairs_ms` has an interval by the pair's two letters."""
    low, high = np.zeros((len(names),) * 2), np.full((len(names),) * 2, np.inf)
    np.fill_diagonal(high, 0.0)
    for pair, ends in pairs_ms.items():
        for one, other in (pair, pair[::-1]):
            place = names.index(one), names.index(other)
            low[place], high[place] = ends
    return Latencies(tuple(names), low, high)
