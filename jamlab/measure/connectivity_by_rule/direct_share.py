"""Share of a population's calls that are direct by the rule, and what IPv6 and port mapping add.

``P = Σ wᵢ wⱼ dᵢⱼ`` with the weights w of the places, and d = 1 where `jamlab.networks.model.rule`
finds a direct path, with STUN. Its interval comes from the weights alone, drawn again as in
`jamlab.measure.connectivity.sensitivity`; the rule has no error of its own. The share of a feature
is given or assumed, and then as uncertain as the other weights.

Both ends have a feature independently, so P is a quadratic in its share, and never falls with it,
except for closed IPv6 firewalls, with which it never rises.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.connectivity.population import (
    Features,
    Population,
    known_features,
    plain_population,
    with_features,
)
from jamlab.measure.connectivity.sensitivity import interval_of
from jamlab.measure.statistics import CONFIDENCE, Estimate, resampling
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import expected

_DRAWS = 10_000
_HALVINGS = 40


def direct_share(population: Population) -> Estimate:
    """Return the share of calls within a population that are direct by the rule, 0 to 1."""
    direct = _direct(population)
    weights = population.resampled_weights(resampling(), _DRAWS)
    drawn = np.einsum("ni,ij,nj->n", weights, direct, weights, optimize=True)
    return interval_of(_share(population, direct), drawn, CONFIDENCE)


def _direct(population: Population) -> NDArray[np.float64]:
    """Return 1 for every two places with a direct path, shape (k, k)."""
    return _between(population.places)


@lru_cache(maxsize=64)
def _between(places: tuple[Place, ...]) -> NDArray[np.float64]:
    """Return the rule's matrix; shares that vary leave the places as they are."""
    rows = [[expected(one, other, stun=True).direct for other in places] for one in places]
    return np.array(rows, np.float64)


def _share(population: Population, direct: NDArray[np.float64]) -> float:
    return float(population.weights @ direct @ population.weights)


def feature_curve(
    population: Population, feature: str, percents: Sequence[float], others: Features
) -> pd.DataFrame:
    """Return the share of direct calls of a plain population for several shares of a feature.

    `feature` is a field of `Features`, and `others` has the shares of the other features. Columns:
    ``percent``, ``direct`` with ``direct_low`` and ``direct_high`` of its 95 % interval.
    """
    rows = []
    for percent in percents:
        share = direct_share(with_features(population, replace(others, **{feature: percent})))
        rows.append((percent, share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["percent", "direct", "direct_low", "direct_high"])


def needed_percent(
    population: Population, feature: str, target: float, others: Features | None = None
) -> float:
    """Return the least share of a feature, in percent, with which P reaches a target.

    0 where it is reached without, NaN where it is not reached with 100 %. The other weights are
    taken as they are. `feature` is ``"ipv6"`` or ``"mapping"``, `others` the other features.
    """
    others = others or Features()

    def reached(percent: float) -> bool:
        changed = with_features(population, replace(others, **{feature: percent}))
        return _share(changed, _direct(changed)) >= target

    low, high = 0.0, 100.0
    if reached(low):
        return low
    if not reached(high):
        return math.nan
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def features_table(names: Sequence[str], target: float) -> pd.DataFrame:
    """Return a row per population: direct calls as it is, with each feature, and with both.

    Features in the populations' names are left out; each has them in the shares that jamlab's data
    state or assume. Columns: ``population``; ``plain``, ``ipv6``, ``mapping`` and ``both``, shares
    of direct calls, each with ``…_low`` and ``…_high`` of its 95 % interval; ``ipv6_percent`` and
    ``mapping_percent``, the shares of the features; ``ipv6_needed`` and ``mapping_needed``, the
    shares with which each feature alone would reach the target.
    """
    return pd.DataFrame([_features_row(plain_population(name), target) for name in names])


def _features_row(plain: Population, target: float) -> dict[str, str | float]:
    known = known_features(plain)
    tried = {
        "plain": Features(),
        "ipv6": replace(known, mapping=0.0),
        "mapping": Features(mapping=known.mapping),
        "both": known,
    }
    row: dict[str, str | float] = {"population": plain.name}
    for column, features in tried.items():
        share = direct_share(with_features(plain, features))
        row |= {column: share.value, f"{column}_low": share.low, f"{column}_high": share.high}
    row |= {"ipv6_percent": known.ipv6, "mapping_percent": known.mapping}
    ipv6_alone = replace(known, ipv6=0.0, mapping=0.0)
    row["ipv6_needed"] = needed_percent(plain, "ipv6", target, ipv6_alone)
    row["mapping_needed"] = needed_percent(plain, "mapping", target)
    return row
