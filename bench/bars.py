"""A benchmark's rows: measured values against their bars, printed and written as JSON.

A bar limits a count, a share, or a ratio to work of known size in the same run
(`bench.calibration`), so that it holds for every machine. Times and rates are rows without a bar.
"""

import json
import operator
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from jamlab.process.whole_files import written_whole

MOST_TOLD = 12
_COMPARE = {"≤": operator.le, "<": operator.lt, "≥": operator.ge}


@dataclass(frozen=True)
class Bar:
    """A row: the median over the runs, and whether it meets its bar, if it has one."""

    name: str
    value: float
    unit: str
    bar: str
    holds: bool | None
    runs: list[float]


def bar(name: str, runs: list[float], unit: str, sign: str, limit: float) -> Bar:
    """Return a row with a bar on the median of several runs; a missed bar raises nothing."""
    value = float(statistics.median(runs))
    holds = bool(_COMPARE[sign](value, limit))
    return Bar(name, value, unit, f"{sign} {limit:g}", holds, runs)


def figure(name: str, runs: list[float], unit: str) -> Bar:
    """Return a row with the median of several runs, without a bar."""
    return Bar(name, statistics.median(runs), unit, "", None, runs)


def _told(runs: list[float]) -> str:
    """Write the runs, of many only the quartiles and the ends."""
    if len(runs) <= MOST_TOLD:
        return ", ".join(f"{run:.3g}" for run in runs)
    return " … ".join(f"{quartile:.3g}" for quartile in np.quantile(runs, np.linspace(0, 1, 5)))


def publish(bars: list[Bar], path: Path) -> int:
    """Print the table and write the JSON; return the number of missed bars."""
    words = {True: "[green]yes[/]", False: "[bold red]NO[/]", None: ""}
    table = Table("bar", "value", "target", "holds", "runs", title=path.stem)
    for row in bars:
        runs = _told(row.runs)
        table.add_row(row.name, f"{row.value:.3g} {row.unit}", row.bar, words[row.holds], runs)
    Console(width=140).print(table)
    text = json.dumps([asdict(row) for row in bars], indent=2, ensure_ascii=False)
    with written_whole(path.parent, path.name) as aside:
        (aside / path.name).write_text(text + "\n", encoding="utf-8")
    return sum(row.holds is False for row in bars)
