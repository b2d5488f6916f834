"""Figures of a connectivity campaign: success rates, times to connect, and sensitivity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import NDArray

from jamlab.measure.connectivity import sensitivity as populations_of
from jamlab.measure.connectivity.record import STUN_ONLY, ConnectivityRecord
from jamlab.measure.connectivity.sensitivity import Cells, Population, cells
from jamlab.measure.connectivity.success import success_table
from jamlab.measure.connectivity.symmetric_nats import Borne, borne, share_curve
from jamlab.measure.connectivity.time_to_connect import connection_curve
from jamlab.measure.connectivity.verdicts import CONNECTIVITY_TARGET_PERCENT
from jamlab.measure.statistics import Estimate, resampling
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    GRID,
    INK,
    ORANGE,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
    SKY,
    ReportFigure,
    in_legend,
    legend,
    note,
    styled,
)

_TARGET = CONNECTIVITY_TARGET_PERCENT / 100
_SHARES = {
    "direct_capable": ("direct-capable", BLUE, "o"),
    "selected_direct": ("selected direct", SKY, "s"),
    "connected": ("connected", ORANGE, "D"),
}
_PARTS = {
    "direct": ("direct", BLUE, ""),
    "needed": ("relayed", ORANGE, "///"),
    "avoidable": ("relayed although direct-capable", SKY, "..."),
    "failed": ("failed", GRID, ""),
}
_LINES = ("-", "--", "-.", ":")
_ROOM_FOR_COUNTS = 10  # places up to which a cell has room for two numbers
_ROOM_FOR_WORDS = 20  # and for one


_STEPS = 200  # steps drawn of a curve, each less than two pixels high


@styled()
def by_configuration(record: ConnectivityRecord) -> ReportFigure:
    """Draw the three shares of every configuration's calls, with Wilson's 95 % intervals."""
    table = success_table(record.attempts)
    figure = ReportFigure(
        1.4 + 0.75 * len(table),
        "Share of calls that connect, by configuration, with the simulation error",
    )
    axes = _share_axes(figure, list(table["configuration"]))
    for number, (column, (words, colour, marker)) in enumerate(_SHARES.items()):
        rows = np.arange(len(table)) + 0.24 * (number - 1)
        _draw_intervals(axes, rows, table, column, (words, colour, marker))
    axes.set_xlabel("calls (%)")
    legend(figure)
    return figure


def _share_axes(figure: ReportFigure, names: Sequence[str]) -> Axes:
    """Return a panel with a row per name, the first at the top, and a horizontal share axis."""
    axes = figure.panels(1, 1)[0]
    _name_rows(axes, names)
    return axes


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.axvline(_TARGET, color=INK, linestyle="--", label=f"target {_TARGET:.0%}")


def _draw_intervals(
    axes: Axes,
    rows: NDArray[np.floating[Any]],
    table: pd.DataFrame,
    column: str,
    look: tuple[str, str, str],
) -> None:
    words, colour, marker = look
    axes.hlines(rows, table[f"{column}_low"], table[f"{column}_high"], color=colour, linewidth=2.2)
    axes.plot(
        table[column],
        rows,
        linestyle="none",
        marker=marker,
        color=colour,
        markeredgecolor="white",
        markersize=7,
        label=in_legend(words),
    )


@styled()
def matrix(record: ConnectivityRecord, configuration: str) -> ReportFigure:
    """Draw the share of direct calls between every two places, in either direction of the call.

    Where there are too many places for words, cells have none, and columns the rows' numbers.
    """
    names = places(record)
    counted = cells(record.of(configuration), "direct", names)
    figure = ReportFigure(
        min(10.5, 1.9 + 0.42 * len(names)),
        f"Share of direct calls between every two places, {configuration}",
    )
    axes = figure.panels(1, 1)[0]
    image = axes.imshow(100 * counted.rates, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    if len(names) <= _ROOM_FOR_WORDS:
        _write_cells(axes, counted)
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
    else:
        numbers = [str(number) for number, _ in enumerate(names, start=1)]
        rows = [f"{name}  {number}" for name, number in zip(names, numbers, strict=True)]
        axes.set_xticks(range(len(names)), numbers, fontsize=6, rotation=90)
        axes.set_yticks(range(len(names)), rows, fontsize=6)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_facecolor(GRID)
    axes.set_title(configuration)
    bar = figure.colorbar(image, label="direct (%)")
    bar.outline.set_visible(False)
    return figure


def _write_cells(axes: Axes, counted: Cells) -> None:
    count = len(counted.rates)
    size = 9.5 if count <= _ROOM_FOR_COUNTS else 7
    for (row, column), share in np.ndenumerate(counted.rates):
        words = _cell_words(share, int(counted.trials[row, column]), count)
        ink = "white" if share > 0.6 else INK
        axes.text(column, row, words, ha="center", va="center", color=ink, fontsize=size)


def places(record: ConnectivityRecord) -> list[str]:
    """Return every place of a campaign, by falling share of calls without a relay."""
    attempts = record.attempts
    chosen = attempts[attempts["configuration"] == STUN_ONLY]
    judged = attempts if chosen.empty else chosen
    names = sorted({*attempts["caller"], *attempts["callee"]})
    rates = cells(judged, "direct", names).rates
    tried = ~np.isnan(rates)
    reached = np.where(tried, rates, 0).sum(axis=1) / np.maximum(tried.sum(axis=1), 1)
    return [name for _, name in sorted(zip(-reached, names, strict=True))]


def _cell_words(share: float, trials: int, size: int) -> str:
    if math.isnan(share):
        return "–"
    percent = f"{100 * share:.0f}"
    return f"{percent}\n({trials})" if size <= _ROOM_FOR_COUNTS else percent


@styled()
def turn(record: ConnectivityRecord) -> ReportFigure:
    """Draw the results of the calls under every configuration, which show the gain by TURN."""
    table = success_table(record.attempts)
    avoidable = table["avoidable"].fillna(0.0)
    parts = pd.DataFrame(
        {
            "direct": table["selected_direct"],
            "needed": table["relayed"] - avoidable,
            "avoidable": avoidable,
            "failed": 1 - table["connected"],
        }
    )
    figure = ReportFigure(1.3 + 0.6 * len(table), "Results of the calls, by configuration")
    axes = _share_axes(figure, list(table["configuration"]))
    left = np.zeros(len(table))
    for part, (words, colour, hatch) in _PARTS.items():
        look: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "white",
            "label": words,
        }
        axes.barh(range(len(table)), parts[part], left=left, height=0.6, **look)
        _write_shares(axes, left, parts[part].to_numpy())
        left = left + parts[part].to_numpy()
    axes.set_xlabel("calls (%)")
    legend(figure)
    return figure


def _write_shares(axes: Axes, left: NDArray[np.float64], lengths: NDArray[np.float64]) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for row, (start, length) in enumerate(zip(left, lengths, strict=True)):
        if length >= 0.05:  # the number is wider than a shorter bar
            words, at = f"{length:.1%}", start + length / 2
            axes.text(at, row, words, ha="center", va="center", fontsize=9, bbox=box)


@styled()
def times(record: ConnectivityRecord) -> ReportFigure:
    """Draw the share of all calls, failed ones included, that have connected by a time."""
    figure = ReportFigure(3.9, "Share of calls that have connected within a time, by configuration")
    axes = figure.panels(1, 1)[0]
    start_s, end_s = _span_s(record.attempts)
    for number, configuration in enumerate(record.configurations):
        curve = connection_curve(record.of(configuration))
        _draw_curve(axes, curve, (start_s, end_s), number, configuration)
    axes.set_xscale("log")
    axes.set_xlim(start_s, end_s)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="time since the call began (s)", ylabel="calls that had connected (%)")
    if record.attempts["time_to_connect_s"].isna().all():
        note(axes, "No call connected.")
    legend(figure)
    return figure


def _span_s(attempts: pd.DataFrame) -> tuple[float, float]:
    """Return the limits of a logarithmic time axis for all attempts."""
    ends_s = attempts["observed_s"].clip(lower=1e-3)
    return 0.8 * float(ends_s.min()), 1.1 * float(ends_s.max())


def _draw_curve(
    axes: Axes, curve: pd.DataFrame, span_s: tuple[float, float], number: int, words: str
) -> None:
    colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
    start_s, end_s = span_s
    curve = _thinned(curve)
    time_s = [start_s, *curve["time_s"], end_s]
    level, low, high = (
        [0.0, *curve[column], curve[column].iloc[-1]]
        for column in ("connected", "connected_low", "connected_high")
    )
    axes.fill_between(time_s, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    line = _LINES[number % len(_LINES)]
    axes.step(time_s, level, where="post", color=colour, linestyle=line, label=in_legend(words))


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out steps too small to be seen, since every point adds to the page."""
    if len(curve) <= _STEPS:
        return curve
    seen = np.unique((curve["connected"] * _STEPS).round(), return_index=True)[1]
    return curve.iloc[np.union1d(seen, [len(curve) - 1])]


