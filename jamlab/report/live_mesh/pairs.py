"""Tables and map of a mesh record: latency of every pair, and each participant's worst partner.

The one-way latency between two clocks is an interval and is written as one: the map is coloured by
its upper end, and its middle is not shown anywhere.
"""

import math
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from pandas.io.formats.style import Styler

from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.live_mesh.pairs import pairs_table, worst_partners
from jamlab.measure.live_mesh.record import MeshRecord
from jamlab.report.page.figures import GRID, INK, TARGETS_MS, ReportFigure, note, styled
from jamlab.report.page.tables import styled_table

_ANSWERS = {
    "none": "did not answer (a browser, an earlier version, or out of reach)",
    "busy": "was busy with another measurement",
    "not understood": "sent an answer that cannot be used",
}
_DARK_SHARE = 0.6  # share of the colour scale from which text is white
_LONGEST_NAME = 14
_ROOMY = 4  # number of participants up to which a cell has room for decimals
_UNKNOWN = "unknown"


def participant_table(record: MeshRecord) -> Styler:
    """Return a row per participant: its part, its machine's loop lag, and its card's underruns."""
    rows = [_participant_row(row) for row in record.participants.to_dict("records")]
    return styled_table(pd.DataFrame(rows).map(escape), "participants")


def _participant_row(row: dict[Any, Any]) -> dict[str, str]:
    took_part = row["answer"] == "report"
    return {
        "Participant": row["name"],
        "Took part": "yes" if took_part else _ANSWERS.get(row["answer"], row["answer"]),
        "Loop lag, 99th percentile": f"{row['lag_p99_ms']:.1f} ms" if took_part else "",
        "Card underruns": f"{row['underrun_share']:.2%}" if took_part else "",
    }


def pair_table(record: MeshRecord) -> Styler:
    """Return a row per ordered pair; the intervals contain the true latency for any offset."""
    pairs = pairs_table(record)
    shown = pd.DataFrame([_pair_row(row) for row in pairs.to_dict("records")], columns=_PAIR_HEADS)
    return styled_table(shown.map(escape), "pairs")


_PAIR_HEADS = (
    "Path",
    "Heard",
    "One way",
    "Both ways",
    "95th percentile",
    "Concealed",
    "Receiver's clock ahead",
    "Its skew",
)


def _pair_row(row: dict[Any, Any]) -> dict[str, str]:
    figures = (
        f"{row['sender']} → {row['receiver']}",
        f"{round(row['heard_share'] * row['clicks'])} of {row['clicks']}",
        _interval(row["one_way_min_ms"], row["one_way_max_ms"], "ms"),
        _figure(row["both_ways_ms"]),
        _figure(row["both_ways_p95_ms"]),
        f"{row['concealed_share']:.2%}",
        row["why"]
        or _interval(1e3 * row["offset_min_s"], 1e3 * row["offset_max_s"], "ms", sign="+"),
        _interval(row["skew_min_ppm"], row["skew_max_ppm"], "ppm", 0, "+"),
    )
    return dict(zip(_PAIR_HEADS, figures, strict=True))


def worst_partner_table(record: MeshRecord) -> Styler:
    """Return a row per participant: the peer with the longest latency, both ways together."""
    worst = worst_partners(pairs_table(record)).to_dict("records")
    rows = [
        {
            "Player": row["player"],
            "Worst partner": row["partner"],
            "Both ways": _figure(row["both_ways_ms"]),
            "95th percentile": _figure(row["both_ways_p95_ms"]),
            "Heard after": _interval(row["one_way_min_ms"], row["one_way_max_ms"], "ms"),
            "Clicks heard": f"{row['heard_share']:.0%}",
        }
        for row in worst
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "worst")


def _figure(value_ms: float) -> str:
    return _UNKNOWN if math.isnan(value_ms) else f"{value_ms:.1f} ms"


