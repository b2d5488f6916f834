"""``jamlab browser``: latency between browsers that run a web application."""

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from jamlab.browsers.installed import NAMES
from jamlab.browsers.launch import picture_of
from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.results import Further, add_output, browser_page, err, tell
from jamlab.measure.browser.plan import WAYS, BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.browser.sweep import SWEEP_FOLDER, UNCHANGED, measure_sweep
from jamlab.measure.latency.plan import MAX_PEERS, PlanError
from jamlab.measure.processes import Progress
from jamlab.process.signals import run_until_sigterm
from jamlab.report.page.html import BROWSER_FOLDER

_OPTIONS = {
    "peers": "peers",
    "audio": "audio",
    "steps": "steps",
    "browser": "browser",
    "visible": "visible",
    "duration": "duration_s",
    "settle": "settle_s",
    "sessions": "sessions",
    "period": "period_frames",
    "join_timeout": "join_timeout_s",
    "target": "target_ms",
    "max_concealed": "max_concealed_percent",
}
"""Names of options, and of their parameters in the plan."""
_HELP = {
    "peers": "number of players, 2 to 6, each with a browser",
    "duration": "seconds of clicks, in all sessions together",
    "settle": "seconds for the browsers' buffers to adapt, in each session",
    "sessions": "number of sessions; in each, all players join anew",
    "period": "frames of a period of the audio system, for --audio system",
    "join_timeout": "seconds until all players have to be connected",
    "target": "target of the one-way latency, in milliseconds",
    "max_concealed": "limit of a path's concealed sound, in percent",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab browser``, with the plan's defaults."""
    default = {field.name: field.default for field in fields(BrowserPlan)}
    parser.add_argument(
        "url",
        nargs="?",
        default="",
        help="the application; {player} in it becomes a player's name, {session} a number "
        "(default: jamlab's reference client, served here)",
    )
    parser.add_argument(
        "--steps",
        default="",
        metavar="FILE",
        help="Python file with `async def join(page, player)`: the way into a room, by Playwright",
    )
    parser.add_argument("--browser", default="", help=f"{', '.join(NAMES)} (default: the first)")
    parser.add_argument(
        "--audio",
        choices=WAYS,
        default=default["audio"],
        help="inside the page, or through the audio system (default: %(default)s)",
    )
    parser.add_argument(
        "--visible", action="store_true", help="open windows, to join by hand or to watch"
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="try changes of the application, one by one and together, each for a whole run",
    )
    _add_parameters(parser, default)
    add_output(parser)
    parser.set_defaults(run=run_browser, kept=None)


def _add_parameters(parser: argparse.ArgumentParser, default: Mapping[str, Any]) -> None:
    for option, words in _HELP.items():
        value = default[_OPTIONS[option]]
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            type=int if isinstance(value, int) else float,
            default=value,
            help=f"{words} (default: %(default)s)",
        )


def run_browser(options: argparse.Namespace) -> int:
    """Run ``jamlab browser``: measure, write the report, and return the exit status."""
    chosen = {name: getattr(options, option) for option, name in _OPTIONS.items()}
    with arguments.named_by_option(_OPTIONS, PlanError):
        plan = BrowserPlan(options.url, **chosen)
    folder, page = options.out / BROWSER_FOLDER, options.out / f"{BROWSER_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        variants = _measured(plan, options, folder, progress)
        progress(1.0, "writing the report")
        browser_page(folder, page)
    further = Further(browsers=variants[UNCHANGED], sweep=variants)
    return tell(None, further, page, as_json=options.json, record=folder)


def _measured(
    plan: BrowserPlan, options: argparse.Namespace, folder: Path, progress: Progress
) -> dict[str, BrowserRecord]:
    """Measure and write the records; return them by variant.

    `options.kept` becomes their folder as soon as one is there.
    """

    def keep(record: BrowserRecord) -> None:
        shutil.rmtree(folder / SWEEP_FOLDER, ignore_errors=True)
        options.kept = record.save(folder)

    def sweep_progress(share: float, variant: str) -> None:
        if share > 0:  # the first variant is written
            options.kept = folder
        progress(share, variant)

    options.out.mkdir(parents=True, exist_ok=True)
    for player in BrowserPlan(peers=MAX_PEERS).players:  # of an earlier run that failed
        picture_of(player, options.out).unlink(missing_ok=True)
    if options.sweep:
        return run_until_sigterm(measure_sweep(plan, folder, sweep_progress))
    record = run_until_sigterm(measure_browsers(plan, progress, options.out, keep=keep))
    keep(record)
    return {UNCHANGED: record}
