"""``jamlab connectivity``: the share of calls that connect under each ICE configuration."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.results import Further, add_output, connectivity_page, err, tell
from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.file import load_configurations
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.plan import ConnectivityPlan, measure_connectivity
from jamlab.measure.connectivity.population import population_names
from jamlab.measure.connectivity.record import KERNEL, SIMULATED, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.connectivity.this_machine import ThisMachinePlan, measure_this_machine
from jamlab.measure.connectivity_on_kernel.browser_agreement import measure_browser_agreement
from jamlab.measure.connectivity_on_kernel.run import DEFAULT_CALLS, measure_on_kernel
from jamlab.measure.processes import Progress
from jamlab.measure.session_connectivity.plan import SessionPlan, measure_sessions
from jamlab.networks.model.profile import profile_names, replaying_names
from jamlab.report.page.html import CONNECTIVITY_FOLDER
from jamlab.terminal import PlainConsole

BROWSER = "browser"
SESSION = "session"
_OPTIONS = {"calls": "calls", "seed": "seed", "level": "level", "deadline": "deadline_s"}
"""Names of options, and of their parameters in the plans."""
_BROWSERS_SHARE = 0.7  # of the time that the calls on the kernel take with browsers
_STDERR = PlainConsole(stderr=True, soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab connectivity``."""
    _add_who_calls(parser)
    _add_how_often(parser)
    _add_network(parser)
    add_output(parser)
    parser.set_defaults(run=run_connectivity, parts=Path(CONNECTIVITY_FOLDER) / "parts")


def _add_who_calls(parser: argparse.ArgumentParser) -> None:
    default, names = ConnectivityPlan(), ", ".join(population_names())
    parser.add_argument(
        "--population",
        help=f"places of callers and callees: {names} (default: {default.population})",
    )
    parser.add_argument(
        "--ipv6",
        type=arguments.percent,
        nargs="?",
        const="",
        metavar="PERCENT",
        help="callers and callees with IPv6 (without PERCENT: as the data of jamlab state it; "
        "without this option: nobody)",
    )
    parser.add_argument(
        "--port-mapping",
        type=arguments.percent,
        nargs="?",
        const="",
        metavar="PERCENT",
        help="callers and callees whose routers map ports on request (without PERCENT: as the data "
        "of jamlab assume it; without this option: nobody's)",
    )


def _add_how_often(parser: argparse.ArgumentParser) -> None:
    default, sessions = ConnectivityPlan(), SessionPlan()
    parser.add_argument(
        "--calls",
        type=int,
        help=f"number of calls (default: {sessions.calls} of sessions, {default.calls} of agents "
        f"alone; {ThisMachinePlan.calls} on this machine, {DEFAULT_CALLS} on its kernel's "
        "namespaces)",
    )
    parser.add_argument(
        "--seed", type=int, help=f"seed of the random draws (default: {default.seed})"
    )
    parser.add_argument(
        "--level",
        help=f"{SESSION}: whole sessions meet, and bare ICE agents make the same calls (default on "
        "the simulated internet); ice: ICE agents alone (default elsewhere), dtls: whole "
        "connections",
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=default.deadline_s,
        help="seconds after which an attempt has failed (default: %(default)s)",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        choices=list(_NETWORKS),
        default=SIMULATED,
        help="the simulated internet (default); this machine's network, with the servers of --ice; "
        "or namespaces of this machine's kernel, compared with the simulation",
    )
    parser.add_argument(
        "--profile",
        help="network between two sessions: "
        f"{'; '.join((*profile_names(), *replaying_names()))} "
        f"(default: {SessionPlan().profile})",
    )
    parser.add_argument("--ice", type=Path, help="ICE configurations, TOML (default: embedded)")
    parser.add_argument(
        "--player",
        choices=("jamlab", BROWSER),
        default="jamlab",
        help="browser, with --network kernel: browsers make the calls of the agreement as well "
        "(default: %(default)s)",
    )
    parser.add_argument("--scheduler", help="a Dask scheduler, e.g. tcp://host:8786")


def measure(options: argparse.Namespace, folder: Path, progress: Progress) -> ConnectivityRecord:
    """Run the measurement of the options, and write the record to a folder.

    Raises `CampaignError`, `PopulationError` or `IceConfigurationError` when an option cannot be
    used, or there is no scheduler.
    """
    if options.player == BROWSER and options.network != KERNEL:
        raise CampaignError(f"--player {BROWSER} is for --network {KERNEL}: give both")
    if options.profile is not None and not _of_sessions(options):
        raise CampaignError(
            f"--profile is for --level {SESSION} on the simulated internet: leave it out"
        )
    return _NETWORKS[options.network](options, folder, progress)