def _interval(low: float, high: float, unit: str, decimals: int = 1, sign: str = "") -> str:
    if math.isnan(low) or math.isnan(high):
        return _UNKNOWN
    least, most = _outward(low, high, decimals)
    return f"{least:{sign}.{decimals}f} to {most:{sign}.{decimals}f} {unit}"


def _outward(low: float, high: float, decimals: int) -> tuple[float, float]:
    """Round an interval outward, so that it still contains the original one."""
    scale = 10**decimals
    return math.floor(low * scale) / scale, math.ceil(high * scale) / scale


# The map


@styled()
def pair_map(record: MeshRecord) -> ReportFigure:
    """Draw two maps of every pair: one way, as intervals, and both ways together.

    The first has senders as rows and receivers as columns, and is coloured by the interval's upper
    end, a bound of the latency. The second is symmetric, so half of it is drawn.
    """
    pairs = pairs_table(record)
    names = sorted({*pairs["sender"], *pairs["receiver"]})
    figure = ReportFigure(
        1.6 + 0.5 * max(3, len(names)),
        "Latency of every pair of participants: one way as an interval, and both ways together",
    )
    if not names:
        note(figure.panels(1, 1)[0], "No two connected participants took part.")
        return figure
    one_way, both_ways = figure.panels(1, 2, width_ratios=(1.3, 1))
    cells = {(row["sender"], row["receiver"]): row for row in pairs.to_dict("records")}
    one_way_words = partial(_one_way_words, decimals=1 if len(names) <= _ROOMY else 0)
    _draw(one_way, names, cells, "one_way_max_ms", ONE_WAY, one_way_words)
    _draw(both_ways, names, _half(cells), "both_ways_ms", ROUND_TRIP, _both_ways_words)
    one_way.set_title("One way: within (ms)")
    both_ways.set_title("Both ways together: median (ms)")
    one_way.set(xlabel="heard by", ylabel="sent by")
    return figure


def _half(cells: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    return {(a, b): row for (a, b), row in cells.items() if a > b}


def _one_way_words(row: dict[Any, Any], decimals: int) -> str:
    if row["heard_share"] == 0:
        return "not\nheard"
    if math.isnan(row["one_way_max_ms"]):
        return _UNKNOWN
    least, most = _outward(row["one_way_min_ms"], row["one_way_max_ms"], decimals)
    return f"{least:.{decimals}f}–{most:.{decimals}f}"


def _both_ways_words(row: dict[Any, Any]) -> str:
    value = row["both_ways_ms"]
    return _UNKNOWN if math.isnan(value) else f"{value:.1f}"


def _draw(
    axes: Axes,
    names: list[str],
    cells: dict[tuple[str, str], Any],
    column: str,
    measurement: str,
    words: Callable[[dict[Any, Any]], str],
) -> None:
    values = np.full((len(names), len(names)), np.nan)
    target_ms = TARGETS_MS[measurement]
    for (sender, receiver), row in cells.items():
        at = names.index(sender), names.index(receiver)
        values[at] = row[column]
        dark = values[at] > _DARK_SHARE * target_ms
        axes.text(
            at[1],
            at[0],
            words(row),
            ha="center",
            va="center",
            fontsize=8.5 if len(names) <= _ROOMY else 7.5,
            color="white" if dark else INK,
        )
    for place in range(len(names)):
        axes.text(place, place, "–", ha="center", va="center", color=INK)
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=target_ms, aspect="auto")
    _label(axes, names)
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, extend="max", label="ms", pad=0.02)
    bar.outline.set_visible(False)


def _label(axes: Axes, names: list[str]) -> None:
    short = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in names]
    turned = 30 if sum(map(len, short)) > 24 else 0
    axes.set_xticks(range(len(names)), short, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(range(len(names)), short)
    axes.grid(visible=False)
    between = np.arange(len(names) - 1) + 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(False)
    axes.set_facecolor(GRID)
