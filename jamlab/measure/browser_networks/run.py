"""Latency between browsers in network namespaces, behind the kernel's NATs and links.

The networks are those of `jamlab.measure.across_networks.kernel`; where that has a process of
jamlab, each home has a browser here. The application is the reference client, served by the hub on
the public host. The browsers are driven from outside: Playwright talks to them over pipes. All of
them are on one machine, so their clocks are tied as without namespaces.
"""

import asyncio
import shutil
from dataclasses import fields, replace
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from jamlab.measure.across_networks.kernel import (
    PUBLIC,
    Case,
    case_provenance,
    links_before,
    prove_homes,
)
from jamlab.measure.across_networks.kernel_servers import Servers, serving
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.record import (
    RECORDS,
    BrowserNetworkRecord,
    load_browser_networks,
)
from jamlab.measure.processes import Progress
from jamlab.networks.kernel.lab import KernelHost, KernelLab
from jamlab.networks.model.topology import host_name


async def measure_browser_networks(
    plan: BrowserNetworksPlan, folder: Path, progress: Progress = lambda *_: None
) -> dict[str, BrowserNetworkRecord]:
    """Measure case by case, and write a record of each to a folder inside `folder`.

    Returns the records by case, in the plan's order. When a case fails, the records of those before
    it are kept, and pictures of its pages. Raises `KernelLabError` when this machine cannot have a
    network lab, `CoturnError` or `ChildError` when a server does not start, `ProofError` when a NAT
    does not behave as it should, and one of `jamlab.measure.browser.run.FAULTS`.
    """
    progress(0.0, "measuring what links add")
    before = links_before()
    for number, case in enumerate(plan.cases):
        progress(number / len(plan.cases), case.name)
        record = await measure_browser_case(case, plan, folder)
        record.provenance.update(number=number, **before)
        if number == 0:
            _forget(folder)
        record.save(folder / f"{number:02d}")
    return load_browser_networks(folder)


def _forget(folder: Path) -> None:
    """Remove the records of an earlier run, and nothing else."""
    for table in folder.glob(RECORDS):
        shutil.rmtree(table.parent)


async def measure_browser_case(
    case: Case, plan: BrowserNetworksPlan, folder: Path | None = None
) -> BrowserNetworkRecord:
    """Measure one case; errors as in `measure_browser_networks`.

    Pictures of pages that failed are kept in a given folder.
    """
    with KernelLab(case.topology(plan.players), name="browsers") as lab:
        if case.profile is None:
            await asyncio.to_thread(prove_homes, lab)
        async with serving(lab.host(PUBLIC)) as servers:
            homes = {player: lab.host(host_name(player)) for player in plan.players}
            measured = await _measure(plan, servers, homes, folder)
    measured.provenance.update(case_provenance(case, lab))
    return BrowserNetworkRecord(
        **{field.name: getattr(measured, field.name) for field in fields(measured)}
    )


async def _measure(
    plan: BrowserNetworksPlan,
    servers: Servers,
    homes: dict[str, KernelHost],
    folder: Path | None,
) -> BrowserRecord:
    browser_plan = plan.on(servers.page, servers.key)
    record = await measure_browsers(
        browser_plan,
        folder=folder,
        arguments=[trusting(servers.page)],
        within={player: home.command for player, home in homes.items()},
    )
    shown = replace(browser_plan, url=urldefrag(browser_plan.url).url)  # without the key
    record.provenance["parameters"] = shown.to_dict() | {"quality": plan.quality}
    return record


def trusting(page: str) -> str:
    """Return the argument for a browser to give a page its microphone although it has no TLS."""
    split = urlsplit(page)
    return f"--unsafely-treat-insecure-origin-as-secure={split.scheme}://{split.netloc}"