@styled()
def sensitivity(record: ConnectivityRecord, populations: Sequence[Population]) -> ReportFigure:
    """Draw how the share of direct calls depends on the population.

    Left: each population with the 95 % interval from the uncertainty of its weights and of the
    cells, and between ticks the simulation error alone. Right: the campaign's own population, the
    first, over the share of symmetric NATs; on the target's line, the share up to which it is
    reached.
    """
    figure = ReportFigure(
        max(3.9, 1.9 + 0.5 * len(populations)),
        "Share of direct calls in several populations, with their intervals and the simulation "
        "error, and by the share of symmetric NATs",
    )
    left, right = figure.panels(1, 2, width_ratios=(1, 1.1))
    _draw_populations(left, record, populations)
    _draw_share_curves(right, record, populations[0])
    legend(figure)
    return figure


def _draw_populations(
    axes: Axes, record: ConnectivityRecord, populations: Sequence[Population]
) -> None:
    own, rng = record.provenance["population"], resampling()
    table = populations_of.sensitivity(record.attempts, "direct", populations, rng, own)
    _name_rows(axes, [population.name for population in populations])
    count = len(record.configurations)
    for number, configuration in enumerate(record.configurations):
        here = table[table["configuration"] == configuration]
        rows = np.arange(len(here)) + 0.6 / count * (number - (count - 1) / 2)
        colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
        marker = PLAYER_MARKERS[number % len(PLAYER_MARKERS)]
        words = "simulation error alone" if number == 0 else "_"
        _draw_ticks(axes, rows, here, words)
        _draw_intervals(axes, rows, here, "rate", (configuration, colour, marker))
    axes.set_xlabel("direct calls (%)")
    axes.set_title("by population")


