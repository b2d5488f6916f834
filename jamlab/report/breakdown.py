"""The figure that says where the time went, stage by stage, beside what no network can beat."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.record import LatencyRecord
from jamlab.measure.summary import floor_ms
from jamlab.measure.summary import waterfall as waterfall_table
from jamlab.media.quality import quality_named
from jamlab.report.style import BLUE, FAINT, INK, ORANGE, SKY, ReportFigure, note, styled

STAGE_WORDS = {
    "frame": "Opus frame: sound collected for a packet",
    "capture": "Capture: wait for the card, encode",
    "network": "Network: queues, encryption, sockets",
    "playout": "Playout buffer: allowance for jitter",
    "card": "Card: from its request to the loudspeaker",
    "lookahead": "Look-ahead of the codec",
    "residual": "Residual: explained by no stage",
    "measured": "Measured by clicks",
}
"""What an audio engineer calls the stages."""

_COLOURS = {
    "frame": BLUE,
    "lookahead": BLUE,
    "capture": SKY,
    "card": SKY,
    "network": ORANGE,
    "playout": ORANGE,
    "residual": FAINT,
    "measured": INK,
}
_FLOOR = "Physical floor: frame, look-ahead, card blocks"


@styled()
def waterfall(record: LatencyRecord) -> ReportFigure:
    """Draw the stages of the mean one-way latency, each beginning where the last one ended.

    The residual closes the gap to what was measured; the physical floor is the bar below.
    """
    stages = waterfall_table(record)
    figure = ReportFigure(
        4.0, "Stages of the mean one-way latency, which add up to the measured one"
    )
    axes = figure.panels(1, 1)[0]
    axes.set_yticks(range(len(stages) + 1), [*stages["stage"].map(STAGE_WORDS), _FLOOR])
    axes.set_ylim(len(stages) + 0.6, -0.6)
    axes.set_xlabel("one-way latency, mean of the clicks of all paths (ms)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    if stages["mean_ms"].isna().any():
        note(axes, "No click was heard whose packet is known: nothing to break down.")
    else:
        _draw_stages(axes, stages)
    _draw_floor(axes, record, len(stages))
    axes.set_xlim(0, 1.16 * axes.dataLim.x1)
    return figure


def _draw_stages(axes: Axes, stages: pd.DataFrame) -> None:
    lengths_ms = stages["mean_ms"].to_numpy()
    starts_ms = np.concatenate([[0.0], np.cumsum(lengths_ms[:-2]), [0.0]])
    axes.barh(
        range(len(stages)),
        lengths_ms,
        left=starts_ms,
        height=0.62,
        color=[_COLOURS[stage] for stage in stages["stage"]],
    )
    ends_ms = starts_ms + lengths_ms
    for row, (start, end) in enumerate(zip(starts_ms, ends_ms, strict=True)):
        _write_length(axes, row, max(start, end), end - start)
    for row, end in enumerate(ends_ms[:-1]):
        axes.plot([end, end], [row, row + 1], color=FAINT, linewidth=0.8, zorder=0)


def _draw_floor(axes: Axes, record: LatencyRecord, row: int) -> None:
    """Stack what the floor is made of."""
    parameters = record.provenance["parameters"]
    quality = quality_named(parameters["quality"])
    parts = (
        (quality.frame_for(parameters["peers"] - 1), BLUE),
        (quality.lookahead_frames, BLUE),
        (2 * parameters["block_frames"], SKY),
    )
    reached_ms = 0.0
    for frames, colour in parts:
        length_ms = frames / SAMPLE_RATE * 1000
        axes.barh(
            row,
            length_ms,
            left=reached_ms,
            height=0.62,
            color=colour,
            alpha=0.45,
            edgecolor="white",
        )
        reached_ms += length_ms
    _write_length(axes, row, reached_ms, reached_ms)
    axes.axvline(floor_ms(record), color=FAINT, linestyle=":")
    axes.axhline(row - 0.5, color=FAINT, linewidth=0.8)


def _write_length(axes: Axes, row: int, end_ms: float, length_ms: float) -> None:
    words = f"{length_ms:.2f} ms".replace("-", "−")
    axes.annotate(
        words,
        (end_ms, row),
        (5, 0),
        textcoords="offset points",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
