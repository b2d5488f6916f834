"""What IPv6 and port mapping add to the share of direct calls, by the rule alone."""

import math
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from pandas.io.formats.style import Styler

from jamlab.measure.connectivity.population import (
    Features,
    Population,
    known_features,
    plain_population,
)
from jamlab.measure.connectivity.verdicts import CONNECTIVITY_TARGET_PERCENT
from jamlab.measure.connectivity_by_rule.direct_share import feature_curve, features_table
from jamlab.measure.digits import measured
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    SKY,
    ReportFigure,
    legend,
    styled,
)
from jamlab.report.page.tables import styled_table

_PERCENTS = [*range(0, 101, 10)]
_CLOSED = ((0.0, BLUE, "-"), (25.0, SKY, "--"), (50.0, ORANGE, "-."))


def shares_table(populations: Iterable[str]) -> Styler:
    """Return a row per population, named with or without features: what these add.

    Columns: direct calls as the population is, with IPv6, with port mapping and with both, in the
    shares of ``populations.csv``; and the share with which each alone would reach the target.
    """
    names = [*dict.fromkeys(plain_population(name).name for name in populations)]
    table = features_table(names, CONNECTIVITY_TARGET_PERCENT / 100)
    rows = [_row(row) for row in table.to_dict("records")]
    return styled_table(pd.DataFrame(rows).map(escape), "features")


def _row(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "Population": row["population"],
        "Direct, neither": _share(row, "plain"),
        "With IPv6": f"{_share(row, 'ipv6')} with {row['ipv6_percent']:g} %",
        "With port mapping": f"{_share(row, 'mapping')} with {row['mapping_percent']:g} %",
        "With both": _share(row, "both"),
        "IPv6 needed": _needed(row["ipv6_needed"]),
        "Port mapping needed": _needed(row["mapping_needed"]),
    }


def _share(row: dict[Any, Any], column: str) -> str:
    value, low, high = (100 * row[f"{column}{end}"] for end in ("", "_low", "_high"))
    return measured(value, low, high, "%", CONNECTIVITY_TARGET_PERCENT)


def _needed(percent: float) -> str:
    if math.isnan(percent):
        return "none is enough"
    return "none" if percent == 0 else f"{math.ceil(10 * percent) / 10:g} %"


@styled()
def curves(name: str) -> ReportFigure:
    """Draw a population's share of direct calls by its share of IPv6, and of routers that map.

    Left for several shares of closed IPv6 firewalls, right with and without IPv6. Bands are the
    95 % interval from the uncertainty of the population's shares; dotted lines mark the shares in
    ``populations.csv``. Features in the name are left out.
    """
    population = plain_population(name)
    known = known_features(population)
    figure = ReportFigure(3.9, "Share of direct calls by the shares of IPv6 and of port mapping")
    left, right = figure.panels(1, 2, sharey=True)
    for closed, colour, line in _CLOSED:
        label = f"{closed:g} % closed" if closed else "no IPv6 firewall closed"
        _draw(left, population, "ipv6", Features(closed=closed), (colour, line, label))
    ipv6 = Features(known.ipv6, known.none, known.closed)
    _draw(right, population, "mapping", Features(), (INK, "-", "without IPv6"))
    _draw(right, population, "mapping", ipv6, (BLUE, ":", f"IPv6 {known.ipv6:g} %"))
    for axes, percent in ((left, known.ipv6), (right, known.mapping)):
        axes.axvline(percent, color=FAINT, linestyle=":")
        axes.axhline(CONNECTIVITY_TARGET_PERCENT / 100, color=INK, linestyle="--")
        axes.xaxis.set_major_formatter(PercentFormatter(100))
        axes.set(xlim=(0, 100), ylim=(-0.02, 1.02))
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.set(xlabel="ends with IPv6", ylabel=f"direct calls, {population.name}")
    right.set(xlabel="routers that map ports")
    left.set_title("by IPv6")
    right.set_title("by port mapping")
    legend(figure)
    return figure


def _draw(
    axes: Axes, population: Population, feature: str, others: Features, look: tuple[str, str, str]
) -> None:
    colour, line, label = look
    curve = feature_curve(population, feature, _PERCENTS, others)
    percents = curve["percent"].to_numpy(np.float64)
    axes.plot(percents, curve["direct"], color=colour, linestyle=line, label=label)
    if line == "-":
        ends = curve["direct_low"].to_numpy(), curve["direct_high"].to_numpy()
        axes.fill_between(percents, *ends, color=colour, alpha=0.12, linewidth=0)
