"""``jamlab playout``: playout buffers on the same packets of recorded networks."""

import argparse
import json
import math
from pathlib import Path

from rich.table import Table

from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.results import add_output, err, out
from jamlab.measure.digits import plain
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.playout.plan import PlayoutPlan
from jamlab.measure.playout.record import BEST_CONSTANT, PlayoutRecord
from jamlab.measure.playout.run import measure_playout
from jamlab.measure.playout.verdicts import playout_verdicts
from jamlab.measure.verdict import exit_status, overall
from jamlab.networks.traces.reading import KINDS, read_trace
from jamlab.report.page.html import PLAYOUT_FOLDER, notebook_path, render
from jamlab.terminal import literal

NOTEBOOK = "13_playout"
_OPTIONS = {"accept": "accept_percent", "duration": "duration_s", "skew": "skew_ppm"}
"""Names of options, and of their parameters in the plan."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab playout``."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"recorded networks: {KINDS}",
    )
    parser.add_argument(
        "--accept",
        nargs="+",
        type=float,
        default=PlayoutPlan.accept_percent,
        metavar="PERCENT",
        help="shares of concealment that are accepted, in percent (default: 0.1 0.5 1 2)",
    )
    parser.add_argument(
        "--duration",
        type=float,
        help="seconds of the stream over each trace, which repeats (default: each trace once)",
    )
    parser.add_argument(
        "--skew",
        type=float,
        default=0.0,
        help="millionths by which the sender's card is faster (default: %(default)g)",
    )
    parser.add_argument(
        "--spliced",
        action="store_true",
        help="compute the bound of splices, too: about 4 s for each minute of a trace",
    )
    add_output(parser)
    parser.set_defaults(run=run_playout, kept=None)


def run_playout(options: argparse.Namespace) -> int:
    """Run ``jamlab playout``: compare, write the report, and return the exit status."""
    with arguments.named_by_option(_OPTIONS, PlanError):
        plan = PlayoutPlan(
            tuple(map(read_trace, options.files)),
            tuple(options.accept),
            duration_s=options.duration,
            skew_ppm=options.skew,
            spliced=options.spliced,
        )
    folder, page = options.out / PLAYOUT_FOLDER, options.out / f"{PLAYOUT_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        record = measure_playout(plan, progress)
        options.kept = record.save(folder)
        progress(1.0, "writing the report")
        playout_page(folder, page)
    return tell_playout(record, page, as_json=options.json)


def playout_page(folder: Path, page: Path) -> None:
    """Write the page of a record of playout buffers."""
    render(notebook_path(NOTEBOOK), {"record": str(folder.resolve())}, page)


def tell_playout(record: PlayoutRecord, page: Path, *, as_json: bool) -> int:
    """Print the verdicts, buffers and bounds; return the exit status."""
    judged = playout_verdicts(record)
    if as_json:
        print(json.dumps([screen.as_json(verdict) for verdict in judged], indent=2))
        return exit_status(overall(judged))
    out.print(screen.sentence({"Playout": judged}))
    out.print(screen.verdict_table(judged))
    for trace in record.traces:
        out.print(_table(record, trace))
    for note in record.provenance["notes"]:
        out.print(literal(f"Note: {note}."), soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return exit_status(overall(judged))


def _table(record: PlayoutRecord, trace: str) -> Table:
    """Return a row per buffer with its authors' setting, and per bound."""
    table = Table("buffer", "setting", title=literal(trace))
    for name in ("mean delay", "concealed", "worst 2 min"):
        table.add_column(name, justify="right")
    playbacks = record.playbacks[record.playbacks["as_shipped"]]
    for row in playbacks[playbacks["trace"] == trace].to_dict("records"):
        shares = _percent(row["concealed_share"]), _percent(row["worst_share"])
        table.add_row(row["buffer"], row["setting"], plain(row["delay_ms"], "ms"), *shares)
    table.add_section()
    bounds = record.bounds[record.bounds["bound"] != BEST_CONSTANT]
    for row in bounds[bounds["trace"] == trace].to_dict("records"):
        delay = plain(row["least_ms"], "ms") if math.isfinite(row["least_ms"]) else "–"
        table.add_row(row["bound"], "in hindsight", delay, _percent(row["accepted_share"]), "")
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
