"""Figures of a browser record: its stages, its clicks and its buffers over time."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.verdicts import REST
from jamlab.measure.browser.verdicts import waterfall as waterfall_table
from jamlab.measure.digits import plain
from jamlab.report.latency.paths import in_a_row
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    GRID,
    INK,
    ORANGE,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
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
_MISSED_AT = 0.95


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
    axes.set_yticks(range(len(stages)), list(stages["stage"].map(STAGE_WORDS)))
    axes.set_ylim(len(stages) - 0.4, -0.6)
    axes.set_xlim(0, 1.16 * max(axes.dataLim.x1, target_ms))
    axes.set_xlabel("one-way latency, mean of all clicks heard (ms)")
    axes.grid(visible=False, axis="y")
    legend(figure)
    return figure


@styled()
def over_time(record: BrowserRecord) -> ReportFigure:
    """Draw each click's latency at the time it was emitted, a panel per receiver.

    Sessions follow one another, separated by lines; clicks that were not heard are crosses.
    """
    clicks = in_a_row(record.clicks)
    receivers = sorted(set(clicks["receiver"]))
    figure = ReportFigure(0.9 + 2.2 * len(receivers), "Latency of every click over time")
    top_ms = _top_ms(clicks, record.provenance["parameters"]["target_ms"])
    panels = figure.panels(len(receivers), 1, sharex=True)
    for axes, receiver in zip(panels, receivers, strict=True):
        _draw_clicks(axes, clicks[clicks["receiver"] == receiver], sorted(set(clicks["sender"])))
        for begins_s in clicks.groupby("session")["begins_s"].first().iloc[1:]:
            axes.axvline(begins_s, color=GRID, linewidth=1.2, zorder=0)
        axes.axhline(
            record.provenance["parameters"]["target_ms"], color=INK, linestyle="--", label="target"
        )
        axes.set_ylim(0, top_ms)
        axes.set_ylabel("latency (ms)")
        axes.set_title(f"heard by {receiver}")
        _draw_missed(axes, clicks[clicks["receiver"] == receiver], top_ms)
    panels[-1].set_xlabel("time measured, session after session (s)")
    legend(figure)
    return figure


def _top_ms(clicks: pd.DataFrame, target_ms: float) -> float:
    largest = clicks["latency_ms"].max()
    return 1.15 * max(target_ms, 0.0 if math.isnan(largest) else largest)


def _draw_clicks(axes: Axes, clicks: pd.DataFrame, senders: list[str]) -> None:
    for number, sender in enumerate(senders):
        here = clicks[clicks["sender"] == sender]
        if len(here):
            axes.plot(
                here["emitted_s"],
                here["latency_ms"],
                PLAYER_MARKERS[number % len(PLAYER_MARKERS)],
                color=PLAYER_COLOURS[number % len(PLAYER_COLOURS)],
                markersize=3,
                label=f"from {sender}",
            )


def _draw_missed(axes: Axes, clicks: pd.DataFrame, top_ms: float) -> None:
    missed = clicks.loc[clicks["latency_ms"].isna(), "emitted_s"]
    if len(missed):
        axes.plot(missed, [_MISSED_AT * top_ms] * len(missed), "x", color=INK, label="not heard")


@styled()
def buffers(record: BrowserRecord) -> ReportFigure:
    """Draw the jitter buffer of every stream over time, and the browser's target for it."""
    streams = record.statistics
    figure = ReportFigure(3.0, "Jitter buffer of every stream over time, with its target")
    axes = figure.panels(1, 1)[0]
    if streams["jitter_buffer_ms"].isna().all():
        note(axes, "The browsers did not state the delay of their jitter buffers.")
        return figure
    for number, (path, stream) in enumerate(streams.groupby(["sender", "receiver", "session"])):
        colour = PLAYER_COLOURS[number % len(PLAYER_COLOURS)]
        label = f"{path[0] or 'a server'} → {path[1]}" if path[2] == 0 else None
        axes.plot(stream["at_s"], stream["jitter_buffer_ms"], color=colour, label=label)
        axes.plot(stream["at_s"], stream["jitter_target_ms"], ":", color=colour)
    axes.plot([], [], ":", color=INK, label="target of the browser")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time in the session (s)")
    axes.set_ylabel("jitter buffer (ms)")
    legend(figure)
    return figure
