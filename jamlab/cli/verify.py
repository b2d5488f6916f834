"""``jamlab verify``: measure a mesh, judge it, and write the report."""

import argparse
import asyncio
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from jamlab.browsers.launch import lacking
from jamlab.cli import arguments, kernel_latency
from jamlab.cli import tables as screen
from jamlab.cli.results import (
    PART_FOLDERS,
    Further,
    acceptance_page,
    add_card,
    add_output,
    card_for,
    err,
    tell,
)
from jamlab.measure.acceptance.browser_tests import BROWSER_TESTS
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import (
    TESTS,
    AcceptanceError,
    acceptance_tests,
    begin_simulated,
    finished,
    measure_acceptance,
    measure_here,
)
from jamlab.measure.across_networks.simulated import AcrossPlan, across_plan, measure_across
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.run import FAULTS, measure_browsers
from jamlab.measure.browser_acceptance.run import (
    browser_acceptance_tests,
    measure_browser_acceptance,
)
from jamlab.measure.connectivity.plan import ConnectivityPlan
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.worker import measure_in_worker
from jamlab.measure.processes import Progress, check_reachable, process_pool
from jamlab.measure.session_connectivity.plan import SessionPlan, measure_sessions
from jamlab.media.quality import QUALITIES
from jamlab.process.signals import run_until_sigterm
from jamlab.report.page.html import (
    ACCEPTANCE_FOLDER,
    BROWSER_ACCEPTANCE_FOLDER,
    BROWSER_FOLDER,
    CARD_FOLDER,
    CONNECTIVITY_FOLDER,
    NETWORKS_FOLDER,
    verification_report,
)

_OWN_PARAMETERS = (
    "acceptance tests have parameters of their own: leave out --peers, --quality, "
    "--duration, --sessions, --max-concealed, --block-frames, --calls and --card"
)
_BROWSERS: dict[str, Any] = {
    "sessions": 2,
    "duration_s": 8.0,
    "settle_s": 3.0,
    "join_timeout_s": 30.0,
}
"""Parameters of the measurement of browsers in a verification: half a minute."""
_MEETINGS = 300
"""Meetings of sessions in a verification: half a minute of processor time, and of a share of 78 %
an interval of ten points, which is less than the population's own."""
_OPTIONS = {
    "peers": "peers",
    "quality": "quality",
    "duration": "duration_s",
    "sessions": "sessions",
    "block_frames": "block_frames",
    "max_concealed": "max_concealed_percent",
    "accepted": "accepted_percent",
    "most_delay": "most_delay_ms",
    "equal_latency": "equal_latency",
}
"""Names of options, and of their parameters in the plan."""


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab verify``."""
    _add_mesh_options(parser)
    parser.add_argument(
        "--calls",
        type=int,
        default=2000,
        help="number of calls of bare ICE agents on the simulated internet (default: %(default)s); "
        f"sessions make up to {_MEETINGS} of them",
    )
    parser.add_argument("--here-only", action="store_true", help="leave out the simulated internet")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"run only this acceptance test; repeatable: {', '.join(TESTS)}; with --player "
        f"browser: {', '.join(BROWSER_TESTS)}",
    )
    kernel_latency.add_arguments(parser)
    add_card(parser)
    add_output(parser)
    parser.set_defaults(run=verify)


def _add_mesh_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the latency of a mesh, with the plan's defaults."""
    default = {field.name: field.default for field in fields(LatencyPlan)}
    qualities = ", ".join(name.replace(" ", "-") for name in QUALITIES)
    parser.add_argument(
        "--peers",
        type=int,
        default=default["peers"],
        help="number of participants, 2 to 6 (default: %(default)s)",
    )
    parser.add_argument(
        "--quality", default=default["quality"], help=f"{qualities} (default: %(default)s)"
    )
    parser.add_argument(
        "--duration",
        type=float,
        default=default["duration_s"],
        help="seconds of one-way clicks, in all sessions together (default: %(default)s)",
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=default["sessions"],
        help="number of sessions, each with new connections (default: %(default)s)",
    )
    parser.add_argument(
        "--max-concealed",
        type=float,
        default=default["max_concealed_percent"],
        metavar="PERCENT",
        help="limit of a path's concealed sound, in percent (default: %(default)s)",
    )
    arguments.add_delay_bounds(parser)
    parser.add_argument(
        "--block-frames",
        type=int,
        default=default["block_frames"],
        help="block size of the cards (default: %(default)s)",
    )


def _plan(options: argparse.Namespace) -> LatencyPlan:
    """Return the plan of the options.

    Raises `PlanError` when an option is out of range, and `UnsupportedQualityError` when there is
    no quality of that name.
    """
    with arguments.named_by_option(_OPTIONS, PlanError):
        return LatencyPlan(**{name: getattr(options, option) for option, name in _OPTIONS.items()})


