"""Verdicts on connectivity: on a campaign's calls, and on the user's own servers."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.population_figures import (
    PopulationFigure,
    borne_words,
    doubt,
    population_figures,
)
from jamlab.measure.connectivity.record import THIS_MACHINE, ConnectivityRecord
from jamlab.measure.connectivity.sensitivity import Population, drawn_from
from jamlab.measure.connectivity.success import succeeded
from jamlab.measure.servers.probe import WORKS
from jamlab.measure.servers.table import distinct_probes
from jamlab.measure.statistics import CONFIDENCE, Estimate
from jamlab.measure.verdict import Outcome, Verdict, judge_at_least, unmeasured

CONNECTIVITY_TARGET_PERCENT = 80.0
"""Target: the least share of a population's calls that connect."""


def connectivity_verdicts(record: ConnectivityRecord) -> list[Verdict]:
    """Return the verdicts on whether at least 80 % of a population's calls connect.

    Attempts on this machine's own network have no population: there the verdicts are on whether all
    servers work, and whether all attempts under each configuration connect.

    `population_figures` lists the figures. Each interval covers the uncertainty of the population's
    shares, which more calls do not narrow. The reason also states the simulation error, which of
    the two made a verdict INCONCLUSIVE, and the share of symmetric NATs that the target tolerates.
    Raises ValueError when the population is not known.
    """
    if record.network == THIS_MACHINE:
        return [_servers_verdict(record), *map(partial(_here, record), record.configurations)]
    population = load_population(record.provenance["population"])
    figures = population_figures(record, population, CONNECTIVITY_TARGET_PERCENT / 100)
    return [_connectivity_verdict(record, population, figure) for figure in figures]


def _servers_verdict(record: ConnectivityRecord) -> Verdict:
    name, servers = "share of servers that work", record.servers
    if servers.empty:
        return unmeasured(name, Outcome.NOT_RUN, "No configuration names a server.")
    verdict = _all_of(name, int((servers["outcome"] == WORKS).sum()), len(servers))
    asked = distinct_probes(servers)
    what = [f"{each.url} ({names}): {each.outcome}" for each, names in asked if not each.works]
    return replace(verdict, reason=f"{verdict.reason} {'; '.join(what)}".rstrip())


def _here(record: ConnectivityRecord, configuration: str) -> Verdict:
    """Return the verdict on the attempts between two ends on one machine."""
    attempts = record.of(configuration)
    connected = int(succeeded(attempts, "connected").sum())
    verdict = _all_of(f"share of attempts that connect ({configuration})", connected, len(attempts))
    where = attempts.loc[attempts["stage"] != "", "stage"].value_counts()
    failed = " ".join(f"{count} failed in {stage}." for stage, count in where.items())
    return replace(verdict, reason=f"{verdict.reason} {failed}".rstrip())


def _all_of(name: str, count: int, whole: int) -> Verdict:
    """Return the verdict on a complete count, which has no interval."""
    percent = 100 * count / whole
    return judge_at_least(name, 100.0, Estimate(percent, percent, percent, CONFIDENCE), "%")


def _connectivity_verdict(
    record: ConnectivityRecord, population: Population, figure: PopulationFigure
) -> Verdict:
    share, limit = figure.rate.both, CONNECTIVITY_TARGET_PERCENT
    percent = Estimate(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)
    invalid = list(_invalid(record, population, figure.configuration))
    verdict = judge_at_least(figure.name, limit, percent, "%", invalid)
    if invalid:
        return verdict
    why = (
        doubt(figure.rate, figure.calls, population.name, limit / 100),
        borne_words(figure.borne, population.name, limit),
    )
    return replace(verdict, reason=" ".join((verdict.reason, *why)))


def _invalid(record: ConnectivityRecord, population: Population, name: str) -> Iterator[str]:
    """Yield each reason why a campaign is invalid, as words to follow "because"."""
    attempts, planned = record.of(name), record.provenance["calls"]
    if left_out := record.provenance.get("left_out"):
        yield left_out
    elif len(attempts) < planned:
        yield f"only {len(attempts)} of {planned} calls were tried"
    if not drawn_from(attempts, population):
        yield f"the calls were not drawn from the population {population.name}"
