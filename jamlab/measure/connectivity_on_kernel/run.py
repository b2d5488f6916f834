"""A connectivity campaign on this machine's kernel, and whether the simulated internet agrees.

The calls are those a simulated campaign of the same plan would make, as far as the kernel can build
both places; the others are left out, and the record says how many and why. Beside them every two of
the places that it can build call each other, there and simulated
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
    TYPES,
    agreement_calls,
    agreement_configurations,
)
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_provenance,
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
"""Name of the folder, within the record's, that holds the agreement's."""

SERVER_LOGS = "server_logs.parquet"
"""What coturn said of failed attempts, beside the record."""

DEFAULT_CALLS = 20


def measure_on_kernel(
    plan: ConnectivityPlan,
    folder: Path,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Run a campaign on namespaces, with the agreement, and leave both records in a folder.

    Parameters
    ----------
    plan : ConnectivityPlan
        What to do; the deadline is in real seconds.
    folder : Path
        Where the records go.
    configurations : sequence of IceConfiguration, optional
        What to try each call under, coturn in place of their servers; the embedded by default.
    progress : callable
        Told how far it is.

    Raises
    ------
    CampaignError
        When the kernel can build none of the calls, there can be no such network here, or a process
        of an end ended too early.
    """
    tried = list(embedded_configurations().values()) if configurations is None else configurations
    population = load_population(plan.population)
    calls, left_out = buildable(
        Call.drawn(population, plan.seed, number) for number in range(plan.calls)
    )
    if not calls:
        raise CampaignError(f"there is no call to try on the kernel: {left_out}")
    tasks = [Task(c, each, plan.level, plan.deadline_s) for c in calls for each in tried]
    agreement = _agreement_tasks(TYPES)
    done = try_on_kernel([*agreement, *tasks], progress)
    agreed, campaign = _agreement(done[: len(agreement)]), done[len(agreement) :]
    told = campaign_provenance(plan, population, tried, network=KERNEL, left_out=left_out)
    record = ConnectivityRecord(attempts_of(campaign), told)
    beside: Contents = {
        Path(SERVER_LOGS).stem: server_logs_of(campaign),
        AGREEMENT_FOLDER: agreed,
    }
    record.save(folder, beside)
    return record


def measure_agreement(
    types: Sequence[Place] = TYPES, progress: Progress = lambda *_: None
) -> AgreementRecord:
    """Try every two places on the kernel and simulated.

    Parameters
    ----------
    types : sequence of Place
        The kernel can build all of them.
    progress : callable
        Told how far it is.

    Raises
    ------
    CampaignError
        As of `measure_on_kernel`.
    """
    return _agreement(try_on_kernel(_agreement_tasks(types), progress))


def agreement_of(record: ConnectivityRecord, folder: Path) -> AgreementRecord | None:
    """Return the agreement that lies in a record's folder; None unless it was made on a kernel.

    Raises
    ------
    jamlab.measure.record.RecordError
        When it should be there and cannot be read.
    """
    return AgreementRecord.load(folder / AGREEMENT_FOLDER) if record.network == KERNEL else None


def server_logs(folder: Path) -> pd.DataFrame:
    """Return what coturn said of failed attempts of the record in a folder; `SERVER_LOG_COLUMNS`.

    Raises
    ------
    jamlab.measure.record.RecordError
        When it cannot be read.
    """
    return read_table(folder / SERVER_LOGS, Table(SERVER_LOG_COLUMNS), AgreementRecord.WRITTEN_BY)


def buildable(calls: Iterable[Call]) -> tuple[list[Call], str]:
    """Return the calls whose places the kernel can build, and a sentence on the others, if any."""
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
        f"which the kernel cannot be, such as {next(iter(refused.values()))}"
    )


def _agreement_tasks(types: Sequence[Place]) -> list[Task]:
    return [
        Task(call, configuration, "ice", DEADLINE_S)
        for call in agreement_calls(types)
        for configuration in agreement_configurations()
    ]


def _agreement(tried: Sequence[Tried]) -> AgreementRecord:
    """Return the record of what was tried on the kernel, tried again simulated."""
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
