"""A benchmark's rows: measured values against their bars, printed and written as JSON."""

import json
import operator
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_COMPARE = {"≤": operator.le, "<": operator.lt, "≥": operator.ge}


@dataclass(frozen=True)
class Bar:
    """One figure: the median over the runs, and whether it meets its bar."""

    name: str
    value: float
    unit: str
    bar: str
    holds: bool
    runs: list[float]


def bar(name: str, runs: list[float], unit: str, sign: str, limit: float) -> Bar:
    """Judge the median of several runs; a bar that does not hold is a row like any other."""
    value = statistics.median(runs)
    return Bar(name, value, unit, f"{sign} {limit:g}", _COMPARE[sign](value, limit), runs)


def publish(bars: list[Bar], path: Path) -> int:
    """Print the table, write the JSON; returns how many bars do not hold."""
    table = Table("bar", "value", "target", "holds", "runs", title=path.stem)
    for row in bars:
        runs = ", ".join(f"{run:.3g}" for run in row.runs)
        holds = "[green]yes[/]" if row.holds else "[bold red]NO[/]"
        table.add_row(row.name, f"{row.value:.3g} {row.unit}", row.bar, holds, runs)
    Console(width=140).print(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in bars], indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return sum(not row.holds for row in bars)
