"""Tables of the ``jamlab`` command, sized for a terminal."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from jamlab.cli.doctor import Finding
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.verdicts import paths_table as browser_paths
from jamlab.measure.connectivity.record import KERNEL, RESULTS, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.digits import measured, plain
from jamlab.measure.latency import musicians
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import floor_ms, paths_table
from jamlab.measure.servers import words as server_words
from jamlab.measure.servers.probe import STEPS
from jamlab.measure.servers.table import distinct_probes
from jamlab.measure.statistics import Estimate, proportion
from jamlab.measure.verdict import GRAVITY, Outcome, Verdict
from jamlab.report.page import opening
from jamlab.report.page.opening import VerdictText

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "bold yellow",
    Outcome.NOT_RUN: "bold cyan",
}
_PATHS_SHOWN = 6
_STAGE_COLUMNS = ("median_ms", "p95_ms")
_PASSED = {True: "[green]yes[/]", False: "[bold red]no[/]", None: "–"}


def verdict_table(judged: Sequence[Verdict]) -> Group:
    """Return a line per verdict, and below the reasons of those that are not PASS, FAIL first."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("", "what", "measured", "target"):
        table.add_column(heading)
    for verdict in judged:
        outcome = f"[{_STYLES[verdict.verdict]}]{verdict.verdict}[/]"
        table.add_row(outcome, escape(_short(verdict.name)), verdict.measured, verdict.target)
    open_ = sorted((v for v in judged if v.verdict is not Outcome.PASS), key=_gravest_first)
    reasons: dict[str, list[str]] = {}  # several verdicts may have the same reason
    for verdict in open_:
        words = f"{verdict.verdict}: {verdict.reason}"
        reasons.setdefault(words, []).append(_short(verdict.name))
    lines = (f"{words} ({'; '.join(names)})" for words, names in reasons.items())
    return Group(table, *map(escape, lines))


def _gravest_first(verdict: Verdict) -> int:
    return -GRAVITY[verdict.verdict]


def sentence(parts: Mapping[str, Sequence[Verdict]]) -> str:
    """Return the overall verdict in a sentence; a part without verdicts was not run."""
    lacking = VerdictText(Outcome.NOT_RUN, "", "", "", "")
    verdicts = {name: [*map(VerdictText.of, judged)] or [lacking] for name, judged in parts.items()}
    outcome, words = opening.sentence(verdicts)
    return f"[{_STYLES[outcome]}]{outcome}[/]: {escape(words)}"


def musicians_table(judged: Sequence[Verdict], heard: Estimate | None = None) -> Table | None:
    """Return the meaning of one-way latencies to musicians; None without such latencies.

    `heard` is the latency from mouth to ear, in milliseconds, if sound cards were measured. It is
    in the first row, since it is what musicians hear.
    """
    latencies = [verdict for verdict in judged if verdict.name.startswith("one-way latency")]
    meanings = {verdict.name: musicians.of_verdict(verdict) for verdict in latencies}
    rows = [(_short(name), meaning) for name, meaning in meanings.items() if meaning]
    if not rows:
        return None
    if heard is not None:
        ms = heard.value, heard.low, heard.high
        rows.insert(0, (f"mouth to ear, {measured(*ms, 'ms')}", musicians.meaning(*ms)))
    title = "To musicians; sound cards not counted"
    title += " except in the first line" if heard is not None else ""
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), show_header=False)
    for name, meaning in rows:
        table.add_row(escape(name), escape(meaning))
    return table


