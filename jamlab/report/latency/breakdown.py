"""The figure of the latency's stages, next to the physical floor."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.digits import plain
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import floor_ms
from jamlab.measure.latency.verdicts import waterfall as waterfall_table
from jamlab.measure.sound_card.mouth_to_ear import CardPart, card_part
from jamlab.measure.sound_card.record import CardRecord
from jamlab.media.quality import quality_named
from jamlab.report.page.figures import BLUE, FAINT, INK, ORANGE, SKY, ReportFigure, note, styled

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
"""Names of the stages for an audio engineer."""

CARD_WORDS = (
    "Sound card: its loopback beyond the blocks above",
    "Bridge between the card's thread and ours",
    "Mouth to ear",
)
"""Terms added to the measured latency, and the sum."""
UNKNOWN_WORDS = "Sound card, and so mouth to ear"

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
_OUTLINED: dict[str, Any] = {
    "height": 0.62,
    "facecolor": "white",
    "edgecolor": FAINT,
    "hatch": "////",
    "linestyle": "--",
}
_FLOOR = "Physical floor: frame, look-ahead, one block"


@styled()
def waterfall(record: LatencyRecord, card: CardRecord | None = None) -> ReportFigure:
    """Draw the stages of the mean one-way latency, each beginning where the one before ends.

    The residual closes the gap to the measured latency. Next are the terms that sound cards add, up
    to mouth and ear; the bar below is the physical floor.

    `card` is the sound card that both participants are assumed to have. Without it, or without its
    latency at the run's block size, the figure states that it was not measured.
    """
    stages = waterfall_table(record)
    part = card_part(card, record.provenance["parameters"]["block_frames"])
    further = [UNKNOWN_WORDS] if isinstance(part, str) else [*CARD_WORDS]
    floor_row = len(stages) + len(further)
    figure = ReportFigure(
        4.3 + 0.3 * len(further),
        "Stages of the mean one-way latency, which add up to the measured one, and the terms that "
        "sound cards add",
    )
    axes = figure.panels(1, 1)[0]
    axes.set_yticks(range(floor_row + 1), [*stages["stage"].map(STAGE_WORDS), *further, _FLOOR])
    axes.set_ylim(floor_row + 0.6, -0.6)
    axes.set_xlabel("one-way latency, mean of the clicks of all paths (ms)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    if stages["mean_ms"].isna().any():
        note(axes, "No click has known packet times, so there are no stages to show.")
    else:
        _draw_stages(axes, stages)
        _draw_card(axes, part, float(stages["mean_ms"].iloc[-1]), len(stages))
    _draw_floor(axes, record, floor_row)
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


def _draw_card(axes: Axes, part: CardPart | str, reached_ms: float, row: int) -> None:
    """Draw the terms from the measured latency to mouth and ear, or that they are unknown."""
    if isinstance(part, str):
        axes.barh(row, reached_ms / 8, left=reached_ms, **_OUTLINED)
        _write(axes, row, reached_ms, part, before=True)
        return
    beyond_ms = part.round_trip.value - part.counted_twice
    ends_ms = np.cumsum([reached_ms, beyond_ms, part.bridge])
    for number, (start, end) in enumerate(pairwise(ends_ms)):
        axes.barh(row + number, end - start, left=start, height=0.62, color=SKY)
        axes.plot([start, start], [row + number - 1, row + number], color=FAINT, linewidth=0.8)
        _write_length(axes, row + number, max(start, end), end - start)
    axes.barh(row + 2, ends_ms[-1], height=0.62, color=INK)
    _write_length(axes, row + 2, ends_ms[-1], ends_ms[-1])


def _draw_floor(axes: Axes, record: LatencyRecord, row: int) -> None:
    """Draw the parts of the floor, stacked."""
    parameters = record.provenance["parameters"]
    quality = quality_named(parameters["quality"])
    parts = (
        (quality.frame_for(parameters["peers"] - 1), BLUE),
        (quality.lookahead_frames, BLUE),
        (parameters["block_frames"], SKY),
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
    _write(axes, row, end_ms, plain(length_ms, "ms"))


def _write(axes: Axes, row: int, end_ms: float, words: str, *, before: bool = False) -> None:
    axes.annotate(
        words,
        (end_ms, row),
        (-5 if before else 5, 0),
        textcoords="offset points",
        va="center",
        ha="right" if before else "left",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
