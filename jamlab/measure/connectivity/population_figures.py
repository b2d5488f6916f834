"""The figures of a campaign that a target is set for, with what leaves each of them uncertain.

How sure a figure is hangs on the population first: its shares come from studies of few endpoints,
and no number of simulated calls makes them better known. What so many calls leave open is the
simulation error. Here both are found, and told apart in words.
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


@dataclass(frozen=True, slots=True)
class PopulationFigure:
    """A share of a population's calls under one configuration."""

    what: str
    """Which calls, as a reader calls them: "direct-capable", "selected direct" or "connected"."""
    configuration: str
    calls: int
    """How many calls were tried."""
    rate: PopulationRate
    """The share, 0 to 1."""
    borne: Borne
    """How many symmetric NATs its target bears."""

    @property
    def name(self) -> str:
        """What a verdict calls it."""
        return f"share of {self.what} calls ({self.configuration})"


def population_figures(
    record: ConnectivityRecord, population: Population, limit: float
) -> Iterator[PopulationFigure]:
    """Yield what is judged of a campaign.

    First what a direct path is there for (`STUN_ONLY`), then what each configuration with TURN
    selects a direct path for, then what each of those connects at all.

    Parameters
    ----------
    record : ConnectivityRecord
        Of calls drawn from the population.
    population : Population
        How common the places are.
    limit : float
        The least share that is asked for, 0 to 1.
    """
    for what, figure, configuration in _judged(record):
        attempts, rng = record.of(configuration), resampling()
        rate = rate_within(attempts, figure, population, rng, drawn=True)
        bears = borne(attempts, figure, population, limit, rng)
        yield PopulationFigure(what, configuration, len(attempts), rate, bears)


def _judged(record: ConnectivityRecord) -> Iterator[tuple[str, Figure, str]]:
    """Yield each figure's name, what counts as success, and the configuration."""
    if STUN_ONLY in record.configurations:
        yield "direct-capable", "direct", STUN_ONLY
    for name in record.with_turn:
        if name not in record.relay_only:
            yield "selected direct", "direct", name
    for name in record.with_turn:
        yield "connected", "connected", name


def doubt(figure: PopulationFigure, population: str, limit: float) -> str:
    """Say of a figure what leaves it uncertain, in sentences that follow its verdict.

    Where its interval straddles the limit, they say which error does that, and what would help.
    """
    error = f"simulation error of {figure.calls} calls, {range_words(figure.rate.simulation)}"
    if not _straddles(figure.rate.both, limit):
        return f"The interval says how well the population is known; apart from it, the {error}."
    if _straddles(figure.rate.population, limit):
        return (
            f"How common each NAT is in the population {population} is assumed or known from few "
            f"endpoints, and that decides; more calls do not help (alone they leave the {error}). "
            "NATs counted among the people who are to play would help."
        )
    return f"The {error}, leaves it open: make more calls."


def _straddles(estimate: Estimate, limit: float) -> bool:
    return math.isnan(estimate.value) or estimate.low < limit <= estimate.high


def borne_words(bears: Borne, population: str, limit_percent: float) -> str:
    """Say how the target, in percent, hangs on the share of symmetric NATs, in one sentence."""
    here = f"the population {population} has {share_words(bears.share)} of them"
    without = bears.without_any
    if not bears.known:
        return f"Too few pairs were tried to say how many symmetric NATs it bears; {here}."
    if math.isnan(bears.tolerated.value):
        value, low, high = (100 * end for end in (without.value, without.low, without.high))
        share = measured(value, low, high, "%", limit_percent)
        return f"Without any symmetric NAT it would be {share}; {here}."
    if bears.tolerated.low == 1:
        return f"It would be reached with any share of symmetric NATs; {here}."
    return f"It is reached with up to {share_words(bears.tolerated)} of symmetric NATs; {here}."


def share_words(estimate: Estimate) -> str:
    """Write a share and its interval, e.g. "15.2% (13.2 to 17.7%)"."""
    if estimate.low == estimate.high:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} ({range_words(estimate)})"


def range_words(estimate: Estimate) -> str:
    """Write an interval of a share, e.g. "13.2 to 17.7%"."""
    return f"{100 * estimate.low:.1f} to {estimate.high:.1%}"
