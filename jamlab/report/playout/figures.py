"""Figure of playout buffers: concealed share over mean delay, a panel per trace."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from jamlab.measure.playout.record import (
    BEST_PER_SECOND,
    BEST_SPLICED,
    CONSTANT,
    JAMLAB,
    JAMULUS,
    NETEQ,
    STOCK,
    PlayoutRecord,
)
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    ReportFigure,
    in_legend,
    legend,
    styled,
)

_LOOKS: dict[str, dict[str, Any]] = {
    CONSTANT: {"color": FAINT, "linestyle": "-", "linewidth": 1.0},
    JAMULUS: {"color": GREEN, "marker": "^"},
    NETEQ: {"color": ORANGE, "marker": "s"},
    STOCK: {"color": PURPLE, "marker": "P", "linestyle": "none"},
    JAMLAB: {"color": VERMILLION, "marker": "o"},
}
_BOUND_LOOKS: dict[str, dict[str, Any]] = {
    BEST_PER_SECOND: {"color": BLUE, "linestyle": "--"},
    BEST_SPLICED: {"color": INK, "linestyle": ":"},
}
_COLUMNS = 2
_LEAST_PERCENT = 0.005
_MOST_PERCENT = 30.0
_LEAST_MS = 0.5


@styled()
def playout_figure(record: PlayoutRecord) -> ReportFigure:
    """Draw each buffer's concealed share over its mean delay: below and to the left is better.

    A buffer with a setting is a curve, the authors' setting is a large mark, and the bounds of
    hindsight are broken lines. Both axes are logarithmic; shares of none are at the lower edge.
    """
    count = len(record.traces)
    rows = -(-count // _COLUMNS)
    columns = min(count, _COLUMNS)
    figure = ReportFigure(0.9 + 3.1 * rows, "Concealed share over mean delay of playout buffers")
    panels = figure.panels(rows, columns, sharey=True)
    for axes, trace in zip(panels, record.traces, strict=False):
        _draw(axes, record, trace)
    for axes in panels[count:]:
        axes.set_visible(False)
    legend(figure, columns=7)
    return figure


def _draw(axes: Axes, record: PlayoutRecord, trace: str) -> None:
    playbacks = record.playbacks[record.playbacks["trace"] == trace]
    bounds = record.bounds[record.bounds["trace"] == trace]
    for name, look in _LOOKS.items():
        _curve(axes, name, playbacks[playbacks["buffer"] == name], look)
    for name, look in _BOUND_LOOKS.items():
        found = bounds[bounds["bound"] == name].sort_values("accepted_share")
        if len(found):
            axes.plot(_ms(found["least_ms"]), 100 * found["accepted_share"], label=name, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_PERCENT, _MOST_PERCENT)
    axes.set_title(in_legend(trace))
    axes.set_xlabel("mean delay above the floor (ms)")
    axes.set_ylabel("concealed (%)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _curve(axes: Axes, name: str, points: pd.DataFrame, look: dict[str, Any]) -> None:
    drawn = points.dropna(subset=["delay_ms"]).sort_values(["delay_ms", "concealed_share"])
    percent = (100 * drawn["concealed_share"]).clip(lower=_LEAST_PERCENT)
    label = "constant, each size" if name == CONSTANT else name
    axes.plot(_ms(drawn["delay_ms"]), percent, label=label, markersize=3.5, **look)
    own = drawn["as_shipped"] & (name != JAMLAB)
    axes.plot(
        _ms(drawn["delay_ms"][own]),
        percent[own],
        linestyle="none",
        marker=look.get("marker", ""),
        color=look["color"],
        markersize=8,
    )


def _ms(delays_ms: "pd.Series[float]") -> "pd.Series[float]":
    return delays_ms.clip(lower=_LEAST_MS)