def _of_sessions(options: argparse.Namespace) -> bool:
    return options.network == SIMULATED and options.level in (None, SESSION)


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    given = {name: getattr(options, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _plan(options: argparse.Namespace, **defaults: Any) -> ConnectivityPlan:
    chosen = _given(options, "calls", "seed", "level")
    with arguments.named_by_option(_OPTIONS, CampaignError):
        return ConnectivityPlan(
            _population(options), deadline_s=options.deadline, **defaults | chosen
        )


def _population(options: argparse.Namespace) -> str:
    """Return the population's name with the options' features, for `load_population`."""
    features = {"ipv6": options.ipv6, "mapping": options.port_mapping}
    name = ConnectivityPlan.population if options.population is None else options.population
    for feature, percent in features.items():
        if percent is not None:
            name += f"+{feature}={percent}" if percent else f"+{feature}"
    return str(name)


def _simulated(options: argparse.Namespace, folder: Path, progress: Progress) -> ConnectivityRecord:
    configurations = _configurations(options.ice)
    if _of_sessions(options):
        chosen = _given(options, "calls", "seed", "profile")
        with arguments.named_by_option(_OPTIONS, CampaignError):
            sessions = SessionPlan(_population(options), deadline_s=options.deadline, **chosen)
        with _executor(options.scheduler) as executor:
            return measure_sessions(
                sessions, folder, configurations, executor=executor, progress=progress
            )
    if options.level not in get_args(Level):
        raise CampaignError(f"--level is {options.level!r}: choose {SESSION}, ice or dtls")
    plan = _plan(options)
    with _executor(options.scheduler) as executor:
        return measure_connectivity(
            plan, folder, configurations, executor=executor, progress=progress
        )


def _this_machine(
    options: argparse.Namespace, folder: Path, progress: Progress
) -> ConnectivityRecord:
    for name in ("population", "ipv6", "port_mapping", "seed", "scheduler"):
        if getattr(options, name) is not None:
            raise CampaignError(
                f"--{name.replace('_', '-')} is for the simulated internet, not for "
                f"{THIS_MACHINE}: leave it out"
            )
    configurations = _configurations(options.ice)
    if configurations is None:
        raise CampaignError(
            f"--network {THIS_MACHINE} needs your own servers: give them with --ice FILE "
            "(copy data/ice_servers.example.toml to begin with)"
        )
    calls = ThisMachinePlan.calls if options.calls is None else options.calls
    with arguments.named_by_option(_OPTIONS, CampaignError):
        plan = ThisMachinePlan(calls, options.level or ThisMachinePlan.level, options.deadline)
    return asyncio.run(measure_this_machine(plan, folder, configurations, progress=progress))


def _kernel(options: argparse.Namespace, folder: Path, progress: Progress) -> ConnectivityRecord:
    if options.scheduler is not None:
        raise CampaignError(f"--network {KERNEL} runs on this machine alone: leave out --scheduler")
    plan = _plan(options, calls=DEFAULT_CALLS)
    configurations, browsers, share = _configurations(options.ice), None, 0.0
    if options.player == BROWSER:
        share = _BROWSERS_SHARE
        browsers = measure_browser_agreement(
            progress=lambda done, doing: progress(share * done, doing)
        )
    record = measure_on_kernel(
        plan,
        folder,
        configurations,
        browsers=browsers,
        progress=lambda done, doing: progress(share + (1 - share) * done, doing),
    )
    if left_out := record.provenance["left_out"]:
        _STDERR.print(f"jamlab: {left_out}")
    return record


_NETWORKS: dict[str, Callable[[argparse.Namespace, Path, Progress], ConnectivityRecord]] = {
    SIMULATED: _simulated,
    THIS_MACHINE: _this_machine,
    KERNEL: _kernel,
}


def _configurations(path: Path | None) -> list[IceConfiguration] | None:
    if path is None:
        return None
    configurations = list(load_configurations(path, os.environ).values())
    for configuration in configurations:
        for warning in configuration.warnings:
            _STDERR.print(f"jamlab: {configuration.name}: {warning}")
    return configurations


@contextmanager
def _executor(scheduler: str | None) -> Iterator[Executor | None]:
    """Yield a Dask cluster's executor, or None for this machine's own cores."""
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise CampaignError(
            "--scheduler needs Dask: in jamlab's checkout, "
            ".venv/bin/pip install -e '.[distributed]'"
        ) from None
    try:
        client: Any = Client(scheduler)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CampaignError(f"there is no Dask scheduler at {scheduler}: {error}") from error
    with client:
        yield client.get_executor()


def run_connectivity(options: argparse.Namespace) -> int:
    """Run ``jamlab connectivity``: measure, write the page, and return the exit status."""
    folder, page = options.out / CONNECTIVITY_FOLDER, options.out / f"{CONNECTIVITY_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        record = measure(options, folder, progress)
        progress(1.0, "writing the report")
        connectivity_page(folder, page)
    return tell(None, Further.of(record, folder), page, as_json=options.json)
