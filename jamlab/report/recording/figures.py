"""The figure of an analysed recording: every delay over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from jamlab.measure.recording.delays import Pair, pairs
from jamlab.measure.recording.record import RecordingRecord
from jamlab.report.page.figures import (
    INK,
    PLAYER_COLOURS,
    ReportFigure,
    legend,
    note,
    styled,
)

MOST_DRAWN = 6
"""The most delays that the figure has; the table has all."""
MOST_VECTORS = 2000
"""Clicks of a delay from which they are drawn as an image: an hour has seven thousand."""

_NOTHING = "No voice arrives twice, so there is no delay to draw."
_DROPPED_AT = 0.97
_LEAST_MS = 0.2


@styled()
def delays(record: RecordingRecord) -> ReportFigure:
    """Draw each delay over time, a panel each; crosses at the top are clicks that were dropped.

    Arrivals are called by their numbers in the table, for names of files may have any characters.
    """
    shown = pairs(record)[:MOST_DRAWN]
    figure = ReportFigure(
        1.2 + 1.7 * max(1, len(shown)), "Delay of every click between two arrivals, over time"
    )
    panels = figure.panels(max(1, len(shown)), 1, sharex=True)
    if not shown:
        note(panels[0], _NOTHING)
        return figure
    _draw_all(panels, record, shown)
    panels[-1].set_xlabel("seconds since the recording's start")
    if any(axes.get_legend_handles_labels()[1] for axes in panels):
        legend(figure)
    return figure


def _draw_all(panels: Sequence[Axes], record: RecordingRecord, shown: Sequence[Pair]) -> None:
    for number, (axes, pair) in enumerate(zip(panels, shown, strict=True)):
        axes.set_title(f"arrival {pair.source} to arrival {pair.to}")
        axes.set_ylabel("ms")
        _draw(axes, pair, PLAYER_COLOURS[number % len(PLAYER_COLOURS)])
        if record.target_ms is not None:
            axes.axhline(record.target_ms, color=INK, linestyle=":", label="target")
        low, high = axes.get_ylim()
        if high - low < _LEAST_MS:  # of a steady delay only rounding errors would be seen
            axes.set_ylim((low + high - _LEAST_MS) / 2, (low + high + _LEAST_MS) / 2)


def _draw(axes: Axes, pair: Pair, colour: str) -> None:
    times, delays_ms = pair.clicks["time_s"].to_numpy(), pair.delays_ms
    heard = np.isfinite(delays_ms)
    axes.plot(
        times[heard],
        delays_ms[heard],
        linestyle="none",
        marker=".",
        color=colour,
        markersize=3,
        rasterized=len(times) > MOST_VECTORS,
    )
    axes.plot(
        times[~heard],
        np.full(int((~heard).sum()), _DROPPED_AT),
        linestyle="none",
        marker="x",
        color=INK,
        label="dropped" if (~heard).any() else None,
        rasterized=len(times) > MOST_VECTORS,
        transform=axes.get_xaxis_transform(),
    )
