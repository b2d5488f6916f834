"""``jamlab rig``: latency from mouth to ear between players of any programs."""

import argparse
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.report import found_record
from jamlab.cli.results import add_output, err, rig_page, tell_systems
from jamlab.measure.latency.plan import MIN_PEERS, PlanError
from jamlab.measure.rig.commands import PLACES
from jamlab.measure.rig.plan import RigPlan
from jamlab.measure.rig.presets import PRESETS, rig_plan
from jamlab.measure.rig.record import folder_name, load_systems
from jamlab.measure.rig.run import measure_rig
from jamlab.process.signals import run_until_sigterm
from jamlab.report.page.html import RIG_FOLDER

_OPTIONS = {
    "duration": "duration_s",
    "settle": "settle_s",
    "sessions": "sessions",
    "period": "period_frames",
    "join_timeout": "join_timeout_s",
    "target_ms": "target_ms",
    "max_damaged": "max_damaged_percent",
}
"""Names of options, and of their parameters in the plan."""
_HELP = {
    "duration": "seconds of clicks, in all sessions together",
    "settle": "seconds for the programs' buffers to adapt, in each session",
    "sessions": "number of sessions; in each, all programs start anew",
    "period": "frames of a period of the audio graph",
    "join_timeout": "seconds until every player has to be heard by every other",
    "target_ms": "target of the one-way latency, in milliseconds",
    "max_damaged": "limit of a path's clicks that are missing or damaged, in percent",
}
_WAYS = "--preset NAME, --player 'COMMAND' for each player, -- COMMAND, or --compare FOLDER…"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab rig``, with the plan's defaults."""
    places = ", ".join(f"{{{name}}} {words}" for name, words in PLACES.items())
    parser.epilog = f"In a command, what stands in braces is filled in: {places}."
    parser.add_argument(
        "command",
        nargs="*",
        metavar="-- COMMAND",
        help="the program of all players, run once for each",
    )
    parser.add_argument(
        "--player",
        action="append",
        default=[],
        metavar="COMMAND",
        help="the program of a player; once for each of 2 to 6 players",
    )
    parser.add_argument(
        "--preset", choices=PRESETS, help="programs whose commands are known, with their server"
    )
    parser.add_argument(
        "--peers",
        type=int,
        help=f"number of players, for --preset and -- COMMAND (default: {MIN_PEERS})",
    )
    parser.add_argument(
        "--before",
        action="append",
        default=[],
        metavar="COMMAND",
        help="a program that runs meanwhile and is no player's, such as a server; repeatable",
    )
    parser.add_argument(
        "--name", default="", help="name of what is measured (default: that of the program)"
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="show earlier runs side by side, instead of measuring",
    )
    _add_parameters(parser)
    add_output(parser)
    parser.set_defaults(run=run_rig, kept=None)


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    default = {field.name: field.default for field in fields(RigPlan)}
    for option, words in _HELP.items():
        value: Any = default[_OPTIONS[option]]
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            type=int if isinstance(value, int) else float,
            default=value,
            help=f"{words} (default: %(default)s)",
        )


def run_rig(options: argparse.Namespace) -> int:
    """Run ``jamlab rig``: measure, write the report, and return the exit status."""
    if options.compare:
        return _compare(options)
    plan = _plan(options)
    place = options.out / RIG_FOLDER
    place.mkdir(parents=True, exist_ok=True)
    folder = place / folder_name(plan.name)
    page = place / f"{folder.name}.html"

    def keep(record: Any) -> None:
        options.kept = record.save(folder)

    with screen.progress_bar(err) as progress:
        record = run_until_sigterm(measure_rig(plan, progress, keep=keep))
        keep(record)
        progress(1.0, "writing the report")
        rig_page([folder], page)
    return tell_systems([record], page, as_json=options.json, record=folder)


def _compare(options: argparse.Namespace) -> int:
    """Write the page of several runs side by side, and return the exit status."""
    if options.command or options.player or options.preset or options.before:
        raise PlanError("--compare shows earlier runs: leave out the programs to measure")
    folders = [found_record(each) for each in options.compare]
    systems = load_systems(folders)
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / f"{RIG_FOLDER}.html"
    rig_page(folders, page)
    return tell_systems(systems, page, as_json=options.json)


def _plan(options: argparse.Namespace) -> RigPlan:
    """Return the plan that the options ask for; raises `PlanError`."""
    if sum(map(bool, (options.command, options.player, options.preset))) != 1:
        raise PlanError(f"say what to measure, in one of these ways: {_WAYS}")
    if options.player and options.peers is not None:
        raise PlanError("--peers is for --preset and -- COMMAND: give a --player for each")
    peers = MIN_PEERS if options.peers is None else options.peers
    chosen = {name: getattr(options, option) for option, name in _OPTIONS.items()}
    chosen |= {"before": tuple(options.before), "system": options.name}
    with arguments.named_by_option(_OPTIONS, PlanError):
        if options.preset:
            return rig_plan(options.preset, peers, **chosen)
        return RigPlan(tuple(options.player) or (shlex.join(options.command),) * peers, **chosen)