def _draw_ticks(
    axes: Axes, rows: NDArray[np.floating[Any]], table: pd.DataFrame, words: str
) -> None:
    """Draw the ends of the simulation error as ticks on the intervals."""
    for end, label in (("low", words), ("high", "_")):
        look: dict[str, Any] = {"linestyle": "none", "marker": "|", "color": INK, "zorder": 4}
        axes.plot(table[f"simulation_{end}"], rows, markersize=9, label=label, **look)


def _draw_share_curves(axes: Axes, record: ConnectivityRecord, population: Population) -> None:
    shares = np.linspace(0, 1, 101)
    for number, configuration in enumerate(record.configurations):
        attempts, rng = record.of(configuration), resampling()
        curve = share_curve(attempts, "direct", population)
        colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
        line = _LINES[number % len(_LINES)]
        axes.plot(shares, curve.rate(shares), color=colour, linestyle=line)
        bears = borne(attempts, "direct", population, _TARGET, rng)
        _draw_tolerated(axes, bears.tolerated, colour)
    axes.axhline(_TARGET, color=INK, linestyle="--")
    _draw_own_share(axes, bears, population.name)
    if math.isnan(float(curve.rate(0.5))):
        note(axes, "Too few pairs of places were tried.")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="endpoints behind a symmetric NAT (%)", ylabel="direct calls (%)")
    axes.set_title("by the share of symmetric NATs")


def _draw_tolerated(axes: Axes, tolerated: Estimate, colour: str) -> None:
    """Draw, on the target's line, the share up to which it is reached, if it is at all."""
    if math.isnan(tolerated.value):
        return
    axes.hlines(_TARGET, tolerated.low, tolerated.high, color=colour, linewidth=5, alpha=0.6)


def _draw_own_share(axes: Axes, bears: Borne, name: str) -> None:
    share = bears.share
    axes.axvspan(share.low, share.high, color=FAINT, alpha=0.15, linewidth=0)
    axes.axvline(share.value, color=FAINT, linestyle=":", label=f"{name} as it is")
