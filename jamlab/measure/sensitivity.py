"""Success in a population of endpoints, and how far it hangs on which population that is.

Where places have the weights wᵢ, calls between places picked independently succeed at the rate
``P = Σ wᵢ wⱼ sᵢⱼ``. Two things about it are uncertain. The weights come from studies of few
endpoints, and are resampled. Each cell sᵢⱼ comes from few attempts; its confidence distribution is
Beta(k, n−k+1) from below and Beta(k+1, n−k) from above, those whose quantiles are the exact limits
of Clopper and Pearson. Sums of draws from them give the melded interval of Fay, Proschan and
Brittain (Biometrics 71, 2015): for a single cell the exact one, and ``[0, 1]`` for a pair nobody
measured, so that what is missing widens the interval instead of passing for something known.

Which NATs are common differs from study to study, above all the share s of endpoints whose mapping
depends on the destination (ADM and APDM of RFC 4787 §4.1, "symmetric"). With the other weights kept
in proportion, P is a quadratic in s. With everybody else on EIM/APDF it is (1−s)², which stays at
80 % up to s = 10.6 %.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.measure.statistics import CONFIDENCE, RESAMPLES, Estimate
from jamlab.measure.success import Figure, succeeded

_LEAST_EXPECTED = 5.0  # occurrences below which the test's distribution is a poor one
_SURELY_ANOTHER = 1e-9  # its tail is thinner than that of so few occurrences
_ENDPOINT_DEPENDENT = re.compile(r"\bAP?DM\b")


class Place(Protocol):
    """Where an endpoint lives."""

    @property
    def name(self) -> str:
        """As the attempts table writes it."""


class Population(Protocol):
    """How common the places are; see `jamlab.measure.population`."""

    @property
    def name(self) -> str:
        """As a reader calls it."""

    @property
    def places(self) -> Sequence[Place]:
        """The k places."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """Share of each place, shape (k,), summing to 1."""

    def resampled_weights(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return n draws of the weights, shape (n, k), as uncertain as their source."""


def drawn_from(attempts: pd.DataFrame, population: Population) -> bool:
    """Return whether the attempts' places may have been drawn from a population.

    Pearson's chi-squared test of how often each place occurs, the rarest pooled, at a level that an
    honest draw fails about once in a million. It is there to notice another population, or all
    pairs tried alike: the plain success rate of such attempts says nothing about the population.
    """
    index = pd.Index([place.name for place in population.places])
    found = index.get_indexer(pd.Index(attempts[["caller", "callee"]].to_numpy().ravel()))
    counts = np.bincount(found[found >= 0], minlength=len(index))
    expected = len(found) * population.weights
    if (found < 0).any() or counts[expected == 0].any():
        return False
    order = np.argsort(expected)
    counts, expected = counts[order], expected[order]
    pooled = max(1, int((np.cumsum(expected) - expected < _LEAST_EXPECTED).sum()))
    starts = [0, *range(pooled, len(index))]
    counts, expected = np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)
    return len(starts) == 1 or bool(stats.chisquare(counts, expected).pvalue > _SURELY_ANOTHER)


@dataclass(frozen=True)
class Cells:
    """Successes and trials of every pair of k places; both matrices (k, k) are symmetric."""

    successes: NDArray[np.int64]
    trials: NDArray[np.int64]

    @property
    def rates(self) -> NDArray[np.float64]:
        """Success rates, shape (k, k); NaN where nothing was tried."""
        rates = np.full(self.trials.shape, np.nan)
        np.divide(self.successes, self.trials, out=rates, where=self.trials > 0)
        return rates


def cells(attempts: pd.DataFrame, figure: Figure, places: Sequence[str]) -> Cells:
    """Count the attempts of one configuration by pair of places, whoever of the two called.

    Attempts from or to other places are left out.
    """
    index = pd.Index(places)
    ends = np.stack([index.get_indexer(pd.Index(attempts[end])) for end in ("caller", "callee")])
    within = (ends >= 0).all(axis=0)
    good = succeeded(attempts, figure).to_numpy()
    counts = [_symmetric(ends[:, chosen], len(places)) for chosen in (within & good, within)]
    return Cells(*counts)


def _symmetric(ends: NDArray[Any], size: int) -> NDArray[np.int64]:
    upper = np.zeros((size, size), np.int64)
    np.add.at(upper, (ends.min(axis=0), ends.max(axis=0)), 1)
    return upper + np.triu(upper, 1).T


