"""Figure of clicks over time, of any measurement with a table of clicks."""

import math

import pandas as pd
from matplotlib.axes import Axes

from jamlab.report.latency.paths import in_a_row
from jamlab.report.page.figures import (
    GRID,
    INK,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
    ReportFigure,
    legend,
    styled,
)

_MISSED_AT = 0.95


@styled()
def clicks_over_time(clicks: pd.DataFrame, target_ms: float) -> ReportFigure:
    """Draw each click's latency at the time it was emitted, a panel per receiver.

    Sessions follow one another, separated by lines; clicks that were not heard are crosses.
    """
    clicks = in_a_row(clicks)
    receivers = sorted(set(clicks["receiver"]))
    figure = ReportFigure(0.9 + 2.2 * len(receivers), "Latency of every click over time")
    top_ms = _top_ms(clicks, target_ms)
    panels = figure.panels(len(receivers), 1, sharex=True)
    for axes, receiver in zip(panels, receivers, strict=True):
        _draw_clicks(axes, clicks[clicks["receiver"] == receiver], sorted(set(clicks["sender"])))
        for begins_s in clicks.groupby("session")["begins_s"].first().iloc[1:]:
            axes.axvline(begins_s, color=GRID, linewidth=1.2, zorder=0)
        axes.axhline(target_ms, color=INK, linestyle="--", label="target")
        axes.set_ylim(0, top_ms)
        axes.set_ylabel("latency (ms)")
        axes.set_title(f"heard by {receiver}")
        _draw_missed(axes, clicks[clicks["receiver"] == receiver], top_ms)
    panels[-1].set_xlabel("time measured, session after session (s)")
    legend(figure)
    return figure


def _top_ms(clicks: pd.DataFrame, target_ms: float) -> float:
    largest = clicks["latency_ms"].max()
    return 1.15 * max(target_ms, 0.0 if math.isnan(largest) else largest)


def _draw_clicks(axes: Axes, clicks: pd.DataFrame, senders: list[str]) -> None:
    for number, sender in enumerate(senders):
        here = clicks[clicks["sender"] == sender]
        if len(here):
            axes.plot(
                here["emitted_s"],
                here["latency_ms"],
                PLAYER_MARKERS[number % len(PLAYER_MARKERS)],
                color=PLAYER_COLOURS[number % len(PLAYER_COLOURS)],
                markersize=3,
                label=f"from {sender}",
            )


def _draw_missed(axes: Axes, clicks: pd.DataFrame, top_ms: float) -> None:
    missed = clicks.loc[clicks["latency_ms"].isna(), "emitted_s"]
    if len(missed):
        axes.plot(missed, [_MISSED_AT * top_ms] * len(missed), "x", color=INK, label="not heard")
