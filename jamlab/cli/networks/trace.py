"""``jamlab trace``: a recorded network in figures, and a model of its stalls beside it."""

import argparse
import json
from pathlib import Path

from rich.table import Table

from jamlab.networks.model.stalls import STALL_S, toml_of
from jamlab.networks.traces.reading import KINDS, read_trace
from jamlab.networks.traces.summary import Summary, summary_of
from jamlab.terminal import PlainConsole, literal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab trace``."""
    parser.add_argument("trace", type=Path, metavar="FILE", help=KINDS)
    parser.add_argument(
        "--stream",
        metavar="NAME",
        help="of a capture the stream to take, by SSRC, or of a session the peer (default: the one "
        "with most packets)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab trace`` and return its exit status; raises `TraceError`."""
    found = summary_of(read_trace(options.trace, options.stream))
    if options.json:
        print(json.dumps(found.to_dict(), indent=2))
        return 0
    console = PlainConsole()
    console.print(_table(found))
    for note in found.notes:
        console.print(literal(f"Note: {note}."), soft_wrap=True)
    console.print(
        f"A stall is a delay of {STALL_S * 1000:g} ms above the median. The model, as a table of "
        "data/stall_models.toml:",
        soft_wrap=True,
    )
    console.print(literal(toml_of(found.model)), soft_wrap=True)
    return 0


def _table(found: Summary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(literal(found.name))
    for heading in ("trace", "stall model"):
        table.add_column(heading, justify="right")
    for figure in found.figures:
        values = (_shown(value, figure.unit) for value in (figure.trace, figure.model))
        table.add_row(figure.what, *values)
    return table


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    digits = 0 if value == round(value) and not unit else 1
    return f"{value:.{digits}f} {unit}".rstrip()
