"""The ``jamlab`` command: the notebooks' jobs from a terminal or from CI.

What a program may want to read goes to standard output; progress and complaints to standard error.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jamlab import doctor
from jamlab.measure.plan import LatencyPlan, PlanError
from jamlab.measure.record import LatencyRecord, RecordError
from jamlab.measure.summary import floor_ms, paths_table, verdicts
from jamlab.measure.verdict import Outcome, Verdict, exit_status, overall
from jamlab.measure.worker import WorkerError, measure_in_worker
from jamlab.media.quality import QUALITIES, UnsupportedQualityError
from jamlab.report.html import ReportError, verification_report

INVALID = 2
"""Exit status of a run that came to no verdict."""

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "bold yellow",
}
_PATHS_SHOWN = 8

out = Console()
err = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (PlanError, UnsupportedQualityError, RecordError, ReportError, WorkerError) as error:
        err.print(f"jamlab: {error}", style="red", highlight=False, soft_wrap=True)
        return INVALID
    except KeyboardInterrupt:
        err.print("jamlab: interrupted, nothing was written")
        return INVALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jamlab", description="Can musicians really play together over this WebRTC mesh?"
    )
    parser.add_argument("--version", action="version", version=f"jamlab {version('jamlab')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_verify(commands.add_parser("verify", help="measure a mesh, judge it, write the report"))
    report = commands.add_parser("report", help="write the report of an earlier run again")
    report.add_argument("record", type=Path, help="a record: a folder that `verify` wrote")
    report.add_argument("--out", type=Path, help="the page (default: beside the record)")
    report.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    report.set_defaults(run=_report)
    doctor_ = commands.add_parser("doctor", help="say what this machine has and lacks")
    doctor_.set_defaults(run=_doctor)
    return parser


def _add_verify(parser: argparse.ArgumentParser) -> None:
    default = {field.name: field.default for field in fields(LatencyPlan)}
    qualities = ", ".join(name.replace(" ", "-") for name in QUALITIES)
    parser.add_argument("--peers", type=int, default=default["peers"], help="2 to 6 participants")
    parser.add_argument("--quality", default=default["quality"], help=qualities)
    parser.add_argument(
        "--duration", type=float, default=default["duration_s"], help="seconds of one-way clicks"
    )
    parser.add_argument(
        "--block-frames", type=int, default=default["block_frames"], help="block of the cards"
    )
    parser.add_argument("--out", type=Path, default=Path("reports"), help="folder for the report")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    parser.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    plan = LatencyPlan(
        peers=options.peers,
        quality=options.quality,
        duration_s=options.duration,
        block_frames=options.block_frames,
    )
    folder, page = options.out / "verification", options.out / "verification.html"
    with _progress_bar() as progress:
        record = asyncio.run(measure_in_worker(plan, folder, progress))
        progress(1.0, "writing the report")
        verification_report(folder, page)
    return _tell(record, page, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    record = LatencyRecord.load(options.record)
    page = options.out or options.record.with_suffix(".html")
    verification_report(options.record, page)
    return _tell(record, page, as_json=options.json)


def _tell(record: LatencyRecord, page: Path, *, as_json: bool) -> int:
    judged = verdicts(record)
    if as_json:
        print(json.dumps([verdict.to_dict() for verdict in judged], indent=2))
    else:
        out.print(*map(_verdict_line, judged), sep="\n", highlight=False)
        out.print(_path_table(record))
        out.print(f"Report: {page}", soft_wrap=True, highlight=False)
    return exit_status(overall(judged))


@contextmanager
def _progress_bar() -> Iterator[Callable[[float, str], None]]:
    columns = TextColumn("{task.description:>20}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def tell(done: float, doing: str) -> None:
            bar.update(task, completed=done, description=doing)

        yield tell


def _verdict_line(verdict: Verdict) -> str:
    style = _STYLES[verdict.verdict]
    return f"[bold {style}]{verdict.verdict:<12}[/] {escape(verdict.reason)}"


def _path_table(record: LatencyRecord) -> Table:
    """Show the slowest paths, as many as fit on a screen; times in milliseconds."""
    paths = paths_table(record).sort_values("p95_ms", ascending=False)
    title = f"Slowest paths, ms; physical floor one way {floor_ms(record):.1f} ms"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    table.add_column("path", no_wrap=True)
    for heading in ("median", "p95", "jitter", "heard", "concealed", "underruns"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path in paths.head(_PATHS_SHOWN).to_dict("records"):
        name = f"{path['measurement']}, {path['sender']} → {path['receiver']}"
        times = (f"{path[column]:.1f}" for column in ("median_ms", "p95_ms", "jitter_ms"))
        shares = (f"{path[f'{what}_share']:.1%}" for what in ("heard", "concealed", "underrun"))
        table.add_row(name, *times, *shares)
    if len(paths) > _PATHS_SHOWN:
        table.caption = f"{len(paths) - _PATHS_SHOWN} more paths are in the report"
    return table


def _doctor(_options: argparse.Namespace) -> int:
    findings = doctor.examine()
    table = Table("", "subject", "found", "what to do")
    for finding in findings:
        mark = "[green]✓[/]" if finding.fine else "[red]✗[/]"
        remedy = "" if finding.fine else finding.remedy
        table.add_row(mark, finding.subject, escape(finding.detail), escape(remedy))
    out.print(table)
    return int(any(finding.essential and not finding.fine for finding in findings))
