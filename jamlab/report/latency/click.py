"""Figures of a single click of each measurement: its waveforms and its correlation."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import detection_threshold
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.latency.record import LatencyRecord
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    VERMILLION,
    ReportFigure,
    legend,
    note,
    styled,
)

THRESHOLD = detection_threshold(round(MAX_LATENCY_S * SAMPLE_RATE) + 1)
"""Correlation that noise alone exceeds once in a million clicks."""


@styled()
def waveforms(record: LatencyRecord) -> ReportFigure:
    """Draw one click of each measurement, emitted above played, on one time axis."""
    shown = list(_excerpts(record))
    figure = ReportFigure(0.9 + 2.6 * len(shown), "One click as emitted and as played")
    panels = figure.panels(2 * len(shown), 1, sharex=True)
    for number, (excerpt, latency_ms) in enumerate(shown):
        emitted, played = panels[2 * number : 2 * number + 2]
        _draw_wave(emitted, excerpt, "emitted", BLUE)
        _draw_wave(played, excerpt, "played", VERMILLION)
        emitted.set_title(f"{_title(excerpt)}: emitted")
        played.set_title(f"played: {_arrival(excerpt, latency_ms)}")
        for axes in (emitted, played):
            _mark_arrival(axes, excerpt, latency_ms)
    panels[-1].set_xlabel("time since the click was emitted (ms)")
    legend(figure)
    return figure


@styled()
def correlation(record: LatencyRecord) -> ReportFigure:
    """Draw the correlation of the click with the playback over time, and the detected arrival."""
    shown = list(_excerpts(record))
    figure = ReportFigure(0.9 + 2.2 * len(shown), "Correlation of one click with the playback")
    panels = figure.panels(len(shown), 1, sharex=True, sharey=True)
    for axes, (excerpt, latency_ms) in zip(panels, shown, strict=True):
        axes.plot(excerpt["time_ms"], excerpt["correlation"], color=BLUE, linewidth=0.8)
        axes.axhline(THRESHOLD, color=FAINT, linestyle=":", label=f"threshold {THRESHOLD:.2f}")
        _mark_peak(axes, excerpt, latency_ms)
        axes.set_title(_title(excerpt))
        axes.set_ylabel("correlation\n(0 to 1)")
        axes.set_ylim(0, 1.05)
    panels[-1].set_xlabel("time since the click was emitted (ms)")
    legend(figure)
    return figure


def _excerpts(record: LatencyRecord) -> Iterator[tuple[pd.DataFrame, float]]:
    """Yield each measurement's excerpt and the latency of its click; NaN if it was not heard."""
    path = ["session", "measurement", "sender", "receiver", "click"]
    latencies_ms = record.clicks.set_index(path)["latency_ms"]
    for key, excerpt in record.waveforms.groupby(path, sort=True):
        yield excerpt, float(latencies_ms.get(key, math.nan))


def _title(excerpt: pd.DataFrame) -> str:
    first = excerpt.iloc[0]
    return (
        f"{first['measurement']}, {first['sender']} → {first['receiver']}, click {first['click']}"
    )


def _draw_wave(axes: Axes, excerpt: pd.DataFrame, column: str, colour: str) -> None:
    axes.plot(excerpt["time_ms"], excerpt[column], color=colour, linewidth=0.7)
    reach = max(1.1 * float(excerpt[column].abs().max()), 0.01)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("amplitude\n(full scale 1)")


def _mark_arrival(axes: Axes, excerpt: pd.DataFrame, latency_ms: float) -> None:
    axes.axvline(0, color=INK, linewidth=1, label="emitted")
    if _visible(excerpt, latency_ms):
        axes.axvline(latency_ms, color=GREEN, linestyle="--", label="found")


def _mark_peak(axes: Axes, excerpt: pd.DataFrame, latency_ms: float) -> None:
    words = _arrival(excerpt, latency_ms)
    if not _visible(excerpt, latency_ms):
        note(axes, words)
        return
    height = np.interp(latency_ms, excerpt["time_ms"], excerpt["correlation"])
    axes.plot([latency_ms], [height], "o", color=VERMILLION, markersize=6, label="found")
    axes.annotate(words, (latency_ms, height), (9, -4), textcoords="offset points")


def _arrival(excerpt: pd.DataFrame, latency_ms: float) -> str:
    if math.isnan(latency_ms):
        return "the click was not heard"
    after = "" if _visible(excerpt, latency_ms) else ", after this excerpt"
    return f"found at {latency_ms:.2f} ms{after}"


def _visible(excerpt: pd.DataFrame, latency_ms: float) -> bool:
    """Return whether a latency lies on the excerpt's time axis; NaN does not."""
    return bool(excerpt["time_ms"].iloc[0] <= latency_ms <= excerpt["time_ms"].iloc[-1])
