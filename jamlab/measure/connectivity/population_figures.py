"""The figures of a campaign that have a target, with the errors of each.

A figure has two errors. The population's shares come from studies of few endpoints, and no number
of simulated calls makes them more certain. The simulation error comes from the number of calls.
This module computes both and words them separately.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from jamlab.measure.connectivity.record import STUN_ONLY, ConnectivityRecord
from jamlab.measure.connectivity.sensitivity import Population, PopulationRate, rate_within
from jamlab.measure.connectivity.success import Figure
from jamlab.measure.connectivity.symmetric_nats import Borne, borne
from jamlab.measure.digits import measured
from jamlab.measure.statistics import Estimate, resampling

_FEATURES = {"ipv6": "IPv6", "mapping": "routers that map ports"}


@dataclass(frozen=True, slots=True)
class PopulationFigure:
    """A share of a population's calls under one configuration, 0 to 1."""

    what: str
    """The calls that count: "direct-capable", "selected direct" or "connected"."""
    configuration: str
    calls: int
    rate: PopulationRate
    borne: Borne
    """The share of symmetric NATs up to which the target is reached."""

    @property
    def name(self) -> str:
        """Name of the figure in a verdict."""
        return f"share of {self.what} calls ({self.configuration})"


def population_figures(
    record: ConnectivityRecord, population: Population, limit: float
) -> Iterator[PopulationFigure]:
    """Yield the figures of a campaign that are judged, its calls drawn from the population.

    First the share of calls with a direct path (under `STUN_ONLY`), then for each configuration
    with TURN the share that selects a direct path, then for each the share that connects at all.

    `limit` is the least share that meets the target, 0 to 1.
    """
    for what, figure, configuration in _judged(record):
        attempts, rng = record.of(configuration), resampling()
        rate = rate_within(attempts, figure, population, rng, drawn=True)
        bears = borne(attempts, figure, population, limit, rng)
        yield PopulationFigure(what, configuration, len(attempts), rate, bears)


def _judged(record: ConnectivityRecord) -> Iterator[tuple[str, Figure, str]]:
    """Yield each figure's name, its criterion of success, and the configuration."""
    if STUN_ONLY in record.configurations:
        yield "direct-capable", "direct", STUN_ONLY
    for name in record.with_turn:
        if name not in record.relay_only:
            yield "selected direct", "direct", name
    for name in record.with_turn:
        yield "connected", "connected", name


def doubt(rate: PopulationRate, calls: int, population: str, limit: float) -> str:
    """Return a rate's errors in sentences that follow its verdict.

    Where the interval straddles the limit, they state which error is the cause, and a remedy. The
    last sentence says which shares of the population have no error in the interval.
    """
    return " ".join(filter(None, [_errors(rate, calls, population, limit), _given(population)]))


def _given(population: str) -> str:
    """Return a sentence on the features in a population's name, whose shares are exact numbers."""
    given = [words for feature, words in _FEATURES.items() if f"+{feature}=" in population]
    if not given:
        return ""
    return f"The interval takes the share of ends with {' and with '.join(given)} as given."


def _errors(rate: PopulationRate, calls: int, population: str, limit: float) -> str:
    number = f"{calls} {'call' if calls == 1 else 'calls'}"
    error = f"simulation error of {number}, {range_words(rate.simulation)}"
    if not _straddles(rate.both, limit):
        return f"The interval covers the error of the population's shares; beside it, the {error}."
    if not _straddles(rate.population, limit):
        return f"The cause is the {error}: make more calls."
    shares = f"the shares of NATs in the population {population}, which are assumed or known from"
    if _calls_may_settle(rate, limit):
        return (
            f"The cause is the {error}, beside {shares} few endpoints: make more calls first, "
            "which may settle it."
        )
    return (
        f"The cause is {shares} few endpoints; more calls do not help (the {error}). "
        "Counting the NATs of the intended participants would help."
    )


def _calls_may_settle(rate: PopulationRate, limit: float) -> bool:
    """Return whether the shares' error alone, about a value that the calls allow, may be clear.

    More calls move the value within the simulation's interval, and the shares' interval with it.
    """
    value, shares, simulation = rate.both.value, rate.population, rate.simulation
    highest_low = simulation.high - (value - shares.low)
    lowest_high = simulation.low + (shares.high - value)
    return highest_low >= limit or lowest_high < limit


def _straddles(estimate: Estimate, limit: float) -> bool:
    return math.isnan(estimate.value) or estimate.low < limit <= estimate.high


def borne_words(bears: Borne, population: str, limit_percent: float) -> str:
    """Return how the target, in percent, depends on the share of symmetric NATs, in a sentence."""
    here = f"the population {population} has {share_words(bears.share)} of them"
    without = bears.without_any
    if not bears.known:
        return f"Too few pairs were tried to say how many symmetric NATs the target allows; {here}."
    if math.isnan(bears.tolerated.value):
        value, low, high = (100 * end for end in (without.value, without.low, without.high))
        share = measured(value, low, high, "%", limit_percent)
        return f"Without any symmetric NAT the share would be {share}; {here}."
    if bears.tolerated.low == 1:
        return f"The target would be reached with any share of symmetric NATs; {here}."
    return (
        f"The target is reached with up to {share_words(bears.tolerated)} symmetric NATs; {here}."
    )


def share_words(estimate: Estimate) -> str:
    """Write a share and its interval, e.g. "15.2% (13.2 to 17.7%)"."""
    if estimate.low == estimate.high:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} ({range_words(estimate)})"


def range_words(estimate: Estimate) -> str:
    """Write an interval of a share, e.g. "13.2 to 17.7%"."""
    return f"{100 * estimate.low:.1f} to {estimate.high:.1%}"
