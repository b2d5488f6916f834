"""Figures of a browser record: its stages, its clicks and its buffers over time."""

import math
from typing import Any

import numpy as np
import pandas as pd

from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.verdicts import REST
from jamlab.measure.browser.verdicts import waterfall as waterfall_table
from jamlab.measure.digits import plain
from jamlab.report.latency.click_times import clicks_over_time
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    PLAYER_COLOURS,
    SKY,
    ReportFigure,
    legend,
    note,
    styled,
)

STAGE_WORDS = {
    "frame": "Opus frame: sound collected for a packet",
    "network": "Network: half of the round trip",
    "jitter buffer": "Jitter buffer of the receiver",
    "playout": "Playout: from the browser to its audio device",
    REST: "Rest: capture, encoding, decoding, mixing; nothing reports it",
    "measured": "Measured by clicks",
}
"""Names of the stages for a web developer."""

_COLOURS = {
    "frame": BLUE,
    "network": ORANGE,
    "jitter buffer": ORANGE,
    "playout": SKY,
    REST: FAINT,
    "measured": INK,
}
_SESSION_LINES = ("-", "--", "-.", ":")
_TARGET: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.6}
_LEGEND_COLUMNS = 4  # names of paths are long


@styled()
def waterfall(record: BrowserRecord) -> ReportFigure:
    """Draw the stages of the mean one-way latency, each beginning where the one before ends."""
    stages = waterfall_table(record)
    figure = ReportFigure(0.9 + 0.42 * len(stages), "Stages of the mean latency between browsers")
    axes = figure.panels(1, 1)[0]
    lengths = stages["mean_ms"].to_numpy()
    if np.isnan(lengths[-1]):
        note(axes, "No click was heard, so there are no stages to show.")
        return figure
    starts = np.concatenate([[0.0], np.cumsum(lengths[:-2]), [0.0]])
    colours = [_COLOURS[stage] for stage in stages["stage"]]
    axes.barh(range(len(stages)), lengths, left=starts, height=0.62, color=colours)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        axes.annotate(
            plain(length, "ms"),
            (max(start, start + length), row),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    target_ms = record.provenance["parameters"]["target_ms"]
    axes.axvline(target_ms, color=INK, linestyle="--", label="target")
    words = dict(STAGE_WORDS)
    if (overlap := _overlap_words(stages)) is not None:
        words[REST] = "Overlap of the stages above"
        figure.suptitle(overlap, x=0.01, ha="left", fontsize=10)
    axes.set_yticks(range(len(stages)), list(stages["stage"].map(words)))
    axes.set_ylim(len(stages) - 0.4, -0.6)
    axes.set_xlim(0, 1.16 * max(axes.dataLim.x1, target_ms))
    axes.set_xlabel("one-way latency, mean of all clicks heard (ms)")
    axes.grid(visible=False, axis="y")
    legend(figure)
    return figure


def _overlap_words(stages: pd.DataFrame) -> str | None:
    """Return a sentence on stages that add up to more than was measured; None when they do not."""
    rest_ms = float(stages.set_index("stage")["mean_ms"][REST])
    if not rest_ms < 0:
        return None
    return (
        f"The browser's stages overlap by {plain(-rest_ms, 'ms')}: they add up to more than the "
        "clicks took."
    )


def over_time(record: BrowserRecord) -> ReportFigure:
    """Draw each click's latency at the time it was emitted, see `clicks_over_time`."""
    return clicks_over_time(record.clicks, record.provenance["parameters"]["target_ms"])


@styled()
def buffers(record: BrowserRecord) -> ReportFigure:
    """Draw the jitter buffer of every stream over time, and the browser's target for it."""
    streams = record.statistics
    figure = ReportFigure(3.0, "Jitter buffer of every stream over time, with its target")
    axes = figure.panels(1, 1)[0]
    if streams["jitter_buffer_ms"].isna().all():
        note(axes, "The browsers did not state the delay of their jitter buffers.")
        return figure
    for number, ((sender, receiver), path) in enumerate(streams.groupby(["sender", "receiver"])):
        colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
        axes.plot([], [], color=colour, label=f"{sender or 'a server'} → {receiver}")
        for session, stream in path.groupby("session"):
            line = _line_of(int(str(session)))
            axes.plot(stream["at_s"], stream["jitter_buffer_ms"], line, color=colour)
            axes.plot(stream["at_s"], stream["jitter_target_ms"], line, color=colour, **_TARGET)
    for line, label in _sessions(sorted(set(streams["session"]))).items():
        axes.plot([], [], line, color=INK, label=label)
    axes.plot([], [], color=INK, label="target of the browser", **_TARGET)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time in the session (s)")
    axes.set_ylabel("jitter buffer (ms)")
    legend(figure, columns=_LEGEND_COLUMNS)
    _, labels = axes.get_legend_handles_labels()
    figure.set_figheight(2.9 + 0.2 * math.ceil(len(labels) / _LEGEND_COLUMNS))
    return figure


def _line_of(session: int) -> str:
    return _SESSION_LINES[session % len(_SESSION_LINES)]


def _sessions(numbers: list[int]) -> dict[str, str]:
    """Return the sessions that each style of a line has, in words."""
    styles = dict[str, list[str]]()
    for number in numbers:
        styles.setdefault(_line_of(number), []).append(str(number + 1))
    return {line: f"session {', '.join(drawn)}" for line, drawn in styles.items()}
