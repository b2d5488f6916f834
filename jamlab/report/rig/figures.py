"""Figures of the rig's records: systems side by side, and clicks over time."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from jamlab.measure.digits import plain
from jamlab.measure.rig.record import RigRecord
from jamlab.measure.rig.verdicts import side_by_side
from jamlab.report.latency.click_times import clicks_over_time
from jamlab.report.page.figures import BLUE, INK, VERMILLION, ReportFigure, legend, styled

_BESIDE: dict[str, Any] = {"textcoords": "offset points", "va": "center"}


@styled()
def comparison(systems: Sequence[RigRecord]) -> ReportFigure:
    """Draw the latency of every system's worst path: a bar to its median, a mark at the 95th.

    The quickest system comes first; the targets are dashed lines.
    """
    rows = side_by_side(systems)
    figure = ReportFigure(1.1 + 0.45 * len(rows), "Latency of the systems from mouth to ear")
    axes = figure.panels(1, 1)[0]
    for place, row in enumerate(rows.to_dict("records")):
        _draw_system(axes, place, row["median_ms"], row["p95_ms"])
    for target_ms in sorted({each.provenance["parameters"]["target_ms"] for each in systems}):
        axes.axvline(target_ms, color=INK, linestyle="--", label="target")
    axes.set_yticks(range(len(rows)), list(rows["system"]))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.16 * axes.dataLim.x1)
    axes.set_xlabel("one-way latency from mouth to ear, worst path (ms)")
    axes.grid(visible=False, axis="y")
    legend(figure)
    return figure


def _draw_system(axes: Axes, place: int, median_ms: float, p95_ms: float) -> None:
    if not math.isfinite(median_ms):
        axes.annotate("most clicks were never heard", (0, place), (5, 0), **_BESIDE)
        return
    axes.barh([place], [median_ms], height=0.6, color=BLUE, label="median")
    end_ms = median_ms
    if math.isfinite(p95_ms):
        axes.plot([p95_ms], [place], "D", color=VERMILLION, label="95th percentile")
        end_ms = max(median_ms, p95_ms)
    words = f"{plain(median_ms, 'ms')}, 95th percentile {plain(p95_ms, 'ms')}"
    axes.annotate(words, (end_ms, place), (8, 0), **_BESIDE)


@styled()
def over_time(record: RigRecord) -> ReportFigure:
    """Draw each click's latency at the time it was emitted, with the system's name above."""
    figure = clicks_over_time(record.clicks, record.provenance["parameters"]["target_ms"])
    figure.suptitle(record.system, x=0.01, ha="left", fontsize=10)
    return figure
