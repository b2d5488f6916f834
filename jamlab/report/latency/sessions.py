"""The figure of differences between sessions: the median and 95th percentile of each."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import paths_table, sessions_table
from jamlab.report.page.figures import FAINT, GRID, INK, TARGETS_MS, ReportFigure, legend, styled

_SPREAD = 0.6  # share of the distance between two paths that the sessions of a path take


@styled()
def between_sessions(record: LatencyRecord) -> ReportFigure:
    """Draw the sessions of every path below one another, and the interval over all sessions.

    A line goes from a session's median, a dot, to its 95th percentile, a tick; values beyond the
    axis, or infinite, are drawn at its right end. The band is the interval of the 95th percentile.
    """
    paths, sessions = paths_table(record), sessions_table(record)
    shown = [each for each in TARGETS_MS if (paths["measurement"] == each).any()]
    rows = max(int((paths["measurement"] == each).sum()) for each in shown)
    figure = ReportFigure(
        1.3 + 0.5 * rows, "Median and 95th percentile of every session, path by path"
    )
    for axes, measurement in zip(figure.panels(1, len(shown)), shown, strict=True):
        here = paths[paths["measurement"] == measurement].reset_index(drop=True)
        top_ms = 1.15 * max(TARGETS_MS[measurement], _largest(sessions, measurement))
        axes.set_xlim(0, top_ms)
        for row, path in here.iterrows():
            _draw_band(axes, int(str(row)), path, top_ms)
            _draw_sessions(axes, int(str(row)), _of(sessions, path), top_ms)
        axes.axvline(TARGETS_MS[measurement], color=INK, linestyle="--", label="target")
        axes.set_yticks(range(len(here)), here["sender"] + " → " + here["receiver"])
        axes.set_ylim(len(here) - 0.4, -0.6)
        axes.set_xlabel("latency (ms)")
        axes.set_title(measurement)
        axes.grid(visible=False, axis="y")
    legend(figure)
    return figure


def _of(sessions: pd.DataFrame, path: "pd.Series[float]") -> pd.DataFrame:
    keys = ["measurement", "sender", "receiver"]
    return sessions[(sessions[keys] == path[keys]).all(axis="columns")]


def _largest(sessions: pd.DataFrame, measurement: str) -> float:
    values = sessions.loc[sessions["measurement"] == measurement, "p95_ms"]
    return float(values[np.isfinite(values)].max()) if np.isfinite(values).any() else 0.0


def _draw_band(axes: Axes, row: int, path: "pd.Series[float]", top_ms: float) -> None:
    low_ms, high_ms = np.clip([path["p95_ms_low"], path["p95_ms_high"]], 0.0, top_ms)
    axes.barh(
        row,
        high_ms - low_ms,
        left=low_ms,
        height=0.85,
        color=GRID,
        label="95% interval of the 95th percentile",
    )


def _draw_sessions(axes: Axes, row: int, sessions: pd.DataFrame, top_ms: float) -> None:
    heights = row + _SPREAD * (np.arange(len(sessions)) / max(len(sessions) - 1, 1) - 0.5)
    medians_ms = sessions["median_ms"].clip(upper=top_ms).to_numpy()
    highs_ms = sessions["p95_ms"].clip(upper=top_ms).to_numpy()
    axes.hlines(heights, medians_ms, highs_ms, color=FAINT, linewidth=1)
    axes.plot(highs_ms, heights, "|", color=INK, markersize=7, label="session's 95th percentile")
    axes.plot(medians_ms, heights, "o", color=INK, markersize=3.5, label="session's median")
