"""The look of all figures of a report: palette, size, and export as SVG.

Text is never typeset as mathematics: names and reasons come from outside, and may hold a dollar.

Figures are made without pyplot, so none outlives its cell and no backend is chosen for the user. On
a page they are SVG, sharp on screen and on paper.
"""

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.verdicts import ONE_WAY_TARGET_MS, ROUND_TRIP_TARGET_MS

WIDTH_IN = 9.0
"""Width of a figure: 900 px on the page, whose text width matches."""

INK, FAINT, GRID = "#1b1f24", "#6b7280", "#e3e6ea"
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
"""The colours of Okabe and Ito, distinguishable with any kind of colour vision."""

PLAYER_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
PLAYER_MARKERS = ("o", "s", "^", "D", "v", "P")
"""Colour and marker of each participant in every figure; a marker for print without colour."""

TARGETS_MS = {ONE_WAY: ONE_WAY_TARGET_MS, ROUND_TRIP: ROUND_TRIP_TARGET_MS}

_DRAWN_WITH: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same page everywhere
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "text.usetex": False,
    "text.parse_math": False,
}
_SAVED_WITH: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "jamlab",
    # of the ticks, which are made when a figure is drawn
    "text.usetex": False,
    "text.parse_math": False,
}
# So that the same record gives the same bytes, without links.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextmanager
def styled() -> Iterator[None]:
    """Apply the report's style; a decorator of every function that makes a figure."""
    with mpl.rc_context(_DRAWN_WITH):
        yield


class ReportFigure(Figure):
    """A figure that displays itself in a notebook and has a text alternative.

    The width is `WIDTH_IN`; `alt` is for readers who cannot see the figure.
    """

    def __init__(self, height_in: float, alt: str) -> None:
        super().__init__(figsize=(WIDTH_IN, height_in), dpi=100, layout="constrained")
        self.alt = alt

    def panels(self, rows: int, columns: int, **options: Any) -> list[Axes]:
        """Return a grid of axes, row by row."""
        return list(self.subplots(rows, columns, squeeze=False, **options).ravel())

    def svg(self) -> str:
        """Return the figure as SVG; the same record gives the same bytes."""
        written = io.StringIO()
        with mpl.rc_context(_SAVED_WITH):
            self.savefig(written, format="svg", dpi=200, metadata=_NO_METADATA)
        drawn = written.getvalue()
        return compact(drawn[drawn.index("<svg") :])  # without the prologue, which has addresses

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, str], dict[str, Any]]:
        kind = "image/svg+xml"
        return {kind: self.svg(), "text/plain": self.alt}, {kind: {"alt": self.alt}}


def compact(svg: str) -> str:
    """Return a matplotlib SVG that looks the same and is a quarter shorter.

    Comments, unused ids and spaces are removed, and coordinates are rounded to a hundredth of a
    point. The SVG has no text: letters are drawn (``svg.fonttype``).
    """
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[^"]*_\d+"', "", svg)  # ids without references
    svg = re.sub(r'(?: d| x| y|transform)="[^"]*"', _rounded, svg)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><")
    return svg.replace("DejaVuSans-", "c")


def _rounded(attribute: re.Match[str]) -> str:
    """Round the coordinates in an attribute; scale factors (of letters) are left as they are."""
    parts = re.split(r"(scale\([^)]*\))", attribute[0])
    parts[::2] = [re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", p) for p in parts[::2]]
    return "".join(parts)


def legend(figure: Figure, columns: int = 5) -> None:
    """Add one legend below all panels: participants by name, then the rest as drawn."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    players = sorted(label for label in entries if label.startswith("from "))
    labels = [*players, *(label for label in entries if label not in players)]
    figure.legend(
        [entries[label] for label in labels],
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        markerscale=1.6,
    )


def in_legend(name: str) -> str:
    """Return a name from outside as the label of a curve; matplotlib hides labels of ``_…``."""
    return f" {name}" if name.startswith("_") else name


def note(axes: Axes, words: str) -> None:
    """Write a note in the middle of an empty panel."""
    axes.text(
        0.5,
        0.5,
        textwrap.fill(words, 60),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=10,
        bbox={"facecolor": "white", "edgecolor": FAINT, "boxstyle": "round,pad=0.5"},
    )
