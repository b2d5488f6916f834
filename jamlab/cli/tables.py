"""Tables of the ``jamlab`` command, sized for a terminal."""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from jamlab.measure.browser.plan import INJECTED
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.sweep import advice, gain_words
from jamlab.measure.browser.sweep import sweep_table as browser_sweep
from jamlab.measure.browser.verdicts import paths_table as browser_paths
from jamlab.measure.connectivity.record import KERNEL, RESULTS, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.digits import measured, plain
from jamlab.measure.latency import musicians
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import floor_ms, paths_table
from jamlab.measure.rig.record import RigRecord
from jamlab.measure.rig.verdicts import rig_paths, side_by_side
from jamlab.measure.servers import words as server_words
from jamlab.measure.servers.probe import STEPS
from jamlab.measure.servers.table import distinct_probes
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.statistics import Estimate, proportion
from jamlab.measure.verdict import GRAVITY, Outcome, Verdict
from jamlab.report.page import opening
from jamlab.report.page.opening import VerdictText
from jamlab.terminal import literal, visible

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "bold yellow",
    Outcome.NOT_RUN: "bold cyan",
}
_PATHS_SHOWN = 6
PROGRESS_EVERY_S = 1.5
"""Time between two lines of progress without a terminal, if there is a call then."""
_STAGE_COLUMNS = ("median_ms", "p95_ms")
_PASSED = {
    True: Text("yes", style="green"),
    False: Text("no", style="bold red"),
    None: Text("–"),
}


