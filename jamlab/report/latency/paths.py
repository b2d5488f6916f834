"""Figures of paths: latency over time, its distribution, and the medians of all pairs."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import floor_ms
from jamlab.report.page.figures import (
    FAINT,
    GRID,
    INK,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
    TARGETS_MS,
    ReportFigure,
    legend,
    styled,
)

_HEARD_BY = {ONE_WAY: "heard by", ROUND_TRIP: "echoed by"}
_COLUMNS = 2
_BETWEEN_S = 0.25  # gap drawn between a session's last click and the next session
_MISSED_AT = 0.95  # share of the panel's height at which clicks without a latency are drawn


@styled()
def over_time(record: LatencyRecord, measurement: str = ONE_WAY) -> ReportFigure:
    """Draw each click's latency at the time it was emitted, a panel per receiver.

    Sessions follow one another, separated by lines. Clicks that were not heard are crosses along
    the top.
    """
    names = players(record)
    clicks = in_a_row(_of(record, measurement))
    rows = math.ceil(len(names) / _COLUMNS)
    figure = ReportFigure(
        0.9 + 2.2 * rows,
        f"Latency of every click over time, {measurement}, one panel per receiver",
    )
    panels = figure.panels(rows, _COLUMNS, sharex=True, sharey=True)
    for axes, receiver in zip(panels, names, strict=False):
        _draw_clicks(axes, clicks[clicks["receiver"] == receiver], names)
        _draw_levels(axes, record, measurement)
        for begins_s in clicks.groupby("session")["begins_s"].first().iloc[1:]:
            axes.axvline(begins_s, color=GRID, linewidth=1.2, zorder=0)
        axes.set_title(_panel_title(clicks, measurement, receiver))
    panels[0].set_ylim(0, _top_ms(clicks, measurement))
    for axes in panels[::_COLUMNS]:
        axes.set_ylabel("latency (ms)")
    for axes in panels[len(names) :]:
        axes.remove()
    for axes in panels[len(names) - _COLUMNS : len(names)]:
        axes.set_xlabel("time measured, session after session (s)")
        axes.tick_params(labelbottom=True)
    legend(figure)
    return figure


def players(record: LatencyRecord) -> list[str]:
    """Return the names of all participants, sorted."""
    return sorted({*record.clicks["sender"], *record.clicks["receiver"]})


def _of(record: LatencyRecord, measurement: str) -> pd.DataFrame:
    return record.clicks[record.clicks["measurement"] == measurement]


def in_a_row(clicks: pd.DataFrame) -> pd.DataFrame:
    """Return the clicks on one time axis, with the sessions directly one after another.

    ``emitted_s`` is then since the first session began; ``begins_s`` is the beginning of the
    click's session.
    """
    lasts_s = clicks.groupby("session")["emitted_s"].max() + _BETWEEN_S
    begins_s = clicks["session"].map(lasts_s.cumsum() - lasts_s)
    return clicks.assign(begins_s=begins_s, emitted_s=begins_s + clicks["emitted_s"])


def _panel_title(clicks: pd.DataFrame, measurement: str, receiver: str) -> str:
    here = clicks[clicks["receiver"] == receiver]
    missed = int(here["latency_ms"].isna().sum())
    counted = f"{missed} of {len(here)} clicks not heard" if missed else f"{len(here)} clicks"
    return f"{_HEARD_BY[measurement]} {receiver}: {counted}"


def _draw_clicks(axes: Axes, clicks: pd.DataFrame, names: list[str]) -> None:
    for sender, path in clicks.groupby("sender", sort=False):
        number = names.index(str(sender))
        axes.plot(
            path["emitted_s"],
            path["latency_ms"],
            linestyle="none",
            marker=PLAYER_MARKERS[number],
            markersize=3,
            markeredgewidth=0,
            color=PLAYER_COLOURS[number],
            label=f"from {sender}",
            rasterized=True,  # ten minutes of six participants are 144 000 clicks
        )
    missed_s = clicks.loc[clicks["latency_ms"].isna(), "emitted_s"]
    if len(missed_s):
        axes.plot(
            missed_s,
            np.full(len(missed_s), _MISSED_AT),
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker="x",
            markersize=6,
            color=INK,
            label="not heard",
        )


def _draw_levels(axes: Axes, record: LatencyRecord, measurement: str) -> None:
    target_ms, least_ms = TARGETS_MS[measurement], floor_ms(record, measurement)
    axes.axhline(target_ms, color=INK, linestyle="--", label=f"target {target_ms:g} ms")
    axes.axhline(least_ms, color=FAINT, linestyle=":", label=f"physical floor {least_ms:.1f} ms")


def _top_ms(clicks: pd.DataFrame, measurement: str) -> float:
    """Return the upper limit of a latency axis, which always includes the target."""
    return 1.15 * float(np.nanmax([TARGETS_MS[measurement], *clicks["latency_ms"]]))


@styled()
def distribution(record: LatencyRecord) -> ReportFigure:
    """Draw the share of emitted clicks that had arrived within a time, a curve per path.

    A click that was never heard is infinitely late: the curve ends below 100 % by their share.
    """
    figure = ReportFigure(3.9, "Share of clicks that arrived within a time, for every path")
    for axes, measurement in zip(figure.panels(1, 2, sharey=True), TARGETS_MS, strict=True):
        clicks = _of(record, measurement)
        axes.set_xlim(0, _top_ms(clicks, measurement))
        _draw_curves(axes, clicks, players(record))
        _draw_limits(axes, record, measurement)
        axes.set_xlabel("latency (ms)")
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.axes[0].set_ylabel("clicks that had arrived (%)")
    legend(figure)
    return figure


def _draw_curves(axes: Axes, clicks: pd.DataFrame, names: list[str]) -> None:
    for (sender, _), path in clicks.groupby(["sender", "receiver"], sort=False):
        heard_ms = np.sort(path["latency_ms"].dropna().to_numpy())
        right_ms = axes.get_xlim()[1]
        axes.step(
            [0.0, *heard_ms, right_ms],
            [*np.arange(len(heard_ms) + 1) / len(path), len(heard_ms) / len(path)],
            where="post",
            color=PLAYER_COLOURS[names.index(str(sender))],
            alpha=0.85,
            label=f"from {sender}",
        )


def _draw_limits(axes: Axes, record: LatencyRecord, measurement: str) -> None:
    target_ms, least_ms = TARGETS_MS[measurement], floor_ms(record, measurement)
    axes.axvline(target_ms, color=INK, linestyle="--", label="target")
    axes.axvline(least_ms, color=FAINT, linestyle=":", label="physical floor")
    axes.axhline(0.95, color=FAINT, linewidth=0.9, label="95 %")
    axes.set_title(f"{measurement}: target {target_ms:g} ms, floor {least_ms:.1f} ms")


@styled()
def pair_medians(record: LatencyRecord) -> ReportFigure:
    """Draw the median one-way latency of every ordered pair as a map, sender by receiver."""
    names = players(record)
    medians = _medians(record, names)
    figure = ReportFigure(
        1.2 + 0.55 * len(names), "Median one-way latency of every pair of participants"
    )
    axes = figure.panels(1, 1)[0]
    top_ms = TARGETS_MS[ONE_WAY]
    image = axes.imshow(medians, cmap="Blues", vmin=0, vmax=top_ms, aspect="auto")
    for (row, column), value in np.ndenumerate(medians):
        _write_cell(axes, row, column, value)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="heard by", ylabel="sent by")
    axes.grid(visible=False)
    axes.set_facecolor(GRID)
    bar = figure.colorbar(image, label="median (ms)", extend="max")
    bar.outline.set_visible(False)
    return figure


def _medians(record: LatencyRecord, names: list[str]) -> NDArray[np.float64]:
    heard = _of(record, ONE_WAY).dropna(subset="latency_ms")
    table = heard.pivot_table("latency_ms", index="sender", columns="receiver", aggfunc="median")
    return table.reindex(index=names, columns=names).to_numpy(np.float64)


def _write_cell(axes: Axes, row: int, column: int, value: float) -> None:
    words = "–" if row == column else "not heard" if math.isnan(value) else f"{value:.1f}"
    dark = value > TARGETS_MS[ONE_WAY] * 0.6
    axes.text(column, row, words, ha="center", va="center", color="white" if dark else INK)