def verify(options: argparse.Namespace) -> int:
    """Run ``jamlab verify``: measure, write the report, and return the exit status."""
    check_reachable()  # participants and the notebook's kernel need it
    plan = _plan(options)
    if kernel_latency.wanted(options):
        if options.player == kernel_latency.BROWSER:
            bar = partial(screen.progress_bar, err)
            cases, page = kernel_latency.verify_browsers(options, plan, bar)
            return tell(None, Further(browser_networks=cases), page, as_json=options.json)
        networks, page = kernel_latency.verify(options, plan, partial(screen.progress_bar, err))
        return tell(None, Further(networks=networks), page, as_json=options.json)
    campaign = ConnectivityPlan(calls=options.calls)
    if options.player == kernel_latency.BROWSER:
        as_default = (plan, campaign) == (LatencyPlan(), ConnectivityPlan())
        return _accept_browsers(options, as_default=as_default and options.card is None)
    if options.only:
        as_default = (plan, campaign) == (LatencyPlan(), ConnectivityPlan())
        return _accept(options, as_default=as_default and options.card is None)
    folder, page = options.out / "verification", options.out / "verification.html"
    across = across_plan(
        options.profile or (),
        traces=kernel_latency.traces(options),
        max_concealed_percent=plan.max_concealed_percent,
    )
    card = card_for(options.card, plan.block_frames)
    with screen.progress_bar(err) as progress:
        parts = [folder / name for name in (*PART_FOLDERS, BROWSER_FOLDER, CARD_FOLDER)]
        record = asyncio.run(measure_in_worker(plan, folder, progress, parts))
        if card is not None:
            card.save(folder / CARD_FOLDER)
        here = asyncio.run(measure_here(TESTS, record, progress))
        if options.here_only:
            finished(here, None, folder / ACCEPTANCE_FOLDER)
        else:
            _verify_browsers(folder / BROWSER_FOLDER, plan.max_concealed_percent, progress)
            _verify_networks(here, folder, across, campaign, progress)
        progress(1.0, "writing the report")
        verification_report(folder, page)
    return tell(record, Further.beside(folder), page, as_json=options.json)


def _verify_browsers(folder: Path, max_concealed_percent: float, progress: Progress) -> None:
    """Measure the reference client in browsers, if there are any; a failure is told and no more."""
    if lacking() is not None:
        return
    plan = BrowserPlan(**_BROWSERS, max_concealed_percent=max_concealed_percent)
    try:
        run_until_sigterm(measure_browsers(plan, progress)).save(folder)
    except FAULTS as error:
        err.print(f"jamlab: browsers are not measured: {error}", soft_wrap=True)


def _verify_networks(
    here: AcceptanceRecord,
    folder: Path,
    across: AcrossPlan,
    campaign: ConnectivityPlan,
    progress: Progress,
) -> None:
    """Run all measurements on the simulated internet, on all cores."""
    with process_pool() as pool:
        runs = begin_simulated(TESTS, pool)
        measure_across(across, folder / NETWORKS_FOLDER, pool, progress)
        sessions = SessionPlan(calls=min(campaign.calls, _MEETINGS))
        measure_sessions(
            sessions,
            folder / CONNECTIVITY_FOLDER,
            agents=campaign,
            executor=pool,
            progress=progress,
        )
        finished(here, runs, folder / ACCEPTANCE_FOLDER)


def _accept(options: argparse.Namespace, *, as_default: bool) -> int:
    """Run only some acceptance tests, and return the exit status."""
    tests = acceptance_tests(options.only)
    if not as_default:
        raise AcceptanceError(f"{_OWN_PARAMETERS}, or --only")
    folder, page = options.out / ACCEPTANCE_FOLDER, options.out / f"{ACCEPTANCE_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        simulated = not options.here_only
        running = measure_acceptance(folder, tests, simulated=simulated, progress=progress)
        record = asyncio.run(running)
        progress(1.0, "writing the report")
        acceptance_page(folder, page)
    return tell(None, Further(acceptance=record), page, as_json=options.json)


def _accept_browsers(options: argparse.Namespace, *, as_default: bool) -> int:
    """Run the acceptance tests that browsers play, and return the exit status."""
    tests = browser_acceptance_tests(options.only or ())
    if not as_default or options.here_only:
        raise AcceptanceError(f"{_OWN_PARAMETERS}, and --here-only")
    name = BROWSER_ACCEPTANCE_FOLDER
    folder, page = options.out / name, options.out / f"{name}.html"
    with screen.progress_bar(err) as progress:

        def tell_test(done: float, doing: str) -> None:
            if done > 0:  # the first test is written
                options.kept = folder
            progress(done, doing)

        record = asyncio.run(measure_browser_acceptance(folder, tests, tell_test))
        progress(1.0, "writing the report")
        acceptance_page(folder, page)
    return tell(None, Further(acceptance=record), page, as_json=options.json)