def verdict_table(judged: Sequence[Verdict]) -> Group:
    """Return a line per verdict, and below the reasons of those that are not PASS, FAIL first."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("", "what", "measured", "target"):
        table.add_column(heading)
    for verdict in judged:
        name = literal(_short(verdict.name))
        table.add_row(_outcome(verdict.verdict), name, verdict.measured, _target(verdict))
    open_ = sorted((v for v in judged if v.verdict is not Outcome.PASS), key=_gravest_first)
    reasons: dict[str, list[str]] = {}  # several verdicts may have the same reason
    for verdict in open_:
        words = f"{verdict.verdict}: {verdict.reason}"
        reasons.setdefault(words, []).append(_short(verdict.name))
    lines = (f"{words} ({'; '.join(names)})" for words, names in reasons.items())
    return Group(table, *map(literal, lines))


def _outcome(outcome: Outcome) -> Text:
    return Text(str(outcome), style=_STYLES[outcome])


def _target(verdict: Verdict) -> str:
    """Return the target without its unit, which the figure has; less than one error is none."""
    return verdict.wanted if verdict.wanted == "none" else verdict.target


def _gravest_first(verdict: Verdict) -> int:
    return -GRAVITY[verdict.verdict]


def sentence(parts: Mapping[str, Sequence[Verdict]]) -> Text:
    """Return the overall verdict in a sentence; a part without verdicts was not run."""
    lacking = VerdictText(Outcome.NOT_RUN, "", "", "", "")
    verdicts = {name: [*map(VerdictText.of, judged)] or [lacking] for name, judged in parts.items()}
    outcome, words = opening.sentence(verdicts)
    return Text.assemble(_outcome(outcome), ": ", literal(words))


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
        table.add_row(literal(name), literal(meaning))
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
        table.add_row(literal(name), *times, *shares)
    if len(paths) > _PATHS_SHOWN:
        table.caption = f"{len(paths) - _PATHS_SHOWN} more paths are in the report"
    return table


def browser_table(record: BrowserRecord) -> Table:
    """Return the paths between browsers, the slowest first, in milliseconds."""
    paths = browser_paths(record).sort_values("p95_ms", ascending=False)
    error_ms = record.provenance["error_ms"]
    inside = record.provenance["parameters"]["audio"] == INJECTED
    error = f"; error of the clocks up to {error_ms:.1f} ms" if inside else ""
    table = Table(
        title=f"Between browsers, ms{error}",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("path", no_wrap=True)
    for heading in ("median", "p95", "heard", "concealed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path in paths.head(_PATHS_SHOWN).to_dict("records"):
        times = (f"{path[column]:.1f}" for column in ("median_ms", "p95_ms"))
        shares = (f"{path[f'{what}_share']:.1%}" for what in ("heard", "concealed"))
        name = literal(f"{path['sender']} → {path['receiver']}")
        table.add_row(name, *times, *shares)
    remarks = record.provenance["remarks"]
    table.caption = literal("; ".join(remarks)) if remarks else None
    return table


def sweep_table(records: Mapping[str, BrowserRecord]) -> Group:
    """Return the worst path of every variant of a sweep, what it gains, and below the advice."""
    table = Table(title="What buys what, worst path", box=None, padding=(0, 1, 0, 0))
    table.add_column("variant")
    for heading in ("median", "p95", "heard"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("gain of the median")
    rows = browser_sweep(records).to_dict("records")
    for row in rows:
        known = not math.isnan(row["heard_share"])
        times = (f"{row[name]:.0f}" if known else "–" for name in ("median_ms", "p95_ms"))
        heard = f"{row['heard_share']:.0%}" if known else "–"
        gain = row["fault"] or gain_words(*(row[f"gain_ms{end}"] for end in ("", "_low", "_high")))
        table.add_row(literal(row["variant"]), *times, heard, literal(gain))
    changes = (f"{row['variant']}: {row['change']}" for row in rows if row["change"])
    return Group(table, *map(literal, changes), literal(advice(records)))


def rig_table(record: RigRecord) -> Table:
    """Return the paths between a rig's players, the slowest first, in milliseconds."""
    paths = rig_paths(record).sort_values("p95_ms", ascending=False)
    table = Table(title=literal(f"{record.system}, mouth to ear, ms"), box=None)
    table.add_column("path", no_wrap=True)
    for heading in ("median", "p95", "heard", "damaged or missing", "confidence"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path in paths.to_dict("records"):
        times = (f"{path[column]:.1f}" for column in ("median_ms", "p95_ms"))
        shares = (f"{path[f'{what}_share']:.1%}" for what in ("heard", "damaged"))
        name = literal(f"{path['sender']} → {path['receiver']}")
        table.add_row(name, *times, *shares, f"{path['confidence']:.2f}")
    remarks = record.provenance["remarks"]
    table.caption = literal("; ".join(map(str, remarks))) if remarks else None
    return table


def systems_table(systems: Sequence[RigRecord]) -> Table:
    """Return the worst path of every system, the quickest system first."""
    table = Table(title="Side by side, worst path from mouth to ear", box=None)
    table.add_column("system", no_wrap=True)
    for heading in ("median", "p95", "damaged or missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in side_by_side(systems).to_dict("records"):
        times = (plain(row[name], "ms") for name in ("median_ms", "p95_ms"))
        outcome = _outcome(Outcome(row["outcome"]))
        table.add_row(literal(row["system"]), *times, f"{row['damaged_share']:.1%}", outcome)
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
        table.add_row(literal(row["stream"]), literal(row["stage"]), *cells)
    return table


def success_table(record: ConnectivityRecord) -> Table:
    """Return the results of the calls under each configuration, in percent.

    The caption has the simulation error; the population's uncertainty is in the verdicts.
    """
    calls = record.provenance["calls"]
    network = "this machine's kernel" if record.network == KERNEL else "simulated internet"
    within = record.provenance["population"]
    title = f"{calls} calls of {record.ends} within {within}, {network}"
    if record.network == THIS_MACHINE:
        title = f"{calls} attempts under each configuration, two ends on this machine"
    table = Table(title=literal(title), box=None, padding=(0, 1, 0, 0))
    table.add_column("configuration", no_wrap=True)
    for heading in ("direct", "relayed", "failed"):
        table.add_column(heading, justify="right")
    for name in record.configurations:
        shares = record.of(name)["result"].value_counts(normalize=True)
        cells = (f"{shares.get(result, 0.0):.1%}" for result in RESULTS)
        table.add_row(literal(name), *cells)
    if record.network != THIS_MACHINE:
        error = max(_simulation_error(record.of(name)["result"]) for name in record.configurations)
        table.caption = f"simulation error of a share (95%): at most ±{100 * error:.1f} points"
    return table


def sessions_table(record: SessionRecord) -> Table:
    """Return the paths of the sessions under each configuration, and times to the first sound."""
    asked = record.provenance
    table = Table(
        title=literal(
            f"{asked['calls']} meetings of two sessions within {asked['population']}, "
            f"{asked['profile']}"
        ),
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("configuration", no_wrap=True)
    for heading in (*RESULTS, "sound, median", "p95", "worst"):
        table.add_column(heading, justify="right")
    for name in record.configurations:
        shares = record.of(name)["result"].value_counts(normalize=True)
        cells = (f"{shares.get(result, 0.0):.1%}" for result in RESULTS)
        sound_s = record.of(name)["first_sound_s"].fillna(math.inf)
        times_s = (sound_s.quantile(q, interpolation="higher") for q in (0.5, 0.95, 1.0))
        times = ("never" if math.isinf(time_s) else f"{time_s:.2f} s" for time_s in times_s)
        table.add_row(literal(name), *cells, *times)
    table.caption = (
        "calls as drawn; the verdicts weigh each pair of places by its share of the population"
    )
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
        table.add_row(literal(each.url), each.transport.upper(), *steps, time)
    reasons = [
        f"{each.url} ({names}): {server_words.sentence(each)}"
        for each, names in found
        if not each.works
    ]
    return Group(table, *(literal(reason) for reason in reasons))


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[float, str], None]]:
    """Show a progress bar while the context lasts; yield a callback for share done and activity.

    Without a terminal, e.g. in CI, each new activity is a line, and there is one every
    `PROGRESS_EVERY_S` if the callback is called that often.
    """
    if not console.is_terminal:
        yield _progress_lines(console, time.monotonic)
        return
    columns = TextColumn("{task.description:>20}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def tell(done: float, doing: str) -> None:
            bar.update(task, completed=done, description=visible(doing))

        yield tell


def _progress_lines(console: Console, clock: Callable[[], float]) -> Callable[[float, str], None]:
    last, told_s = "", -math.inf

    def tell(done: float, doing: str) -> None:
        nonlocal last, told_s
        if doing != last or clock() >= told_s + PROGRESS_EVERY_S:
            told_s = clock()
            console.print(literal(f"{done:4.0%} {doing}"), soft_wrap=True)
        last = doing

    return tell
