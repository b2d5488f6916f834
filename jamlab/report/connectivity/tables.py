"""Tables of a connectivity campaign: verdicts, shares, times and provenance."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from jamlab.measure.connectivity import time_to_connect
from jamlab.measure.connectivity.population_figures import (
    PopulationFigure,
    population_figures,
    share_words,
)
from jamlab.measure.connectivity.record import KERNEL, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.connectivity.sensitivity import Population
from jamlab.measure.connectivity.success import success_table
from jamlab.measure.connectivity.verdicts import CONNECTIVITY_TARGET_PERCENT, connectivity_verdicts
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BrowserAgreementRecord,
    browser_agreement_verdict,
)
from jamlab.measure.digits import measured
from jamlab.measure.statistics import Estimate
from jamlab.report.page.opening import Head, head
from jamlab.report.page.tables import date_of, fact, facts_table, judged_table, styled_table

_GROUPS = ("machine", "versions")
_SHARES = {
    "direct_capable": "Direct-capable",
    "selected_direct": "Selected direct",
    "connected": "Connected",
    "relayed": "Gain by TURN",
    "avoidable": "Relayed although direct-capable",
}


def masthead(
    record: ConnectivityRecord,
    title: str,
    agreement: AgreementRecord | None = None,
    browsers: BrowserAgreementRecord | None = None,
) -> Head:
    """Return the head of a page: title, subject and date of the measurement, overall verdict.

    The verdicts on the agreement of a campaign on the kernel, and on browsers', count as well.
    """
    judged = connectivity_verdicts(record)
    judged += [agreement_verdict(agreement)] if agreement else []
    judged += [browser_agreement_verdict(browsers)] if browsers else []
    return head(title, _subject(record), judged)


def verdict_table(record: ConnectivityRecord) -> Styler:
    """Return a row per target: verdict, figure, target, value and reason."""
    return judged_table(connectivity_verdicts(record))


def population_table(record: ConnectivityRecord, population: Population) -> Styler:
    """Return a row per judged figure, with the population's interval and the simulation error.

    Further columns are the share of symmetric NATs up to which the target is reached, and the
    population's own share, each with its 95 % interval.
    """
    limit = CONNECTIVITY_TARGET_PERCENT / 100
    rows = [_sure_row(figure, limit) for figure in population_figures(record, population, limit)]
    return styled_table(pd.DataFrame(rows).map(escape), "population")


def _sure_row(figure: PopulationFigure, limit: float) -> dict[str, str]:
    both, simulation = figure.rate.both, figure.rate.simulation
    return {
        "What": f"{figure.what.capitalize()} ({figure.configuration})",
        "In the population": _percent(both),
        f"Simulation error, {figure.calls} calls": _percent(simulation),
        f"{limit:.0%} reached with symmetric NATs up to": _tolerated(figure),
        "The population has": share_words(figure.borne.share),
    }


def _percent(share: Estimate) -> str:
    return measured(100 * share.value, 100 * share.low, 100 * share.high, "%")


def _tolerated(figure: PopulationFigure) -> str:
    bears = figure.borne
    if not bears.known:
        return "too few pairs were tried"
    if math.isnan(bears.tolerated.value):
        return f"missed even without symmetric NATs: {share_words(bears.without_any)}"
    return share_words(bears.tolerated)


def shares_table(record: ConnectivityRecord) -> Styler:
    """Return a row per configuration: shares of its calls, with the simulation error.

    The error is Wilson's 95 % interval.
    """
    table = success_table(record.attempts)
    shown = pd.DataFrame({"Configuration": table["configuration"], "Calls": table["calls"]})
    for column, heading in _SHARES.items():
        ends = 100 * table[[column, f"{column}_low", f"{column}_high"]].to_numpy(float)
        shown[heading] = [measured(value, low, high, "%") for value, low, high in ends]
    return styled_table(shown.astype(str).map(escape), "shares")


def times_table(record: ConnectivityRecord) -> Styler:
    """Return a row per configuration: the times by which 50, 90 and 95 % of its calls connected."""
    table = time_to_connect.quantile_table(record.attempts)
    shown = pd.DataFrame({"Configuration": table["configuration"], "Calls": table["attempts"]})
    shown["Not connected"] = table["failed"]
    for quantile in time_to_connect.QUANTILES:
        column = f"p{100 * quantile:.0f}_s"
        ends = table[[column, f"{column}_low", f"{column}_high"]].to_numpy(float)
        shown[f"{quantile:.0%} had connected"] = [_time(*times_s) for times_s in ends]
    return styled_table(shown.astype(str).map(escape), "times")


def _time(value_s: float, low_s: float, high_s: float) -> str:
    """Write a time and its interval; an end beyond the observed time is infinite."""
    if math.isinf(value_s):
        return "not reached"
    high = "not reached" if math.isinf(high_s) else f"{high_s:.2f}"
    return f"{value_s:.2f} s ({low_s:.2f}–{high})"


def states_table(record: ConnectivityRecord) -> Styler:
    """Return a row per configuration and ICE state: how long the ends stayed in it."""
    stays = time_to_connect.state_durations(record.attempts)
    stays = stays[(stays["kind"] == "ice") & stays["ended"]]
    order = {name: number for number, name in enumerate(record.configurations)}
    stays = stays.sort_values("configuration", key=lambda names: names.map(order), kind="stable")
    rows = [
        {
            "Configuration": configuration,
            "ICE state": state,
            "Stays": len(stayed),
            "Median": f"{stayed['duration_s'].median():.2f} s",
            "95th percentile": f"{stayed['duration_s'].quantile(0.95):.2f} s",
        }
        for (configuration, state), stayed in stays.groupby(["configuration", "state"], sort=False)
    ]
    shown = pd.DataFrame(rows)
    return styled_table(shown.astype(str).map(escape), "states")


def provenance_table(record: ConnectivityRecord) -> Styler:
    """Return the record's provenance: date, plan, machine and versions."""
    return facts_table(_provenance(record.provenance))


def _subject(record: ConnectivityRecord) -> str:
    provenance = record.provenance
    calls, population = provenance["calls"], provenance["population"]
    where = "this machine's kernel" if record.network == KERNEL else "the simulated internet"
    what = f"{calls} calls of {record.ends} within the population {population}, on {where}"
    if record.network == THIS_MACHINE:
        what = f"{calls} attempts under each configuration, between two ends on this machine"
    created, version = date_of(provenance["created"]), provenance["versions"]["jamlab"]
    return f"{what} · measured {created} · jamlab {version}"


def _provenance(provenance: dict[str, Any]) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    """Yield each group of facts with its names and values."""
    yield "created", [("date", date_of(provenance["created"]))]
    others = {"created", "parameters", *_GROUPS}
    asked = {name: value for name, value in provenance.items() if name not in others}
    yield "campaign", [fact(name, value) for name, value in asked.items() if value is not None]
    for group in _GROUPS:
        yield group, [fact(name, value) for name, value in provenance.get(group, {}).items()]
