"""The record of an agreement: the same attempts on a kernel and simulated.

=======================  =============================================================
``kernel.parquet``       a row per attempt, columns as of a connectivity record
``simulator.parquet``    the same attempts
``server_logs.parquet``  coturn's log of attempts that failed on the kernel
``provenance.json``      configurations, deadline, versions
=======================  =============================================================

The rule's expectation is not stored; it is computed when a record is read.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.connectivity.record import ATTEMPTS
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    KERNEL,
    SIMULATOR,
    agreement_configurations,
    agreement_table,
    disagreements,
)
from jamlab.measure.connectivity_on_kernel.campaign import SERVER_LOG_COLUMNS
from jamlab.measure.provenance import provenance
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table
from jamlab.measure.verdict import Outcome, Verdict

_KEY = ["call", "configuration", "caller", "callee"]


@dataclass(frozen=True, eq=False)
class AgreementRecord(Record):
    """One run of all cells of the table."""

    TABLES: ClassVar[Tables] = {
        KERNEL: ATTEMPTS,
        SIMULATOR: ATTEMPTS,
        "server_logs": Table(SERVER_LOG_COLUMNS),
    }
    KEYS: ClassVar[Keys] = {"configurations": list, "deadline_s": NUMBER}
    WRITTEN_BY = "`jamlab connectivity --network kernel`"

    kernel: pd.DataFrame
    simulator: pd.DataFrame
    server_logs: pd.DataFrame
    """``call``, ``configuration`` and ``log``; only of attempts that reached coturn."""
    provenance: dict[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """The rule and both networks side by side: `agreement_table`."""
        return agreement_table(self.kernel, self.simulator, agreement_configurations())

    def mismatch(self) -> str:
        """Return how the attempts of the two networks differ."""
        kernel, simulator = (
            each[_KEY].reset_index(drop=True) for each in (self.kernel, self.simulator)
        )
        if not kernel.equals(simulator):
            return "has other attempts in kernel.parquet than in simulator.parquet"
        if not set(kernel["configuration"]) <= {each.name for each in agreement_configurations()}:
            return "has configurations that are not part of the agreement"
        return ""


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
