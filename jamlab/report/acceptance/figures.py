"""Figures of the acceptance tests: levels over time, spectra, tones heard, and latencies."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from jamlab.measure.acceptance.different_networks import DIFFERENT_NETWORKS
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import LOOPBACK
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE, SIGNAL_DBFS, STEPS_DBFS, TWO_USERS
from jamlab.measure.across_networks.simulated import ACROSS_TARGET_MS
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.report.latency import paths
from jamlab.report.page.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
    VERMILLION,
    ReportFigure,
    legend,
    styled,
)

SILENCE_DBFS = -120.0
"""Lower bound of drawn levels; lower levels are drawn at it."""
_MEASUREMENTS = {TWO_USERS: ONE_WAY, LOOPBACK: ROUND_TRIP}
_NOTICE_DBFS = -6.0
_AUDIBLE_HZ = 20.0, 20_000.0


@styled()
def captured(record: AcceptanceRecord) -> ReportFigure | None:
    """Draw the level captured from a microphone, and the level that the same card played meanwhile.

    None if the record does not have the test; the same holds for every figure here.
    """
    curves = record.of(LOCAL_CAPTURE, "curves")
    if curves.empty:
        return None
    figure = ReportFigure(3.2, "Level captured over time, and what the same card played meanwhile")
    panels = figure.panels(1, 2, sharey=True)
    for side, axes in zip(("left", "right"), panels, strict=True):
        for what, colour in (("captured", BLUE), ("played by itself", VERMILLION)):
            _draw(axes, curves[curves["series"] == f"{what}, {side}"], what, colour)
        axes.set_title(f"{side} channel")
        axes.set_xlabel("time (s)")
        for level_dbfs, _ in STEPS_DBFS:
            axes.axhline(level_dbfs, color=FAINT, linestyle=":", label="levels played in")
    _level_axis(panels[0])
    legend(figure)
    return figure


@styled()
def spectra(record: AcceptanceRecord) -> ReportFigure | None:
    """Draw the spectrum of the received sine over that after the codec alone, both directions."""
    curves = record.of(TWO_USERS, "curves")
    if curves.empty:
        return None
    paths = [*curves["panel"].unique()]
    figure = ReportFigure(3.4, "Spectrum of the sine that was heard, and after the codec alone")
    panels = figure.panels(1, len(paths), sharey=True)
    for path, axes in zip(paths, panels, strict=True):
        here = curves[(curves["panel"] == path) & curves["x"].between(*_AUDIBLE_HZ)]
        for series, colour in (("codec alone", ORANGE), ("heard", BLUE)):
            _draw(axes, here[here["series"] == series], series, colour)
        axes.axhline(SIGNAL_DBFS, color=FAINT, linestyle=":", label="level played")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(path)
        axes.set_xlabel("frequency (Hz)")
    _level_axis(panels[0])
    legend(figure)
    return figure


@styled()
def tones(record: AcceptanceRecord, test: str) -> ReportFigure | None:
    """Draw the level of each participant's tone over time, a panel per listener.

    Actions of the test are lines; notices to a listener are triangles along the top.
    """
    curves = record.of(test, "curves")
    if curves.empty:
        return None
    listeners = sorted(curves["panel"].unique())
    figure = ReportFigure(0.9 + 1.7 * len(listeners), "Tones that each participant heard over time")
    panels = figure.panels(len(listeners), 1, sharex=True, sharey=True)
    for listener, axes in zip(listeners, panels, strict=True):
        for number, sender in enumerate(listeners):
            here = curves[(curves["panel"] == listener) & (curves["series"] == sender)]
            _draw_tone(axes, here, f"from {sender}", number)
        _draw_events(axes, record.of(test, "events"), listener)
        axes.set_title(f"heard by {listener}")
        _level_axis(axes)
    panels[-1].set_xlabel("time (s)")
    legend(figure)
    return figure


def _draw_tone(axes: Axes, curve: pd.DataFrame, label: str, number: int) -> None:
    axes.plot(
        curve["x"],
        curve["y"].clip(lower=SILENCE_DBFS),
        color=PLAYER_COLOURS[number],
        marker=PLAYER_MARKERS[number],
        markevery=(number, 8),  # side by side where curves lie on each other
        markersize=4,
        label=label,
    )


def _draw_events(axes: Axes, events: pd.DataFrame, listener: str) -> None:
    notices = events[events["who"] == listener]
    if len(notices):
        axes.plot(notices["at_s"], [_NOTICE_DBFS] * len(notices), "v", color=INK, label="notice")
    done = events[(events["who"] == "") & (events["panel"] == "notices")]
    for at_s, words in zip(done["at_s"], done["words"], strict=True):
        axes.axvline(at_s, color=INK, linestyle="--", label=words)


@styled()
def apart(record: AcceptanceRecord) -> ReportFigure | None:
    """Draw the latency of every click between different networks, a panel per case."""
    curves = record.of(DIFFERENT_NETWORKS, "curves")
    if curves.empty:
        return None
    cases = [*dict.fromkeys(series.split(", ")[0] for series in curves["series"])]
    figure = ReportFigure(3.2, "Latency of every click between participants on different networks")
    panels = figure.panels(1, len(cases), sharey=True)
    for case, axes in zip(cases, panels, strict=True):
        of_case = curves[curves["series"].str.startswith(f"{case}, ")]
        for number, (series, clicks) in enumerate(of_case.groupby("series")):
            path = str(series).removeprefix(f"{case}, ")
            colour = PLAYER_COLOURS[number]
            axes.plot(clicks["x"], clicks["y"], ".", markersize=3, color=colour, label=path)
        axes.axhline(ACROSS_TARGET_MS, color=INK, linestyle="--", label="target")
        axes.set_title(case)
        axes.set_xlabel("time (s)")
    panels[0].set_ylabel("one-way latency (ms)")
    panels[0].set_ylim(0, 1.15 * _highest(curves["y"]))
    legend(figure)
    return figure


def clicks(record: AcceptanceRecord, test: str) -> ReportFigure | None:
    """Draw the latency of every click of a test's latency measurement."""
    if record.latency is None or test not in record.tests:
        return None
    return paths.over_time(record.latency, _MEASUREMENTS[test])


def _highest(latencies_ms: "pd.Series[float]") -> float:
    highest_ms = float(latencies_ms.max())
    return ACROSS_TARGET_MS if math.isnan(highest_ms) else max(highest_ms, ACROSS_TARGET_MS)


def _draw(axes: Axes, curve: pd.DataFrame, label: str, colour: str) -> None:
    axes.plot(curve["x"], curve["y"].clip(lower=SILENCE_DBFS), color=colour, label=label)


def _level_axis(axes: Axes) -> None:
    axes.set_ylabel("level (dBFS)")
    axes.set_ylim(SILENCE_DBFS - 5, 0)
