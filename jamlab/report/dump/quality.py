"""The figure of lost packets and concealed sound."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from jamlab.measure.dump.audio import INBOUND
from jamlab.measure.dump.dump import Dump
from jamlab.report.dump.streams import MOST_DRAWN, numbered_streams, parted
from jamlab.report.page.figures import PLAYER_COLOURS, ReportFigure, legend, note, styled

_PANELS = (
    ("packets_lost", "packets lost in each second, outbound as the other end reports it"),
    ("concealed_percent", "concealed sound, share of each second (%)"),
    ("jitter_ms", "jitter of arrival, RFC 3550 (ms)"),
    ("round_trip_ms", "round trip of the selected pair (ms)"),
)
_NOTHING = "The dump has no such figure."


@styled()
def losses(dump: Dump) -> ReportFigure:
    """Draw lost packets, concealed sound, jitter and the round trip of each stream over time."""
    figure = ReportFigure(7.2, "Lost packets, concealed sound, jitter and round trip over time")
    panels = figure.panels(len(_PANELS), 1, sharex=True)
    streams = [
        (number, key[1], rows.assign(concealed_percent=100 * rows["concealed_share"]))
        for number, key, rows in numbered_streams(dump)
    ]
    for axes, (column, title) in zip(panels, _PANELS, strict=True):
        axes.set_title(title)
        _draw(axes, [each for each in streams if each[2][column].notna().any()], column)
        low, high = axes.get_ylim()
        axes.set_ylim(min(0.0, low) if axes.dataLim.y0 < 0 else 0.0, max(1.0, high))
    panels[-1].set_xlabel("seconds since the dump's start")
    if any(axes.get_lines() for axes in panels):
        legend(figure)
    return figure


def _draw(axes: Axes, streams: Sequence[tuple[int, str, pd.DataFrame]], column: str) -> None:
    if not streams:
        note(axes, _NOTHING)
    for number, direction, rows in streams[:MOST_DRAWN]:
        times, values = parted(rows["time_s"], rows[column])
        axes.plot(
            times,
            values,
            color=PLAYER_COLOURS[(number - 1) % len(PLAYER_COLOURS)],
            linestyle="-" if direction == INBOUND else "--",
            label=f"stream {number}, {direction}",
        )
