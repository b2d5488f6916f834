"""A connectivity campaign on this machine's kernel, and its agreement with the simulated internet.

The calls are those of a simulated campaign of the same plan, as far as the kernel can build both
places; the others are left out, and the record states how many and why. In addition, every two of
the places that the kernel can build call each other, on the kernel and on the simulated internet
(`jamlab.measure.connectivity_on_kernel.agreement`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.call import Call, simulate
from jamlab.measure.connectivity.campaign import CampaignError, attempt_row
from jamlab.measure.connectivity.plan import ConnectivityPlan, campaign_provenance
from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS, KERNEL, ConnectivityRecord
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    GROUPS,
    agreement_calls,
    agreement_configurations,
)
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_provenance,
)
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BROWSERS_FOLDER,
    BrowserAgreementRecord,
)
from jamlab.measure.connectivity_on_kernel.campaign import (
    SERVER_LOG_COLUMNS,
    Task,
    Tried,
    attempts_of,
    server_logs_of,
    try_on_kernel,
)
from jamlab.measure.connectivity_on_kernel.network import refusal
from jamlab.measure.processes import Progress
from jamlab.measure.record import Contents, read_table
from jamlab.measure.table import Table
from jamlab.networks.model.place import Place

AGREEMENT_FOLDER = "agreement"
"""Name of the agreement record's folder, inside the record's folder."""

SERVER_LOGS = "server_logs.parquet"
"""Name of the file with coturn's log of failed attempts, next to the record."""

DEFAULT_CALLS = 20


def measure_on_kernel(
    plan: ConnectivityPlan,
    folder: Path,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    browsers: BrowserAgreementRecord | None = None,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Run a campaign on namespaces, with the agreement, and write both records to a folder.

    The calls of `browsers`, if there are any, are written beside them. The deadline is in real
    seconds. Coturn takes the place of the configurations' servers; by default these are the
    embedded ones. Raises `CampaignError` when the kernel can build none of the calls' places, this
    machine cannot have such a network, or the process of an end ended too early.
    """
    tried = list(embedded_configurations().values()) if configurations is None else configurations
    population = load_population(plan.population)
    calls, left_out = buildable(
        Call.drawn(population, plan.seed, number) for number in range(plan.calls)
    )
    if not calls:
        raise CampaignError(f"no call can be tried on the kernel: {left_out}")
    tasks = [Task(c, each, plan.level, plan.deadline_s) for c in calls for each in tried]
    agreement = _agreement_tasks(GROUPS)
    done = try_on_kernel([*agreement, *tasks], progress)
    agreed, campaign = _agreement(done[: len(agreement)]), done[len(agreement) :]
    provenance = campaign_provenance(plan, population, tried, network=KERNEL, left_out=left_out)
    record = ConnectivityRecord(attempts_of(campaign), provenance)
    beside: Contents = {
        Path(SERVER_LOGS).stem: server_logs_of(campaign),
        AGREEMENT_FOLDER: agreed,
    }
    if browsers is not None:
        beside = {**beside, BROWSERS_FOLDER: browsers}
    record.save(folder, beside)
    return record


def measure_agreement(
    groups: Sequence[Sequence[Place]] = GROUPS, progress: Progress = lambda *_: None
) -> AgreementRecord:
    """Try a call between every two places of a group, on the kernel and simulated.

    The kernel has to be able to build the places. Raises `CampaignError` as `measure_on_kernel`
    does.
    """
    return _agreement(try_on_kernel(_agreement_tasks(groups), progress))


def agreement_of(record: ConnectivityRecord, folder: Path) -> AgreementRecord | None:
    """Return the agreement in a record's folder; None unless the record is of the kernel.

    Raises `RecordError` when it cannot be read.
    """
    return AgreementRecord.load(folder / AGREEMENT_FOLDER) if record.network == KERNEL else None


def browser_agreement_of(folder: Path) -> BrowserAgreementRecord | None:
    """Return the calls of browsers in a record's folder; None where there are none.

    Raises `RecordError` when they cannot be read.
    """
    inside = folder / BROWSERS_FOLDER
    return BrowserAgreementRecord.load(inside) if inside.is_dir() else None


def server_logs(folder: Path) -> pd.DataFrame:
    """Return coturn's log of failed attempts from a record's folder; columns `SERVER_LOG_COLUMNS`.

    Raises `RecordError` when it cannot be read.
    """
    return read_table(folder / SERVER_LOGS, Table(SERVER_LOG_COLUMNS), AgreementRecord.WRITTEN_BY)


def buildable(calls: Iterable[Call]) -> tuple[list[Call], str]:
    """Return the calls whose places the kernel can build, and a sentence on any others."""
    found, refused, count = [], dict[str, str](), 0
    for call in calls:
        reasons = {place.name: refusal(place) for place in (call.caller, call.callee)}
        reasons = {name: reason for name, reason in reasons.items() if reason}
        refused |= reasons
        count += bool(reasons)
        if not reasons:
            found.append(call)
    if not refused:
        return found, ""
    return found, (
        f"{count} of {count + len(found)} calls are left out, from or to {', '.join(refused)}, "
        f"which the kernel cannot build (for example, {next(iter(refused.values()))})"
    )


def _agreement_tasks(groups: Sequence[Sequence[Place]]) -> list[Task]:
    return [
        Task(call, configuration, "ice", DEADLINE_S)
        for call in agreement_calls(*groups)
        for configuration in agreement_configurations()
    ]


def _agreement(tried: Sequence[Tried]) -> AgreementRecord:
    """Try the kernel's attempts again on the simulated internet; return the record of both."""
    return AgreementRecord(
        attempts_of(tried),
        pd.DataFrame(map(_simulated, tried), columns=[*ATTEMPT_COLUMNS]),
        server_logs_of(tried),
        agreement_provenance(),
    )


def _simulated(tried: Tried) -> dict[str, object]:
    task = tried.task
    attempt = simulate(task.call, task.configuration, task.level, task.deadline_s)
    return attempt_row(task.call, task.configuration, task.level, attempt)
