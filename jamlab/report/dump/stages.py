"""The figure of the stages that a dump knows, second by second."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.measure.dump.audio import INBOUND
from jamlab.measure.dump.dump import Dump
from jamlab.measure.dump.stages import STREAM
from jamlab.measure.latency.verdicts import ONE_WAY_TARGET_MS
from jamlab.report.dump.streams import MOST_DRAWN, numbered_streams, parted
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    SKY,
    ReportFigure,
    legend,
    note,
    styled,
)

_AREAS = (
    ("playout_ms", "playout", SKY),
    ("jitter_buffer_ms", "jitter buffer", BLUE),
    ("frame_ms", "frame", ORANGE),
)
_NOTHING = "The dump has no inbound audio stream that played."


@styled()
def stages(dump: Dump) -> ReportFigure:
    """Draw the stages of each inbound stream over time, stacked, and the target of one way.

    The dashed line is the round trip on top: the way through the network adds between nothing and
    that. Capture and encoding at the other end are not in a dump.
    """
    played = dict(iter(dump.stages.groupby(STREAM, sort=False)))
    shown = [
        (number, played[key[0], key[2]])
        for number, key, _ in numbered_streams(dump)
        if key[1] == INBOUND and (key[0], key[2]) in played
    ][:MOST_DRAWN]
    figure = ReportFigure(
        1.2 + 1.8 * max(1, len(shown)),
        "Stages of the latency of each inbound stream over time, stacked, and the round trip",
    )
    panels = figure.panels(max(1, len(shown)), 1, sharex=True)
    if not shown:
        note(panels[0], _NOTHING)
        return figure
    for axes, (number, stream) in zip(panels, shown, strict=True):
        axes.set_title(f"stream {number}")
        axes.set_ylabel("ms")
        _draw(axes, stream)
    panels[-1].set_xlabel("seconds since the dump's start")
    legend(figure)
    return figure


def _draw(axes: Axes, stream: pd.DataFrame) -> None:
    columns = [stream[name] for name, *_ in _AREAS]
    times, *lengths = parted(stream["time_s"], *columns, stream["network_high_ms"])
    reached = np.zeros(len(times))
    reached[np.isnan(lengths[1])] = np.nan  # the jitter buffer is known wherever the stream played
    for length, (_, label, colour) in zip(lengths[:-1], _AREAS, strict=True):
        if np.isnan(length).all():
            continue
        top = reached + np.nan_to_num(length)
        axes.fill_between(times, reached, top, color=colour, linewidth=0, label=label)
        reached = top
    if not np.isnan(lengths[-1]).all():
        most = reached + lengths[-1]
        axes.plot(times, most, color=FAINT, linestyle="--", label="and a round trip, at most")
    axes.axhline(ONE_WAY_TARGET_MS, color=INK, linestyle=":", label="target of one way")
    axes.set_ylim(bottom=0)
