"""The figure of a comparison of encodings: quality over latency, and the frontier."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.sound_quality.encodings import encodings_table
from jamlab.measure.sound_quality.record import SoundQualityRecord
from jamlab.report.page.figures import (
    FAINT,
    INK,
    PLAYER_COLOURS,
    PLAYER_MARKERS,
    ReportFigure,
    legend,
    note,
    styled,
)


@styled()
def frontier(record: SoundQualityRecord) -> ReportFigure:
    """Draw zimtohrli's figure over the latency, a panel per network and a point per encoding.

    Lines are the ranges of the sessions. The grey steps are the frontier: the best figure of the
    encodings with no more than that latency.
    """
    table = encodings_table(record)
    networks = list(dict.fromkeys(table["network"]))
    figure = ReportFigure(
        0.9 + 3.0 * len(networks), "Quality of every encoding over its latency, by network"
    )
    for axes, network in zip(figure.panels(len(networks), 1), networks, strict=True):
        rows = table[table["network"] == network].dropna(subset=["latency_ms", "zimtohrli"])
        axes.set_title(f"network: {network}")
        axes.set(xlabel="one way, virtual cards (ms)", ylabel="zimtohrli (5: no difference)")
        if rows.empty:
            note(axes, "Zimtohrli has no package for this machine, so there is nothing to draw.")
            continue
        _draw_frontier(axes, rows)
        for number, (quality, points) in enumerate(rows.groupby("quality", sort=False)):
            _draw_points(axes, str(quality), points, number)
    if any(axes.get_legend_handles_labels()[1] for axes in figure.axes):
        legend(figure)
    return figure


def _draw_frontier(axes: Axes, rows: pd.DataFrame) -> None:
    best = rows[rows["frontier"]].sort_values("latency_ms")
    axes.step(
        best["latency_ms"],
        best["zimtohrli"].cummax(),
        where="post",
        color=FAINT,
        linewidth=4,
        alpha=0.35,
        label="frontier",
    )


def _draw_points(axes: Axes, quality: str, points: pd.DataFrame, number: int) -> None:
    latencies, scores = points["latency_ms"].to_numpy(), points["zimtohrli"].to_numpy()
    axes.errorbar(
        latencies,
        scores,
        xerr=_errors(points, "latency_ms"),
        yerr=_errors(points, "zimtohrli"),
        linestyle="none",
        marker=PLAYER_MARKERS[number],
        markersize=5,
        linewidth=1,
        color=PLAYER_COLOURS[number],
        label=quality,
    )
    for frames, *at in zip(points["frame_frames"], latencies, scores, strict=True):
        words = f"{1000 * frames / SAMPLE_RATE:g} ms"
        axes.annotate(
            words,
            (at[0], at[1]),
            (4, -10 if number else 5),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )


def _errors(points: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return the distances from the median to the least and greatest session."""
    middle = points[name].to_numpy(np.float64)
    low, high = (points[f"{name}_{end}"].to_numpy(np.float64) for end in ("low", "high"))
    return np.stack([middle - low, high - middle])
