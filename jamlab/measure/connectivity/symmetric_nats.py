"""The share of symmetric NATs up to which a success rate stays at its target.

Studies differ in the shares of NATs, above all in the share s of endpoints whose mapping depends on
the destination (ADM and APDM of RFC 4787 §4.1, "symmetric"). With the other weights kept in
proportion, the rate ``P = Σ wᵢ wⱼ sᵢⱼ`` of `jamlab.measure.connectivity.sensitivity` is a quadratic
in s. With all other endpoints on EIM/APDF it is (1−s)², at least 80 % up to s = 10.6 %.

The share at which P falls below a limit has the same two errors as P, combined in the same way: the
population's shares within either kind of place, and the simulation. The calls drawn from the
population with no symmetric end, with one and with two are three samples, each with its exact
confidence distribution.
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
    """Success rate between two other endpoints, 0 to 1; NaN if unknown."""
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
        """Return the share up to which P stays at or above a limit.

        1 if it never falls below; NaN if it is below even at a share of 0, or unknown.
        """
        return float(tolerated_share(np.array([[self.neither, self.one, self.both]]), limit)[0])


def tolerated_share(rates: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Return `ShareCurve.tolerated` of many curves, each a row of neither, one and both."""
    neither, one, both = rates.T
    a, b, c = neither - 2 * one + both, one - neither, neither - limit
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b * b - a * c)  # NaN: P never falls below the limit
        # The root of a s² + 2 b s + c, in the form that loses no digits to cancellation.
        falls = np.where(b > 0, (b + root) / -a, c / (root - b))
        falls = np.where((falls >= 0) & (falls < 1), falls, 1.0)
    falls = np.where((c == 0) & (b == 0) & (a < 0), 0.0, falls)
    return np.where((c >= 0) & ~np.isnan(one + both), falls, np.nan)


def share_curve(attempts: pd.DataFrame, figure: Figure, population: Population) -> ShareCurve:
    """Return a population's success rate as a function of the share of `endpoint_dependent` places.

    The attempts are of one configuration; the weights are used within either kind of place.
    """
    weights = population.weights
    neither, one, both = _class_rates(attempts, figure, population, weights)
    return ShareCurve(
        float(neither), float(one), float(both), float(weights[_hard(population)].sum())
    )


def _hard(population: Population) -> NDArray[np.bool_]:
    return np.array([endpoint_dependent(place.name) for place in population.places])


def _classes(population: Population) -> NDArray[np.int64]:
    """Return the number of symmetric places in each unordered pair."""
    hard = _hard(population).astype(np.int64)
    first, second = np.triu_indices(len(hard))
    both: NDArray[np.int64] = hard[first] + hard[second]
    return both


def _class_rates(
    attempts: pd.DataFrame, figure: Figure, population: Population, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rates for neither, one and both symmetric, for weights (..., k), as (..., 3)."""
    upper = np.triu_indices(len(population.places))
    names = [place.name for place in population.places]
    rates, of = cells(attempts, figure, names).rates[upper], _classes(population)
    shares = pair_shares(weights, upper)
    found = [tried_rate(rates[of == n], shares[..., of == n]) for n in range(3)]
    return np.stack(found, axis=-1)


@dataclass(frozen=True, slots=True)
class Borne:
    """The share of symmetric NATs that a target tolerates in a population, with intervals."""

    tolerated: Estimate
    """The share up to which the target is reached, 0 to 1; NaN if it is missed even at 0."""
    share: Estimate
    """The population's own share, with its source's uncertainty."""
    without_any: Estimate
    """The success rate without symmetric NATs."""
    known: bool
    """Whether pairs of every kind were tried; if not, `tolerated` is arbitrary."""


def borne(
    attempts: pd.DataFrame,
    figure: Figure,
    population: Population,
    limit: float,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
) -> Borne:
    """Estimate the share of symmetric NATs up to which a target, 0 to 1, is reached.

    The attempts are of one configuration, their calls drawn from the population.
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
        return np.nan_to_num(tolerated_share(rates, limit), nan=0.0)  # missed even at 0: 0

    value = curve.tolerated(limit)
    tolerated = replace(estimate(float(np.nan_to_num(value)), falls), value=value)
    without_any = estimate(curve.neither, lambda rates: rates[:, 0])
    return Borne(tolerated, share, without_any, known=True)


def _class_counts(
    attempts: pd.DataFrame, figure: Figure, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return successes and trials with neither, one and both ends symmetric."""
    upper, of = np.triu_indices(len(population.places)), _classes(population)
    counted = cells(attempts, figure, [place.name for place in population.places])
    successes, trials = (
        np.bincount(of, weights=each[upper], minlength=3).astype(np.int64)
        for each in (counted.successes, counted.trials)
    )
    return successes, trials
