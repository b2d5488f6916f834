"""The figure of a long recording: latency, drops and skew by windows of time."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.windows import window_table
from jamlab.report.page.figures import (
    FAINT,
    INK,
    PLAYER_COLOURS,
    ReportFigure,
    legend,
    note,
    styled,
)
from jamlab.report.page.tables import literal_html

LONG_S = 120.0
"""A recording that is longer has the figure, and so has one with windows that the user set."""
EVERY_S = 10.0
"""Length of a window where the user set none."""
MOST_DRAWN = len(PLAYER_COLOURS)

_NOTHING = "No voice arrives twice, so there is no delay to draw."
_UNKNOWN = "No window shows how fast the delay grows."


@styled()
def windows(record: RecordingRecord) -> ReportFigure | HTML:
    """Draw latency, drops and skew over time, a colour per delay; "" for a short recording.

    Arrivals are called by their numbers, as in `delays`. The latency is the median of each window,
    in a band from the 5th to the 95th percentile.
    """
    if record.every_s is None and max(each["seconds"] for each in record.files) <= LONG_S:
        return literal_html("")
    figure = ReportFigure(6.4, "Latency, dropped clicks and skew of each delay, over time")
    latency, drops, skew = figure.panels(3, 1, sharex=True, height_ratios=(3, 1.4, 1.4))
    every_s = record.every_s or EVERY_S
    table = window_table(record, every_s)
    for number, (name, rows) in enumerate(_shown(table)):
        _draw((latency, drops, skew), _gapped(rows, every_s), every_s, (name, number))
    _describe(latency, drops, skew, every_s)
    if record.target_ms is not None:
        latency.axhline(record.target_ms, color=INK, linestyle=":", label="target")
    if table.empty:
        note(latency, _NOTHING)
    elif table["skew_ppm"].isna().all():
        note(skew, _UNKNOWN)
    if latency.get_legend_handles_labels()[1]:
        legend(figure, columns=2)
    return figure


def _shown(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield name and rows of the first delays."""
    groups = table.groupby(["source", "to"], sort=False)
    for (source, to), rows in list(groups)[:MOST_DRAWN]:
        yield f"arrival {source} to arrival {to}", rows


def _gapped(rows: pd.DataFrame, every_s: float) -> pd.DataFrame:
    """Return the rows with an empty one where a window is missing, so that no line spans a gap."""
    numbers = (rows["begin_s"] / every_s).round().astype("int64")
    every = pd.RangeIndex(numbers.min(), numbers.max() + 1)
    gapped = rows.set_index(numbers).reindex(every)
    return gapped.assign(begin_s=every * every_s)


def _draw(
    panels: tuple[Axes, Axes, Axes], rows: pd.DataFrame, every_s: float, curve: tuple[str, int]
) -> None:
    (latency, drops, skew), (name, number) = panels, curve
    colour = PLAYER_COLOURS[number]
    minutes = (rows["begin_s"] + every_s / 2) / 60
    latency.fill_between(
        minutes, rows["p5_ms"], rows["p95_ms"], color=colour, alpha=0.25, linewidth=0
    )
    line: dict[str, Any] = {"color": colour, "marker": ".", "markersize": 3}
    latency.plot(minutes, rows["median_ms"], label=name, **line)
    drops.plot(minutes, 100 * rows["dropped"] / rows["sent"], **line)
    skew.plot(minutes, rows["skew_ppm"], **line)


def _describe(latency: Axes, drops: Axes, skew: Axes, every_s: float) -> None:
    latency.set_title(f"Latency in windows of {every_s:g} s: median, and 5th to 95th percentile")
    latency.set_ylabel("ms")
    drops.set_title("Clicks that were dropped")
    drops.set_ylabel("%")
    drops.set_ylim(bottom=0)
    skew.set_title("Skew, where it is known")
    skew.set_ylabel("ppm")
    skew.axhline(0, color=FAINT, linewidth=0.8)
    skew.set_xlabel("minutes since the recording's start")
