"""The record of an agreement: the same attempts on a kernel and simulated.

=======================  =============================================================
``kernel.parquet``       a row per attempt, columns as of a connectivity record
``simulator.parquet``    the same attempts
``server_logs.parquet``  what coturn said of those that failed on the kernel
``provenance.json``      configurations, deadline, versions
=======================  =============================================================

What the rule says of them is in no record: it is asked when one is read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.measure.connectivity.record import fault_of
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    KERNEL,
    SIMULATOR,
    agreement_configurations,
    agreement_table,
    disagreements,
)
from jamlab.measure.connectivity_on_kernel.campaign import read_server_logs
from jamlab.measure.record import (
    PROVENANCE,
    Content,
    RecordError,
    check_whole,
    provenance,
    read_file,
    read_json,
    write_record,
)
from jamlab.measure.verdict import Outcome, Verdict

_TABLES = (KERNEL, SIMULATOR, "server_logs")
_PROVENANCE = ("configurations", "deadline_s", "versions", "created")
_KEY = ["call", "configuration", "caller", "callee"]


@dataclass(frozen=True)
class AgreementRecord:
    """One run of the whole table."""

    kernel: pd.DataFrame
    simulator: pd.DataFrame
    server_logs: pd.DataFrame
    """``call``, ``configuration`` and ``log``; only of attempts coturn had anything to do with."""
    provenance: dict[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """The rule and both networks side by side: `agreement_table`."""
        return agreement_table(self.kernel, self.simulator, agreement_configurations())

    def save(self, folder: Path) -> Path:
        """Write the record into a folder, made if it is not there; returns the folder."""
        return write_record(folder, self.content)

    @property
    def content(self) -> Content:
        """What there is of it to be written."""
        return Content({name: getattr(self, name) for name in _TABLES}, self.provenance)

    @classmethod
    def load(cls, folder: Path) -> "AgreementRecord":
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing, cannot be read, or is not what it should be.
        """
        told = read_file(folder / PROVENANCE, read_json)
        kernel, simulator = (
            read_file(folder / f"{name}.parquet", pd.read_parquet) for name in (KERNEL, SIMULATOR)
        )
        if fault := _fault(kernel, simulator, told):
            raise RecordError(f"{folder} {fault}: measure again with this version of jamlab")
        logs = read_server_logs(folder / "server_logs.parquet")
        check_whole(folder, told)
        return cls(kernel, simulator, logs, told)


def agreement_provenance() -> dict[str, Any]:
    """Return the provenance of a run that ends now."""
    names = [each.name for each in agreement_configurations()]
    return provenance({}, configurations=names, deadline_s=DEADLINE_S, network="kernel")


def agreement_verdict(record: AgreementRecord) -> Verdict:
    """Judge whether all agree in every cell."""
    table = record.table
    found = disagreements(table)
    lucky = int(table["kernel_by_luck"].sum())
    reason = (
        f"Rule, simulator and kernel give each of {len(table)} cells the same class; on the kernel "
        f"a relay was taken by luck of nomination in {lucky} that are direct-capable."
    )
    if found:
        reason = f"{len(found)} of {len(table)} cells disagree, the first: {found[0]}."
    count = float(len(found))
    outcome = Outcome.FAIL if found else Outcome.PASS
    name = "disagreements of rule, simulator and kernel"
    return Verdict(name, "≤ 0", count, (count, count), "cells", outcome, reason)


def _fault(kernel: pd.DataFrame, simulator: pd.DataFrame, told: Any) -> str:
    """Say what makes tables and provenance no record, in words that follow its name."""
    if not isinstance(told, dict) or any(key not in told for key in _PROVENANCE):
        return f"has no {', '.join(_PROVENANCE)} in its provenance.json"
    for name, attempts in ((KERNEL, kernel), (SIMULATOR, simulator)):
        if fault := fault_of(attempts):
            return f"has a {name}.parquet that {fault}"
    if not kernel[_KEY].reset_index(drop=True).equals(simulator[_KEY].reset_index(drop=True)):
        return "has other attempts in kernel.parquet than in simulator.parquet"
    if not set(kernel["configuration"]) <= {each.name for each in agreement_configurations()}:
        return "has configurations that no agreement is about"
    return ""
