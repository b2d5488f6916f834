"""Success rates of calls within a population, and their sensitivity to the population's shares.

With the weights wᵢ of the places, calls between independently drawn places succeed at the rate
``P = Σ wᵢ wⱼ sᵢⱼ``. It has two errors, which are kept apart (`PopulationRate`).

*The population.* The weights come from studies of few endpoints, and are resampled with every cell
sᵢⱼ at its estimate. More calls do not reduce this error.

*The simulation.* Each cell comes from few attempts. Where the calls were drawn from the population
itself, the share of successful calls has the exact interval of Clopper and Pearson. (P itself is
more certain: it weighs the pairs by the weights, not by how often they were drawn.) For another
population, each cell has a confidence distribution, Beta(k, n−k+1) from below and Beta(k+1, n−k)
from above, and sums of draws from them give the melded interval of Fay, Proschan and Brittain
(Biometrics 71, 2015): for a single cell the exact interval, and ``[0, 1]`` for a pair that was not
tried, so that missing pairs widen the interval.

*Both*: on each side, the root of the sum of squares of the two intervals (Zou and Donner's MOVER,
Statistics in Medicine 27, 2008), so the larger dominates, and where one error is 0 the other
remains. `jamlab.measure.connectivity.symmetric_nats` computes P for other shares of symmetric NATs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jamlab.measure.connectivity.success import Figure, succeeded
from jamlab.measure.statistics import CONFIDENCE, RESAMPLES, Estimate, proportion

_LEAST_EXPECTED = 5.0  # occurrences below which chi-squared approximates poorly
_SURELY_ANOTHER = 1e-9  # chi-squared's tail is thinner than that of so few occurrences
_WEIGHTS = 10_000  # draws of the weights: their noise moves an end by 2 % of the interval's width


class Place(Protocol):
    """The place of an endpoint: the NATs and firewalls around it."""

    @property
    def name(self) -> str:
        """Its name in the attempts table."""


class Population(Protocol):
    """Places and their shares; see `jamlab.measure.connectivity.population`."""

    @property
    def name(self) -> str:
        """Its name for the reader."""

    @property
    def places(self) -> Sequence[Place]:
        """The k places."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """Share of each place, shape (k,), summing to 1."""

    def resampled_weights(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return n draws of the weights, shape (n, k), which vary as their source is uncertain."""


def drawn_from(attempts: pd.DataFrame, population: Population) -> bool:
    """Return whether the attempts' places may be a random sample of a population.

    Pearson's chi-squared test of the places' counts, the rarest pooled, at a level that a true
    sample fails about once in a million. It detects another population, or a table in which all
    pairs were tried equally often: their plain success rate says nothing about the population.
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
    """Count the attempts of one configuration by unordered pair of places.

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


@dataclass(frozen=True, slots=True)
class PopulationRate:
    """A success rate within a population, 0 to 1, with its two errors separate and combined."""

    both: Estimate
    """With the interval of both errors."""
    population: Estimate
    """With the interval of the shares' error alone, the cells taken as exact."""
    simulation: Estimate
    """With the interval of the simulation's error alone, the shares taken as exact."""


def rate_within(
    attempts: pd.DataFrame,
    figure: Figure,
    population: Population,
    rng: np.random.Generator,
    *,
    drawn: bool = False,
    confidence: float = CONFIDENCE,
) -> PopulationRate:
    """Estimate ``P = Σ wᵢ wⱼ sᵢⱼ``, the success rate of calls within a population.

    The attempts are of one configuration, however often each pair of places was tried; `drawn`
    states whether the calls were drawn from this population. Values are over the pairs that were
    tried, NaN without any; the simulation's interval allows for any result of the pairs that were
    not.
    """
    counted = cells(attempts, figure, [place.name for place in population.places])
    upper = np.triu_indices(len(population.places))
    shares = pair_shares(population.weights, upper)
    rates = counted.rates[upper]
    value = float(tried_rate(rates, shares))
    if math.isnan(value):
        unknown = Estimate(value, 0.0, 1.0, confidence)
        return PopulationRate(unknown, unknown, unknown)
    resampled = pair_shares(population.resampled_weights(rng, _WEIGHTS), upper)
    of_weights = interval_of(value, tried_rate(rates, resampled), confidence)
    if drawn:
        good = succeeded(attempts, figure)
        plain = proportion(int(good.sum()), len(good), "exact", confidence)
        of_cells = together(Estimate(value, value, value, confidence), plain)
    else:
        ends = class_draws(counted.successes[upper], counted.trials[upper], rng)
        low, high = ((shares * drawn_rates).sum(axis=1) for drawn_rates in ends)
        of_cells = melded(value, low, high, confidence)
    return PopulationRate(together(of_weights, of_cells), of_weights, of_cells)


