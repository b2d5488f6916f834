"""Figures of a campaign of sessions: sound over time, and what each measure adds."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from jamlab.measure.connectivity.time_to_connect import connection_curve
from jamlab.measure.connectivity.verdicts import CONNECTIVITY_TARGET_PERCENT
from jamlab.measure.session_connectivity.measures import steps_table
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.session_connectivity.verdicts import FIRST_SOUND_QUANTILE, FIRST_SOUND_TARGET_S
from jamlab.measure.statistics import proportion
from jamlab.report.page.figures import (
    BLUE,
    INK,
    ORANGE,
    PLAYER_COLOURS,
    ReportFigure,
    legend,
    note,
    styled,
)

_STEPS = 200  # steps drawn of a curve, each less than two pixels high
_TARGET = CONNECTIVITY_TARGET_PERCENT / 100
_MEASURED = {"end direct": ["direct"], "connect": ["direct", "relayed"]}


@styled()
def sound_over_time(record: SessionRecord) -> ReportFigure:
    """Draw the share of all calls with sound at both ends, and of those on a direct path, by time.

    The bands are pointwise exact 95 % intervals, of the simulation error alone.
    """
    figure = ReportFigure(
        4.1, "Share of calls with sound, and on a direct path, by the time since the second joined"
    )
    axes = figure.panels(1, 1)[0]
    times_s = record.sessions[["first_sound_s", "direct_s"]].to_numpy(float)
    start_s = 0.8 * float(np.nanmin(times_s, initial=FIRST_SOUND_TARGET_S))
    span_s = max(start_s, 0.01), 1.1 * float(record.sessions["observed_s"].max())
    for number, configuration in enumerate(record.configurations):
        colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
        sessions = record.of(configuration)
        for column, line, words in (("first_sound_s", "-", "sound"), ("direct_s", ":", "direct")):
            curve = connection_curve(sessions.rename(columns={column: "time_to_connect_s"}))
            look = {"color": colour, "linestyle": line, "label": f"{words}, {configuration}"}
            _draw_curve(axes, curve, span_s, look)
    _draw_time_target(axes)
    axes.set_xscale("log")
    axes.set_xlim(*span_s)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="time since the second joined (s)", ylabel="calls (%)")
    if np.isnan(times_s[:, 0]).all():
        note(axes, "No call had sound.")
    legend(figure)
    return figure


def _draw_time_target(axes: Axes) -> None:
    words = f"target {FIRST_SOUND_QUANTILE:.0%} within {FIRST_SOUND_TARGET_S:g} s"
    axes.axvline(FIRST_SOUND_TARGET_S, color=INK, linestyle="--", linewidth=1, label=words)
    axes.axhline(FIRST_SOUND_QUANTILE, color=INK, linestyle="--", linewidth=1)


def _draw_curve(
    axes: Axes, curve: pd.DataFrame, span_s: tuple[float, float], look: dict[str, Any]
) -> None:
    curve = _thinned(curve)
    time_s = [span_s[0], *curve["time_s"], span_s[1]]
    level, low, high = (
        [0.0, *curve[column], curve[column].iloc[-1]]
        for column in ("connected", "connected_low", "connected_high")
    )
    axes.fill_between(time_s, low, high, step="post", color=look["color"], alpha=0.12, linewidth=0)
    axes.step(time_s, level, where="post", **look)


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out steps too small to be seen, since every point adds to the page."""
    if len(curve) <= _STEPS:
        return curve
    seen = np.unique((curve["connected"] * _STEPS).round(), return_index=True)[1]
    return curve.iloc[np.union1d(seen, [len(curve) - 1])]


@styled()
def measures(record: SessionRecord) -> ReportFigure:
    """Draw the share of calls that connect with each measure and those before it, by the rule.

    Below stand the shares that the sessions reached, with Wilson's 95 % intervals.
    """
    steps = steps_table(record.sessions)
    reached = _reached(record)
    names = [*steps["measure"], *reached["name"]]
    figure = ReportFigure(
        1.4 + 0.42 * len(names),
        "Share of calls that connect with each measure and those before it, by the rule, and the "
        "share that the sessions reached",
    )
    axes = figure.panels(1, 1)[0]
    _draw_steps(axes, steps)
    rows = np.arange(len(steps), len(names))
    axes.barh(rows, reached["share"], height=0.6, color=ORANGE, label="sessions")
    errors = np.stack([reached["share"] - reached["low"], reached["high"] - reached["share"]])
    axes.errorbar(reached["share"], rows, xerr=errors, fmt="none", ecolor=INK, capsize=3)
    for row, share, high in zip(rows, reached["share"], reached["high"], strict=True):
        _write_share(axes, float(row), float(high), f"{share:.1%}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.25)  # with room for words behind a whole bar
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.axvline(_TARGET, color=INK, linestyle="--", label=f"target of direct calls {_TARGET:.0%}")
    axes.set_xlabel("calls that connect (%)")
    legend(figure)
    return figure


def _draw_steps(axes: Axes, steps: pd.DataFrame) -> None:
    before = (steps["share"] - steps["gain"]).to_numpy(float)
    rows = np.arange(len(steps))
    axes.barh(rows, steps["gain"], left=before, height=0.6, color=BLUE, label="by the rule")
    for row, (share, gain) in enumerate(zip(steps["share"], steps["gain"], strict=True)):
        _write_share(axes, row, share, f"{share:.1%} (+{100 * gain:.1f} points)")
    for row, share in enumerate(steps["share"].iloc[:-1]):  # from the end of one to the next
        axes.plot([share, share], [row + 0.3, row + 0.7], color=BLUE, linewidth=1)


def _write_share(axes: Axes, row: float, end: float, words: str) -> None:
    """Write a share behind the end of its bar."""
    look: dict[str, Any] = {"va": "center", "fontsize": 9}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axes.annotate(words, (end, row), (8, 0), textcoords="offset points", **look)


def _reached(record: SessionRecord) -> pd.DataFrame:
    """Return the shares of the sessions that end direct and that connect, with their intervals."""
    rows = []
    for configuration in record.configurations:
        results = record.of(configuration)["result"]
        for what, which in _MEASURED.items():
            share = proportion(int(results.isin(which).sum()), len(results))
            name = f"sessions that {what}, {configuration}"
            rows.append({"name": name, "share": share.value, "low": share.low, "high": share.high})
    return pd.DataFrame(rows)
