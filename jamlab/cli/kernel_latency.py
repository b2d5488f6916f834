"""``jamlab verify --network kernel``: latency across networks on namespaces of this machine."""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from jamlab.measure.across_networks.kernel import KernelPlan, kernel_cases, measure_kernel
from jamlab.measure.across_networks.kernel_record import is_kernel_run, load_kernel
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.processes import Progress
from jamlab.networks.kernel.coturn import CoturnError
from jamlab.networks.kernel.lab import KernelLabError
from jamlab.networks.kernel.proof import ProofError
from jamlab.networks.model.profile import UnknownProfileError, profile_names
from jamlab.report.page.html import KERNEL_FOLDER, notebook_path, render

__all__ = ["COMPLAINTS", "add_arguments", "is_kernel_run", "report", "verify", "wanted"]

SIMULATED, KERNEL = "simulated", "kernel"
COMPLAINTS = KernelLabError, CoturnError, ProofError
"""What says in a sentence why there is no such run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which network ``jamlab verify`` measures across."""
    parser.add_argument(
        "--network",
        choices=(SIMULATED, KERNEL),
        default=SIMULATED,
        help="kernel: the latency across networks, between namespaces, and nothing else; as root "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--profile",
        action="append",
        metavar="NAME",
        help=f"with it, a network profile; repeatable (default: all): {', '.join(profile_names())}",
    )


def wanted(options: argparse.Namespace) -> bool:
    """Return whether the kernel's network is; raises PlanError when others do not go with it."""
    on_kernel = bool(options.network == KERNEL)
    if on_kernel and (options.only or options.card or options.here_only):
        raise PlanError(
            "--network kernel measures the latency across networks and nothing else: leave out "
            "--only, --card and --here-only"
        )
    if options.profile and not on_kernel:
        raise PlanError("--profile is for --network kernel: give both")
    return on_kernel


def verify(
    options: argparse.Namespace,
    plan: LatencyPlan,
    progress_bar: Callable[[], AbstractContextManager[Progress]],
) -> tuple[dict[str, LatencyRecord], Path]:
    """Measure as the options say; returns the records by case, and the page that shows them.

    Raises
    ------
    jamlab.measure.latency.plan.PlanError
        When there is no such profile, or a parameter is out of its range.
    KernelLabError, CoturnError, ProofError
        When there can be no network lab here, or no TURN server; says why.
    """
    folder, page = options.out / KERNEL_FOLDER, options.out / f"{KERNEL_FOLDER}.html"
    try:
        kernel = KernelPlan(kernel_cases(options.profile or ()), plan)
    except UnknownProfileError as error:
        raise PlanError(str(error)) from None
    with progress_bar() as progress:
        asyncio.run(measure_kernel(kernel, folder, progress))
        progress(1.0, "writing the report")
        return report(folder, page), page


def report(folder: Path, page: Path) -> dict[str, LatencyRecord]:
    """Write the page of a run's records; returns them by case."""
    records: dict[str, LatencyRecord] = {**load_kernel(folder)}
    render(notebook_path("05_latency_across_networks"), {"record": str(folder.resolve())}, page)
    return records