def population_rate(
    attempts: pd.DataFrame,
    figure: Figure,
    population: Population,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Estimate ``P = Σ wᵢ wⱼ sᵢⱼ``, the success rate of calls within a population.

    Parameters
    ----------
    attempts : DataFrame
        Attempts of one configuration, however often each pair of places was tried.
    figure : {"direct", "connected"}
        What counts as success.
    population : Population
        Weights wᵢ; it may be another one than the calls were drawn from.
    rng : numpy.random.Generator
        Source of the draws; the same seed gives the same interval.
    confidence : float
        Probability of the interval.

    Returns
    -------
    Estimate
        0 to 1. The value is over the pairs that were tried, NaN without any; the interval holds
        whatever the others would have given.
    """
    counted = cells(attempts, figure, [place.name for place in population.places])
    upper = np.triu_indices(len(population.places))
    weights = population.resampled_weights(rng, RESAMPLES)
    shares = _pair_shares(weights, upper)
    ends = _cell_draws(counted.successes[upper], counted.trials[upper], rng)
    low, high = ((shares * drawn).sum(axis=1) for drawn in ends)
    outside = (1 - confidence) / 2
    return Estimate(
        _tried_rate(counted.rates[upper], _pair_shares(population.weights, upper)),
        float(np.quantile(low, outside)),
        min(1.0, float(np.quantile(high, 1 - outside))),
        confidence,
    )


def _pair_shares(weights: NDArray[np.float64], upper: tuple[Any, Any]) -> NDArray[np.float64]:
    """Return how common each unordered pair is; two different places come in two orders."""
    first, second = upper
    return np.where(first == second, 1, 2) * weights[..., first] * weights[..., second]


def _cell_draws(
    successes: NDArray[np.int64], trials: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw every cell's rate from below and from above, each of shape (RESAMPLES, cells)."""
    size = (RESAMPLES, len(trials))
    failures = trials - successes
    low = rng.beta(np.maximum(successes, 1), failures + 1, size)
    high = rng.beta(successes + 1, np.maximum(failures, 1), size)
    return np.where(successes > 0, low, 0.0), np.where(failures > 0, high, 1.0)


def _tried_rate(rates: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    tried = ~np.isnan(rates) & (shares > 0)
    if not tried.any():
        return math.nan
    return float(np.average(rates[tried], weights=shares[tried]))


def sensitivity(
    attempts: pd.DataFrame,
    figure: Figure,
    populations: Sequence[Population],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return what the same cells mean in several populations.

    Parameters
    ----------
    attempts : DataFrame
        Of any configurations.
    figure, populations, rng
        As of `population_rate`.

    Returns
    -------
    DataFrame
        ``population``, ``configuration``, ``rate`` with ``rate_low`` and ``rate_high`` of the 95 %
        interval, and ``tried``: which share of the population's calls has a pair that was tried.
    """
    rows = []
    for population in populations:
        names = [place.name for place in population.places]
        for configuration, of_one in attempts.groupby("configuration", sort=False):
            rate = population_rate(of_one, figure, population, rng)
            tried = cells(of_one, figure, names).trials > 0
            rows.append(
                {
                    "population": population.name,
                    "configuration": configuration,
                    "rate": rate.value,
                    "rate_low": rate.low,
                    "rate_high": rate.high,
                    "tried": float(population.weights @ tried @ population.weights),
                }
            )
    return pd.DataFrame(rows)


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
        if not self.neither >= limit or math.isnan(self.one + self.both):
            return math.nan
        square = self.neither - 2 * self.one + self.both
        roots = np.roots([square, 2 * (self.one - self.neither), self.neither - limit])
        falls = [r.real for r in roots if abs(r.imag) < 1e-12 and 0 <= r.real < 1]
        falls = [r for r in falls if self.rate(min(1.0, r + 1e-6)) < limit]
        return float(min(falls, default=1.0))


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
    names = [place.name for place in population.places]
    rates = cells(attempts, figure, names).rates
    hard = np.array([endpoint_dependent(name) for name in names])
    shares = np.outer(population.weights, population.weights)
    neither, one, both = (
        _tried_rate(rates[np.ix_(rows, columns)], shares[np.ix_(rows, columns)])
        for rows, columns in ((~hard, ~hard), (~hard, hard), (hard, hard))
    )
    return ShareCurve(neither, one, both, float(population.weights[hard].sum()))
