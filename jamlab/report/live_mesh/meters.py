"""Level meters as a still picture: the present levels, and their history.

A widget does not work on a static page, so a report has this instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.audio.ballistics import Levels
from jamlab.audio.level_history import PastLevel
from jamlab.report.page.figures import (
    BLUE,
    GRID,
    INK,
    SKY,
    VERMILLION,
    ReportFigure,
    legend,
    note,
    styled,
)
from jamlab.report.page.tables import LiteralFrame

LOWEST_DBFS = -70.0
"""Lower bound of drawn levels; lower levels are drawn at it."""

_HIGHEST_DBFS = 4.0  # a square wave of full scale reads +3 RMS
_CHANNELS = ("L", "R")


def history_table(history: Iterable[PastLevel]) -> pd.DataFrame:
    """Return the history of levels, a row per participant and interval.

    ``at_s`` (seconds of sound since the history began), ``name``, ``peak_dbfs``, ``rms_dbfs``.
    """
    rows = [(line.at_s, line.name, line.peak_dbfs, line.rms_dbfs) for line in history]
    table = pd.DataFrame(rows, columns=["at_s", "name", "peak_dbfs", "rms_dbfs"])
    return LiteralFrame(
        table.astype({"at_s": float, "name": "object", "peak_dbfs": float, "rms_dbfs": float})
    )


def levels_table(names: Sequence[str], levels: Levels) -> pd.DataFrame:
    """Return the present levels, a row per participant, in dBFS to a tenth.

    It is indexed by name; for each channel, ``peak`` is the held peak, ``clip`` whether it clipped.
    """
    shown = {"peak": levels.hold_dbfs.round(1), "RMS": levels.rms_dbfs.round(1)}
    columns = {
        f"{what} {side}": values[:, channel]
        for what, values in (*shown.items(), ("clip", levels.clipped))
        for channel, side in enumerate(("left", "right"))
    }
    return LiteralFrame(columns, index=pd.Index(names, name="name"))


@styled()
def picture(names: Sequence[str], levels: Levels, history: Iterable[PastLevel]) -> ReportFigure:
    """Draw each participant's meter and its history; only the history after a participant left."""
    past = history_table(history)
    everybody = [*names, *dict.fromkeys(name for name in past["name"] if name not in names)]
    figure = ReportFigure(1.0 + 0.72 * max(1, len(everybody)), "Level meters, and levels over time")
    panels = figure.panels(
        max(1, len(everybody)), 2, sharex="col", gridspec_kw={"width_ratios": (2, 3)}
    )
    for row, name in enumerate(everybody):
        now, then = panels[2 * row : 2 * row + 2]
        _draw_now(now, name, levels, row if row < len(names) else None)
        _draw_past(then, past[past["name"] == name])
    if not everybody:
        note(panels[0], "There were no participants.")
    panels[-2].set_xlabel("level now (dBFS)")
    panels[-1].set_xlabel("time (s)")
    legend(figure)
    return figure


def _draw_now(axes: Axes, name: str, levels: Levels, row: int | None) -> None:
    axes.set_title(name)
    axes.set_xlim(LOWEST_DBFS, _HIGHEST_DBFS)
    axes.set_ylim(1.6, -0.6)
    axes.set_yticks((0, 1), _CHANNELS)
    axes.grid(visible=False, axis="y")
    if row is None:
        note(axes, "has left")
        return
    rows = [np.maximum(part[row], LOWEST_DBFS) for part in _parts(levels)]
    peak, rms, hold = (part - LOWEST_DBFS for part in rows)
    axes.barh((0, 1), peak, left=LOWEST_DBFS, height=0.8, color=SKY, label="peak")
    axes.barh((0, 1), rms, left=LOWEST_DBFS, height=0.4, color=BLUE, label="RMS")
    for channel, held in enumerate(hold + LOWEST_DBFS):
        if held > LOWEST_DBFS:
            axes.plot([held] * 2, [channel - 0.4, channel + 0.4], color=INK, label="held peak")
        if levels.clipped[row, channel]:
            box = {"facecolor": VERMILLION, "edgecolor": "none", "pad": 1.5}
            words: dict[str, Any] = {"color": "white", "fontsize": 7, "ha": "right", "va": "center"}
            axes.text(_HIGHEST_DBFS, channel, "CLIP", bbox=box, **words)


def _parts(levels: Levels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return levels.peak_dbfs, levels.rms_dbfs, levels.hold_dbfs


def _draw_past(axes: Axes, past: pd.DataFrame) -> None:
    axes.set_ylim(LOWEST_DBFS, _HIGHEST_DBFS)
    axes.set_yticks((-60, -40, -20, 0))
    axes.set_ylabel("dBFS")
    at_s = past["at_s"]
    axes.plot(at_s, past["peak_dbfs"].clip(lower=LOWEST_DBFS), color=SKY, label="peak")
    axes.plot(at_s, past["rms_dbfs"].clip(lower=LOWEST_DBFS), color=BLUE, label="RMS")
    axes.axhline(0, color=GRID)
