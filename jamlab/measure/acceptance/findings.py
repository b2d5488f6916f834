"""Findings of acceptance tests: figures, curves and events as tables, before any verdict.

A finding is plain data, which passes unchanged from a worker process into a record and back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd
from numpy.typing import ArrayLike

from jamlab.measure.statistics import CONFIDENCE, Estimate

LOOP_LAG = "loop lag, 99th percentile"
"""Figure of every test in real time, in milliseconds."""

COLUMNS: dict[str, dict[str, str]] = {
    "figures": {
        "test": "object",
        "figure": "object",  # name of the figure, as in `jamlab.measure.acceptance.verdicts`
        "subject": "object",  # the participant, path or channel it is about
        "value": "float64",
        "low": "float64",  # ends of the 95 % interval; equal to the value if it is exact
        "high": "float64",
    },
    "curves": {
        "test": "object",
        "panel": "object",
        "series": "object",
        "x": "float64",
        "y": "float64",
    },
    "events": {
        "test": "object",
        "panel": "object",
        "at_s": "float64",
        "who": "object",  # recipient of the notice; empty for an action of the test
        "peer": "object",
        "kind": "object",
        "words": "object",
    },
}
"""Columns of the tables of an acceptance record, by the names of the tables."""


@dataclass
class Finding:
    """Result of one acceptance test."""

    test: str
    figures: list[tuple[object, ...]] = field(default_factory=list)
    curves: list[tuple[object, ...]] = field(default_factory=list)
    events: list[tuple[object, ...]] = field(default_factory=list)

    def note(self, figure: str, subject: str, value: float | Estimate) -> None:
        """Add a figure of a subject; a plain number is exact."""
        known = value
        if not isinstance(known, Estimate):
            known = Estimate(float(known), float(known), float(known), CONFIDENCE)
        self.figures.append((self.test, figure, subject, known.value, known.low, known.high))

    def draw(self, panel: str, series: str, x: ArrayLike, y: ArrayLike) -> None:
        """Add a curve; both arrays have one dimension."""
        points = pd.DataFrame({"x": x, "y": y}).itertuples(index=False)
        self.curves += [(self.test, panel, series, point.x, point.y) for point in points]

    def tell(
        self, panel: str, at_s: float, words: str, *, who: str = "", peer: str = "", kind: str = ""
    ) -> None:
        """Add an event: a notice, or an action of the test."""
        self.events.append((self.test, panel, at_s, who, peer, kind, words))


def tables_of(findings: Iterable[Finding]) -> dict[str, pd.DataFrame]:
    """Return the tables of several findings combined, by their names in `COLUMNS`."""
    found = list(findings)
    return {
        name: pd.DataFrame(
            [row for each in found for row in getattr(each, name)], columns=list(columns)
        ).astype(columns)
        for name, columns in COLUMNS.items()
    }
