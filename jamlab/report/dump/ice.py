"""The figure of how each connection came about: candidates, states and pairs over time."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.measure.dump.dump import Dump
from jamlab.measure.dump.events import ADDED, ERROR, GATHERED, PAIR
from jamlab.report.dump.streams import MOST_DRAWN, connection_numbers
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    ReportFigure,
    legend,
    note,
    styled,
)

_STATES = {
    "new": GRID,
    "checking": ORANGE,
    "connected": GREEN,
    "completed": GREEN,
    "disconnected": PURPLE,
    "failed": VERMILLION,
    "closed": FAINT,
}
_CANDIDATES = {"host": SKY, "srflx": BLUE, "prflx": BLUE, "relay": VERMILLION}
_ROWS = {GATHERED: 0, ADDED: 1, ERROR: 2, PAIR: 3}
_STATE_ROW = 4
_MARKERS = {GATHERED: "o", ADDED: "s", ERROR: "x", PAIR: "D"}
_LINEAR_S = 1.0
_NOTHING = "The dump has no candidates and no states of ICE."


@styled()
def ice_timeline(dump: Dump) -> ReportFigure:
    """Draw the candidates, errors, selected pairs and the state of ICE of each connection.

    Times are since the connection's first event; beyond a second they are logarithmic. The first
    connections with events are drawn.
    """
    shown = [name for name in dump.connections["connection"] if len(_events(dump, name))]
    shown = shown[:MOST_DRAWN]
    figure = ReportFigure(
        1.0 + 1.6 * max(1, len(shown)),
        "Candidates gathered and added, errors, selected pairs and ICE states over time, a panel "
        "for each connection",
    )
    panels = figure.panels(max(1, len(shown)), 1)
    if not shown:
        note(panels[0], _NOTHING)
        return figure
    numbers = connection_numbers(dump)
    for axes, name in zip(panels, shown, strict=True):
        axes.set_title(f"connection {numbers[name]}")
        _draw(axes, dump, name)
    panels[-1].set_xlabel("seconds since the connection's first event (logarithmic beyond 1 s)")
    legend(figure)
    return figure


def _events(dump: Dump, name: str) -> pd.DataFrame:
    return dump.ice[(dump.ice["connection"] == name) & dump.ice["time_s"].notna()]


def _draw(axes: Axes, dump: Dump, name: str) -> None:
    about = dump.connections.set_index("connection").loc[[name]].iloc[0]
    events = _events(dump, name)
    begin_s = min(about["begin_s"], events["time_s"].min())
    after_s = events["time_s"] - begin_s
    _draw_candidates(axes, events.assign(after_s=after_s))
    end_s = max(float(after_s.max()), float(about["end_s"] - begin_s), _LINEAR_S)
    _draw_states(axes, events.assign(after_s=after_s), end_s)
    axes.set_xscale("symlog", linthresh=_LINEAR_S, linscale=1.0)
    axes.set_xlim(-0.03 * _LINEAR_S, 1.05 * end_s)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks([*_ROWS.values(), _STATE_ROW], ["gathered", "added", "errors", "pair", "ICE"])
    axes.set_ylim(_STATE_ROW + 0.6, -0.6)
    axes.grid(visible=False, axis="y")


def _draw_candidates(axes: Axes, events: pd.DataFrame) -> None:
    shown = events[events["event"].isin(_ROWS)]
    for key, group in shown.groupby(["event", "candidate_type"]):
        event, kind = map(str, key)
        axes.plot(
            group["after_s"],
            np.full(len(group), _ROWS[event]),
            linestyle="none",
            marker=_MARKERS[event],
            color=INK if event == ERROR else _CANDIDATES.get(kind, FAINT),
            label=event if event == ERROR else _label(kind),
        )


def _label(kind: str) -> str:
    return f"{kind} candidate" if kind in _CANDIDATES else "candidate of unknown type"


def _draw_states(axes: Axes, events: pd.DataFrame, end_s: float) -> None:
    states = events[events["event"] == "ICE state"]
    ends_s = [*states["after_s"].iloc[1:], end_s]
    for begin_s, stop_s, state in zip(states["after_s"], ends_s, states["detail"], strict=True):
        if state in _STATES and not math.isnan(begin_s):
            axes.barh(
                _STATE_ROW,
                stop_s - begin_s,
                left=begin_s,
                height=0.5,
                color=_STATES[state],
                label=f"ICE {state}",
            )
