"""The share of symmetric NATs up to which a success rate stays at its target.

Which NATs are common differs from study to study, above all the share s of endpoints whose mapping
depends on the destination (ADM and APDM of RFC 4787 §4.1, "symmetric"). With the other weights kept
in proportion, the rate ``P = Σ wᵢ wⱼ sᵢⱼ`` of `jamlab.measure.connectivity.sensitivity` is a
quadratic in s. With everybody else on EIM/APDF it is (1−s)², which stays at 80 % up to s = 10.6 %.

The share at which P falls below a limit has the same two errors as P, put together likewise: the
shares of the population within either kind of place, and the simulation. Of the calls drawn from
the population, those between two of the others, those with one symmetric end and those with two are
three samples, each with its exact confidence distribution.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.measure.connectivity.sensitivity import (
    Population,
    cells,
    class_draws,
    interval_of,
    melded,
    pair_shares,
    together,
    tried_rate,
)
from jamlab.measure.connectivity.success import Figure
from jamlab.measure.statistics import CONFIDENCE, Estimate

_ENDPOINT_DEPENDENT = re.compile(r"\bAP?DM\b")
_DRAWS = 10_000  # of the weights
_OfRates: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def endpoint_dependent(place: str) -> bool:
    """Return whether any NAT of a place maps by destination: ADM or APDM, RFC 4787 §4.1."""
    return _ENDPOINT_DEPENDENT.search(place) is not None


@dataclass(frozen=True, slots=True)
class ShareCurve:
    """P as a function of the share s of endpoints whose mapping depends on the destination."""

    neither: float
    """Success rate between two endpoints of the others, 0 to 1; NaN if unknown."""
    one: float
    """Success rate where one of the two is such an endpoint."""
    both: float
    """Success rate between two such endpoints."""
    share: float
    """The population's own s."""

    def rate(self, share: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P at each share, 0 to 1."""
        s: NDArray[np.float64] = np.asarray(share, np.float64)
        square = self.neither - 2 * self.one + self.both
        rates: NDArray[np.float64] = self.neither + s * (2 * (self.one - self.neither) + s * square)
        return rates

    def tolerated(self, limit: float) -> float:
        """Return up to which share P stays at or above a limit.

        1 where it never falls below; NaN where it is below even at a share of 0, or unknown.
        """
        return float(tolerated_share(np.array([[self.neither, self.one, self.both]]), limit)[0])


def tolerated_share(rates: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Return `ShareCurve.tolerated` of many curves, each a row of neither, one and both."""
    neither, one, both = rates.T
    a, b, c = neither - 2 * one + both, one - neither, neither - limit
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b * b - a * c)  # NaN: it never falls below
        # Where a s² + 2 b s + c falls through 0; of two equal forms the one that loses no digits.
        falls = np.where(b > 0, (b + root) / -a, c / (root - b))
        falls = np.where((falls >= 0) & (falls < 1), falls, 1.0)
    falls = np.where((c == 0) & (b == 0) & (a < 0), 0.0, falls)
    return np.where((c >= 0) & ~np.isnan(one + both), falls, np.nan)


def share_curve(attempts: pd.DataFrame, figure: Figure, population: Population) -> ShareCurve:
    """Return how success in a population varies with the share of `endpoint_dependent` places.

    Parameters
    ----------
    attempts : DataFrame
        Attempts of one configuration.
    figure : {"direct", "connected"}
        What counts as success.
    population : Population
        Weights within either kind of place.
    """
    weights = population.weights
    neither, one, both = _class_rates(attempts, figure, population, weights)
    return ShareCurve(
        float(neither), float(one), float(both), float(weights[_hard(population)].sum())
    )


def _hard(population: Population) -> NDArray[np.bool_]:
    return np.array([endpoint_dependent(place.name) for place in population.places])


def _classes(population: Population) -> NDArray[np.int64]:
    """Return of each unordered pair of places how many of the two are symmetric."""
    hard = _hard(population).astype(np.int64)
    first, second = np.triu_indices(len(hard))
    both: NDArray[np.int64] = hard[first] + hard[second]
    return both


def _class_rates(
    attempts: pd.DataFrame, figure: Figure, population: Population, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rates of neither, one and both for weights of shape (..., k): (..., 3)."""
    upper = np.triu_indices(len(population.places))
    names = [place.name for place in population.places]
    rates, of = cells(attempts, figure, names).rates[upper], _classes(population)
    shares = pair_shares(weights, upper)
    found = [tried_rate(rates[of == n], shares[..., of == n]) for n in range(3)]
    return np.stack(found, axis=-1)


@dataclass(frozen=True, slots=True)
class Borne:
    """How many symmetric NATs a target bears in a population, with intervals."""

    tolerated: Estimate
    """Up to which share the target is reached, 0 to 1; NaN where it is missed even without any."""
    share: Estimate
    """The population's own share, as uncertain as its source."""
    without_any: Estimate
    """The success rate without any of them."""
    known: bool
    """Whether pairs of every kind were tried; else `tolerated` may be anything."""


def borne(
    attempts: pd.DataFrame,
    figure: Figure,
    population: Population,
    limit: float,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
) -> Borne:
    """Estimate up to which share of symmetric NATs a target is reached.

    Parameters
    ----------
    attempts : DataFrame
        Attempts of one configuration, of calls drawn from the population.
    figure, population, rng
        As of `jamlab.measure.connectivity.sensitivity.rate_within`.
    limit : float
        The target, 0 to 1.
    confidence : float
        Probability of the intervals.
    """
    weights = population.resampled_weights(rng, _DRAWS)
    hard, curve = _hard(population), share_curve(attempts, figure, population)
    share = interval_of(curve.share, weights[:, hard].sum(axis=1), confidence)
    if math.isnan(curve.neither + curve.one + curve.both):
        unknown = Estimate(math.nan, 0.0, 1.0, confidence)
        return Borne(unknown, share, unknown, known=False)
    resampled = _class_rates(attempts, figure, population, weights)
    resampled = resampled[~np.isnan(resampled).any(axis=1)]
    successes, trials = _class_counts(attempts, figure, population)
    drawn = successes / trials, *class_draws(successes, trials, rng)

    def estimate(
        value: float, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> Estimate:
        at, low, high = (of(np.atleast_2d(rates)) for rates in drawn)
        of_calls = melded(float(at[0]), low, high, confidence)
        return together(interval_of(value, of(resampled), confidence), of_calls)

    def falls(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.nan_to_num(tolerated_share(rates, limit), nan=0.0)  # missed without any: bears 0

    value = curve.tolerated(limit)
    tolerated = replace(estimate(float(np.nan_to_num(value)), falls), value=value)
    without_any = estimate(curve.neither, lambda rates: rates[:, 0])
    return Borne(tolerated, share, without_any, known=True)


def _class_counts(
    attempts: pd.DataFrame, figure: Figure, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the successes and trials of neither, one and both."""
    upper, of = np.triu_indices(len(population.places)), _classes(population)
    counted = cells(attempts, figure, [place.name for place in population.places])
    successes, trials = (
        np.bincount(of, weights=each[upper], minlength=3).astype(np.int64)
        for each in (counted.successes, counted.trials)
    )
    return successes, trials