def interval_of(value: float, draws: NDArray[np.float64], confidence: float) -> Estimate:
    """Return a value with the central interval of its draws."""
    return melded(value, draws, draws, confidence)


def melded(
    value: float, low: NDArray[np.float64], high: NDArray[np.float64], confidence: float
) -> Estimate:
    """Return a share with the melded interval of lower and upper draws."""
    outside = (1 - confidence) / 2
    ends = float(np.nanquantile(low, outside)), float(np.nanquantile(high, 1 - outside))
    return Estimate(value, min(value, ends[0]), max(value, min(1.0, ends[1])), confidence)


def together(one: Estimate, other: Estimate) -> Estimate:
    """Return the first share, with its error and the other's independent error in one interval."""
    below = math.hypot(one.value - one.low, other.value - other.low)
    above = math.hypot(one.high - one.value, other.high - other.value)
    low, high = max(0.0, one.value - below), min(1.0, one.value + above)
    return Estimate(one.value, low, high, one.confidence)


def pair_shares(weights: NDArray[np.float64], upper: tuple[Any, Any]) -> NDArray[np.float64]:
    """Return the share of each unordered pair; two different places come in two orders."""
    first, second = upper
    return np.where(first == second, 1, 2) * weights[..., first] * weights[..., second]


def class_draws(
    successes: NDArray[np.int64], trials: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper draws of every cell's rate, each of shape (RESAMPLES, cells)."""
    size = (RESAMPLES, len(trials))
    failures = trials - successes
    low = rng.beta(np.maximum(successes, 1), failures + 1, size)
    high = rng.beta(successes + 1, np.maximum(failures, 1), size)
    return np.where(successes > 0, low, 0.0), np.where(failures > 0, high, 1.0)


def tried_rate(rates: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate over the pairs that were tried, for shares of shape (..., pairs).

    NaN where no pair with a share above 0 was tried.
    """
    tried = ~np.isnan(rates)
    whole = shares[..., tried].sum(axis=-1)
    good = np.asarray(shares[..., tried] @ rates[tried])
    rate: NDArray[np.float64] = np.full(good.shape, np.nan)
    np.divide(good, whole, out=rate, where=whole > 0)
    return rate


def sensitivity(
    attempts: pd.DataFrame,
    figure: Figure,
    populations: Sequence[Population],
    rng: np.random.Generator,
    drawn: str = "",
) -> pd.DataFrame:
    """Return the success rates of the same cells in several populations.

    The attempts are of any configurations; `drawn` is the name of the population that their calls
    were drawn from. Columns: ``population``, ``configuration``, ``rate`` with ``rate_low`` and
    ``rate_high`` of the 95 % interval from both errors, ``simulation_low`` and ``simulation_high``
    of the simulation's alone, and ``tried``: the share of the population's calls whose pair was
    tried.
    """
    rows = []
    for population in populations:
        names = [place.name for place in population.places]
        for configuration, of_one in attempts.groupby("configuration", sort=False):
            own = population.name == drawn
            rate = rate_within(of_one, figure, population, rng, drawn=own)
            tried = cells(of_one, figure, names).trials > 0
            rows.append(
                {
                    "population": population.name,
                    "configuration": configuration,
                    "rate": rate.both.value,
                    "rate_low": rate.both.low,
                    "rate_high": rate.both.high,
                    "simulation_low": rate.simulation.low,
                    "simulation_high": rate.simulation.high,
                    "tried": float(population.weights @ tried @ population.weights),
                }
            )
    return pd.DataFrame(rows)
