"""``jamlab verify --network kernel``: latency across networks between kernel namespaces.

The players are processes of jamlab, or browsers.
"""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from jamlab.measure.across_networks.kernel import (
    Case,
    KernelPlan,
    kernel_cases,
    measure_kernel,
)
from jamlab.measure.across_networks.kernel_record import is_kernel_run, load_kernel
from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.record import BrowserNetworkRecord, load_browser_networks
from jamlab.measure.browser_networks.run import measure_browser_networks
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.processes import Progress
from jamlab.networks.model.packet_trace import PacketTrace
from jamlab.networks.model.profile import UnknownProfileError, profile_names, replaying_names
from jamlab.networks.traces.reading import read_trace
from jamlab.report.page.html import (
    BROWSER_NETWORKS_FOLDER,
    KERNEL_FOLDER,
    notebook_path,
    render,
)

__all__ = [
    "BROWSER",
    "add_arguments",
    "is_kernel_run",
    "report",
    "report_browsers",
    "traces",
    "verify",
    "verify_browsers",
    "wanted",
]

SIMULATED, KERNEL = "simulated", "kernel"
JAMLAB, BROWSER = "jamlab", "browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jamlab verify`` for its network."""
    parser.add_argument(
        "--network",
        choices=(SIMULATED, KERNEL),
        default=SIMULATED,
        help="kernel: measure only the latency across networks, between namespaces; as root "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--player",
        choices=(JAMLAB, BROWSER),
        default=JAMLAB,
        help="browser: browsers with the page of `jamlab serve` play the acceptance tests or, with "
        "--network kernel, are measured there (default: %(default)s)",
    )
    parser.add_argument(
        "--profile",
        action="append",
        metavar="NAME",
        help="a network between participants; repeatable (default: those that replay nothing): "
        f"{'; '.join((*profile_names(), *replaying_names()))}",
    )
    parser.add_argument(
        "--trace",
        action="append",
        type=Path,
        metavar="FILE",
        help="a network that replays the packets of a file, e.g. of `jamlab join --packets`; "
        "repeatable; see `jamlab trace`",
    )


def wanted(options: argparse.Namespace) -> bool:
    """Return whether the kernel's network is requested; raise PlanError for conflicting options."""
    on_kernel = bool(options.network == KERNEL)
    if on_kernel and (options.only or options.card or options.here_only):
        raise PlanError(
            "--network kernel measures only the latency across networks: leave out "
            "--only, --card and --here-only"
        )
    elsewhere = options.only or options.here_only or options.player == BROWSER
    if (options.profile or options.trace) and not on_kernel and elsewhere:
        raise PlanError(
            "--profile and --trace choose the networks between participants: leave out "
            "--only and --here-only, and give --player browser with --network kernel"
        )
    return on_kernel


def verify(
    options: argparse.Namespace,
    plan: LatencyPlan,
    progress_bar: Callable[[], AbstractContextManager[Progress]],
) -> tuple[dict[str, LatencyRecord], Path]:
    """Run the measurement of the options; return the records by case, and the page's path.

    Raises `PlanError` when there is no profile of a name, or a parameter is out of range, and one
    of `jamlab.cli.commands.COMPLAINTS` when the machine cannot have a network lab or TURN server.
    """
    folder, page = options.out / KERNEL_FOLDER, options.out / f"{KERNEL_FOLDER}.html"
    kernel = KernelPlan(_cases(options), plan)
    with progress_bar() as progress:
        asyncio.run(measure_kernel(kernel, folder, progress))
        progress(1.0, "writing the report")
        return report(folder, page), page


def report(folder: Path, page: Path) -> dict[str, LatencyRecord]:
    """Write the page of a run's records, and return them by case."""
    records: dict[str, LatencyRecord] = {**load_kernel(folder)}
    render(notebook_path("05_latency_across_networks"), {"record": str(folder.resolve())}, page)
    return records


def verify_browsers(
    options: argparse.Namespace,
    plan: LatencyPlan,
    progress_bar: Callable[[], AbstractContextManager[Progress]],
) -> tuple[dict[str, BrowserNetworkRecord], Path]:
    """Run the measurement between browsers; return the records by case, and the page's path.

    Raises as `verify`, and one of `jamlab.measure.browser.run.FAULTS`.
    """
    folder = options.out / BROWSER_NETWORKS_FOLDER
    page = options.out / f"{BROWSER_NETWORKS_FOLDER}.html"
    if plan.block_frames != LatencyPlan().block_frames:
        raise PlanError("a browser chooses its own blocks: leave out --block-frames")
    networks = BrowserNetworksPlan(
        _cases(options),
        peers=plan.peers,
        quality=plan.quality,
        duration_s=plan.duration_s,
        max_concealed_percent=plan.max_concealed_percent,
    )
    with progress_bar() as progress:
        asyncio.run(measure_browser_networks(networks, folder, progress))
        progress(1.0, "writing the report")
        return report_browsers(folder, page), page


def report_browsers(folder: Path, page: Path) -> dict[str, BrowserNetworkRecord]:
    """Write the page of a run of browsers, and return its records by case."""
    records = load_browser_networks(folder)
    render(notebook_path("09_browsers_across_networks"), {"record": str(folder.resolve())}, page)
    return records


def traces(options: argparse.Namespace) -> list[PacketTrace]:
    """Return the traces of the options; raises `TraceError`."""
    return [read_trace(path) for path in options.trace or ()]


def _cases(options: argparse.Namespace) -> tuple[Case, ...]:
    try:
        return kernel_cases(options.profile or (), traces(options))
    except UnknownProfileError as error:
        raise PlanError(str(error)) from None
