"""Who can play with whom: each pair by the worse of its directions, and the largest groups.

A group can play under a limit if each of its pairs is below it. The latency of a pair is an
interval, so a group is sure if all intervals lie below the limit, and possible if no interval lies
wholly above it. The advice is never surer than the measurement.
"""

import math
from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from jamlab.measure.ensemble.latencies import EnsembleRecord, latencies_of
from jamlab.measure.latency.musicians import BANDS, meaning

LIMITS = {
    20.0: "keep together as in one room",
    30.0: "keep together, with some effort",
    40.0: "hold a steady tempo",
    50.0: "play “laid back”",
}
"""What musicians can do below each limit, in ms; the limits are those of `BANDS`."""

Groups = frozenset[frozenset[int]]


def ensemble_pairs(record: EnsembleRecord) -> pd.DataFrame:
    """Return a row per pair of participants, the latest first.

    Columns: ``one``, ``other``; ``low_ms`` and ``high_ms``, the interval of the later of the two
    directions; ``meaning``, what it means to musicians.

    Examples
    --------
    >>> from jamlab import example_record
    >>> pairs = ensemble_pairs(example_record())
    >>> pairs[["one", "other", "meaning"]].values.tolist()
    [['player 1', 'player 2', 'closer than on a stage (Gurevich et al. 2004)']]
    """
    latencies = latencies_of(record)
    rows = []
    for one, other in combinations(range(len(latencies.names)), 2):
        low, high = latencies.worse_ms(one, other)
        words = meaning(high, low, high) if high < math.inf or low > 0 else "not known"
        rows.append((latencies.names[one], latencies.names[other], low, high, words))
    table = pd.DataFrame(rows, columns=["one", "other", "low_ms", "high_ms", "meaning"])
    return table.sort_values("high_ms", ascending=False, kind="stable", ignore_index=True)


def ensemble_groups(record: EnsembleRecord) -> pd.DataFrame:
    """Return a row per limit of `LIMITS`: the largest groups that can play below it.

    Columns: ``limit_ms``, ``meaning``, ``sources``; ``surely`` and ``possibly``, the names of the
    largest groups of two or more, each a list of lists. Where both are equal, nothing is open.

    Examples
    --------
    >>> from jamlab import example_record
    >>> groups = ensemble_groups(example_record())
    >>> groups.loc[groups["limit_ms"] == 20, "surely"].item()
    [['player 1', 'player 2']]
    """
    latencies = latencies_of(record)
    pairs = list(combinations(range(len(latencies.names)), 2))
    ends = {pair: latencies.worse_ms(*pair) for pair in pairs}
    rows = []
    for limit, words in LIMITS.items():
        sure = {pair for pair, (_, high) in ends.items() if high < limit}
        possible = {pair for pair, (low, _) in ends.items() if low < limit}
        found = [_named(largest_groups(each), latencies.names) for each in (sure, possible)]
        sources = next(band.sources for band in BANDS if band.below_ms == limit)
        rows.append((limit, words, "; ".join(each.cited for each in sources), *found))
    return pd.DataFrame(rows, columns=["limit_ms", "meaning", "sources", "surely", "possibly"])


def _named(groups: Groups, names: tuple[str, ...]) -> list[list[str]]:
    return sorted([names[place] for place in sorted(group)] for group in groups)


def largest_groups(pairs: set[tuple[int, int]]) -> Groups:
    """Return the largest sets of which every two are a pair; none without a pair.

    Examples
    --------
    >>> sorted(map(sorted, largest_groups({(0, 1), (1, 2), (0, 2), (2, 3)})))
    [[0, 1, 2]]
    """
    partners: dict[int, set[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    groups = list(_maximal(frozenset(), set(partners), set(), partners))
    most = max(map(len, groups), default=0)
    return frozenset(group for group in groups if len(group) == most and most > 1)


def _maximal(
    group: frozenset[int], open_: set[int], done: set[int], partners: dict[int, set[int]]
) -> Iterator[frozenset[int]]:
    """Yield every set that no other can join (C. Bron and J. Kerbosch, CACM 16(9), 1973)."""
    if not open_ and not done:
        yield group
        return
    pivot = max(open_ | done, key=lambda each: len(partners[each] & open_))
    for each in sorted(open_ - partners[pivot]):
        yield from _maximal(group | {each}, open_ & partners[each], done & partners[each], partners)
        open_, done = open_ - {each}, done | {each}