def as_json(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON data, with the meaning of a one-way latency to musicians."""
    return {**verdict.to_dict(), "to_musicians": musicians.of_verdict(verdict)}


def _short(name: str) -> str:
    """Return a verdict's name for a line of 80 characters."""
    short = re.sub(", 95th percentile of the worst (path|stream)", ", p95", name)
    return re.sub(", share of the worst (path|stream)", "", short).removeprefix("share of ")


def path_table(record: LatencyRecord) -> Table:
    """Return the slowest paths, as many as fit on a screen, in milliseconds."""
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


def browser_table(record: BrowserRecord) -> Table:
    """Return the paths between browsers, the slowest first, in milliseconds."""
    paths = browser_paths(record).sort_values("p95_ms", ascending=False)
    error_ms = record.provenance["error_ms"]
    table = Table(
        title=f"Between browsers, ms; error of the clocks up to {error_ms:.1f} ms",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("path", no_wrap=True)
    for heading in ("median", "p95", "heard", "concealed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path in paths.head(_PATHS_SHOWN).to_dict("records"):
        times = (f"{path[column]:.1f}" for column in ("median_ms", "p95_ms"))
        shares = (f"{path[f'{what}_share']:.1%}" for what in ("heard", "concealed"))
        table.add_row(f"{path['sender']} → {path['receiver']}", *times, *shares)
    remarks = record.provenance["remarks"]
    table.caption = escape("; ".join(remarks)) if remarks else None
    return table


def stage_table(summary: pd.DataFrame) -> Table:
    """Return the stages that a dump has of each inbound stream; names from it are no markup."""
    table = Table(title="Stages of each inbound stream, over its seconds", box=None)
    for heading in ("stream", "stage", "median", "p95"):
        table.add_column(heading)
    for row in summary.to_dict("records"):
        most = "up to " if row["stage"] == "network" else ""
        known = row["seconds"] > 0
        cells = (f"{most}{plain(row[key], 'ms')}" if known else "–" for key in _STAGE_COLUMNS)
        table.add_row(Text(row["stream"]), row["stage"], *cells)
    return table


def success_table(record: ConnectivityRecord) -> Table:
    """Return the results of the calls under each configuration, in percent.

    The caption has the simulation error; the population's uncertainty is in the verdicts.
    """
    calls = record.provenance["calls"]
    network = "this machine's kernel" if record.network == KERNEL else "simulated internet"
    title = f"{calls} calls within {record.provenance['population']}, {network}"
    if record.network == THIS_MACHINE:
        title = f"{calls} attempts under each configuration, two ends on this machine"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    table.add_column("configuration", no_wrap=True)
    for heading in ("direct", "relayed", "failed"):
        table.add_column(heading, justify="right")
    for name in record.configurations:
        shares = record.of(name)["result"].value_counts(normalize=True)
        cells = (f"{shares.get(result, 0.0):.1%}" for result in RESULTS)
        table.add_row(escape(name), *cells)
    if record.network != THIS_MACHINE:
        error = max(_simulation_error(record.of(name)["result"]) for name in record.configurations)
        table.caption = f"simulation error of a share (95%): at most ±{100 * error:.1f} points"
    return table


def _simulation_error(results: "pd.Series[str]") -> float:
    """Return the largest simulation error of a share, 0 to 1."""
    counts = (int((results == result).sum()) for result in RESULTS)
    shares = [proportion(count, len(results), "exact") for count in counts]
    return max(max(share.value - share.low, share.high - share.value) for share in shares)


def server_table(record: ConnectivityRecord) -> Group:
    """Return a row per server, and below a sentence for each that does not work fully."""
    table = Table(title="Servers, each probed separately", box=None, padding=(0, 1, 0, 0))
    table.add_column("server", overflow="fold")
    table.add_column("over", no_wrap=True)
    for heading in STEPS:
        table.add_column(heading, no_wrap=True)
    table.add_column("round trip", justify="right", no_wrap=True)
    found = distinct_probes(record.servers)
    for each, _ in found:
        steps = (_PASSED[each.passed(step)] for step in STEPS)
        time = "" if math.isnan(each.round_trip_s) else f"{1e3 * each.round_trip_s:.1f} ms"
        table.add_row(escape(each.url), each.transport.upper(), *steps, time)
    reasons = [
        f"{each.url} ({names}): {server_words.sentence(each)}"
        for each, names in found
        if not each.works
    ]
    return Group(table, *(escape(reason) for reason in reasons))


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return the doctor's findings, a row each, with the remedy for those that are not fine."""
    table = Table("", "subject", "found", "what to do")
    for finding in findings:
        mark = "[green]✓[/]" if finding.fine else "[red]✗[/]"
        remedy = "" if finding.fine else finding.remedy
        table.add_row(mark, finding.subject, escape(finding.detail), escape(remedy))
    return table


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[float, str], None]]:
    """Show a progress bar while the context lasts; yield a callback for share done and activity."""
    columns = TextColumn("{task.description:>20}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def tell(done: float, doing: str) -> None:
            bar.update(task, completed=done, description=doing)

        yield tell
