"""Verdicts on how sessions connect: direct, connected at all, and how soon there is sound."""

from collections.abc import Iterator
from dataclasses import replace

from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.population_figures import PopulationFigure, borne_words, doubt
from jamlab.measure.connectivity.sensitivity import Population, drawn_from, rate_within
from jamlab.measure.connectivity.success import Figure
from jamlab.measure.connectivity.symmetric_nats import borne
from jamlab.measure.connectivity.verdicts import CONNECTIVITY_TARGET_PERCENT
from jamlab.measure.digits import measured
from jamlab.measure.session_connectivity.measures import against_rule
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.session_connectivity.time_to_sound import sound_within, time_to_sound
from jamlab.measure.statistics import Estimate, resampling
from jamlab.measure.verdict import Verdict, judge_at_least, judge_below

FIRST_SOUND_TARGET_S = 1.0
"""Target: within this time nearly all calls of a population have sound at both ends."""
FIRST_SOUND_QUANTILE = 0.95

_JUDGED: dict[str, Figure] = {"end direct": "direct", "connect": "connected"}


def session_verdicts(record: SessionRecord) -> list[Verdict]:
    """Return the verdicts on a campaign of sessions, for each configuration three.

    At least 80 % of a population's calls end on a direct path, at least 80 % connect, and 95 % have
    sound at both ends within a second. Each interval covers the uncertainty of the population's
    shares and the number of calls. Raises ValueError when the population is not known.
    """
    population = load_population(record.provenance["population"])
    return [
        verdict
        for configuration in record.configurations
        for verdict in _verdicts(record, population, configuration)
    ]


def session_figures(
    record: SessionRecord, population: Population, configuration: str
) -> Iterator[PopulationFigure]:
    """Yield the share of sessions that end direct, then the share that connects.

    A configuration that allows relayed paths alone has no direct ones to count.
    """
    limit, sessions = CONNECTIVITY_TARGET_PERCENT / 100, record.of(configuration)
    for what, figure in _JUDGED.items():
        if figure == "direct" and configuration in record.provenance["relay_only"]:
            continue
        rng = resampling()
        rate = rate_within(sessions, figure, population, rng, drawn=True)
        bears = borne(sessions, figure, population, limit, rng)
        yield PopulationFigure(what, configuration, len(sessions), rate, bears)


def _verdicts(
    record: SessionRecord, population: Population, configuration: str
) -> Iterator[Verdict]:
    invalid = list(_invalid(record, population, configuration))
    for figure in session_figures(record, population, configuration):
        yield _share_verdict(record, population, figure, invalid)
    yield _sound_verdict(record, population, configuration, invalid)


def _share_verdict(
    record: SessionRecord, population: Population, figure: PopulationFigure, invalid: list[str]
) -> Verdict:
    share, limit = figure.rate.both, CONNECTIVITY_TARGET_PERCENT
    percent = Estimate(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)
    name = f"share of sessions that {figure.what} ({figure.configuration})"
    verdict = judge_at_least(name, limit, percent, "%", invalid)
    if invalid:
        return verdict
    doubts = doubt(figure.rate, figure.calls, population.name, limit / 100)
    why = [verdict.reason, doubts]
    if _JUDGED[figure.what] == "direct":
        why += [_rule_words(record, figure.configuration)]
        why += [borne_words(figure.borne, population.name, limit)]
    return replace(verdict, reason=" ".join(filter(None, why)))


def _rule_words(record: SessionRecord, configuration: str) -> str:
    """Return how many calls go against the rule, in a sentence."""
    stun = configuration in record.provenance["with_stun"]
    missed, gained = against_rule(record.of(configuration), stun=stun)
    if not missed and not gained:
        return "Each call that can be direct by the rule is, and no other."
    more = f", and {gained} {'is' if gained == 1 else 'are'} that cannot" if gained else ""
    return f"{missed} of the calls that can be direct by the rule are not{more}."


def _sound_verdict(
    record: SessionRecord, population: Population, configuration: str, invalid: list[str]
) -> Verdict:
    sessions = record.of(configuration)
    time_s = time_to_sound(sessions, population, FIRST_SOUND_QUANTILE)
    name = f"95th percentile of the time to first sound ({configuration})"
    verdict = judge_below(name, FIRST_SOUND_TARGET_S, time_s, "s", invalid)
    if invalid:
        return verdict
    in_time = sound_within(sessions, population, FIRST_SOUND_TARGET_S)
    value, low, high = (
        100 * end for end in (in_time.both.value, in_time.both.low, in_time.both.high)
    )
    share = measured(value, low, high, "%", 100 * FIRST_SOUND_QUANTILE)
    why = (
        f"{share} of the calls have sound within {FIRST_SOUND_TARGET_S:g} s.",
        doubt(in_time, len(sessions), population.name, FIRST_SOUND_QUANTILE),
    )
    return replace(verdict, reason=" ".join((verdict.reason, *why)))


def _invalid(record: SessionRecord, population: Population, configuration: str) -> Iterator[str]:
    """Yield each reason why a campaign is invalid, as words to follow "because"."""
    sessions, planned = record.of(configuration), record.provenance["calls"]
    if len(sessions) < planned:
        yield f"only {len(sessions)} of {planned} calls were tried"
    if not drawn_from(sessions, population):
        yield f"the calls were not drawn from the population {population.name}"
