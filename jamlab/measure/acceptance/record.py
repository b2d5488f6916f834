"""Records of acceptance tests: the findings of each test, or the reason why there are none.

======================  =============================================================
``figures.parquet``     a row per figure and subject, see `jamlab.measure.acceptance.findings`
``curves.parquet``      a row per point of a curve
``events.parquet``      a row per event, e.g. a notice to a user
``provenance.json``     versions, machine, parameters, tests, and tests without a finding
``latency/``            the latency record whose clicks were judged, if any were
======================  =============================================================
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.acceptance import browser_tests, sound
from jamlab.measure.acceptance import connection_blocked as blocked
from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance.findings import COLUMNS, LOOP_LAG, Finding, tables_of
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.provenance import provenance
from jamlab.measure.record import Keys, Record, Tables
from jamlab.measure.table import Table

LATENCY_FOLDER = "latency"
FIGURES = frozenset(
    {
        *(LOOP_LAG, sound.CAPTURED_ERROR, sound.CAPTURED_SEPARATION, sound.HEARD_SEPARATION),
        *(sound.OWN_PLAYBACK, sound.LEVEL, sound.LEVEL_ERROR, sound.SINAD, sound.SINAD_CODEC),
        *(sound.SINAD_LOSS, sound.HEARD_BOTH, sound.CONCEALED, sound.UNDERRUN),
        *(blocked.WARNED, blocked.WITHOUT_AUDIO, blocked.OTHERS_HEAR, blocked.BLOCKED_HEARS),
        *(blocked.PLAYS_ON, blocked.UNFORESEEN, blocked.RECOVERED, blocked.HEARD_AGAIN),
        *(apart.CONNECTED_AFTER, apart.LATENCY, apart.HEARD, apart.RELAYED, apart.AVOIDABLE),
        apart.CONTROL,
        *browser_tests.FIGURES,
    }
)
"""Names of the figures that the tests find; a record with others is of another version."""


@dataclass(frozen=True, eq=False)
class AcceptanceRecord(Record):
    """One run of acceptance tests."""

    TABLES: ClassVar[Tables] = {
        name: Table(columns, vocabulary={"figure": FIGURES} if name == "figures" else {})
        for name, columns in COLUMNS.items()
    }
    KEYS: ClassVar[Keys] = {"tests": list, "not_run": dict, "failed": dict}
    PARTS: ClassVar[Mapping[str, type[Record]]] = {LATENCY_FOLDER: LatencyRecord}
    WRITTEN_BY = "`jamlab verify`"

    figures: pd.DataFrame
    curves: pd.DataFrame
    events: pd.DataFrame
    latency: LatencyRecord | None
    provenance: dict[str, Any]

    @classmethod
    def of_findings(
        cls, tests: Sequence[str], findings: Iterable[Finding], *, failed: Mapping[str, str]
    ) -> "AcceptanceRecord":
        """Make a record of a run that ends now; `failed` has the reason of each incomplete test."""
        made = provenance({}, tests=list(tests), not_run={}, failed=dict(failed))
        return cls(**tables_of(findings), latency=None, provenance=made)

    def joined(
        self,
        findings: Iterable[Finding],
        failed: Mapping[str, str],
        *,
        not_run: Mapping[str, tuple[str, str]] | None = None,
        latency: LatencyRecord | None = None,
    ) -> "AcceptanceRecord":
        """Return a record with further findings; a failed test keeps its first reason.

        A given latency record replaces the present one, if any.
        """
        more = tables_of(findings)
        tables = {
            name: pd.concat([getattr(self, name), table], ignore_index=True).astype(COLUMNS[name])
            for name, table in more.items()
        }
        told = {name: list(reasons) for name, reasons in (not_run or {}).items()}
        made = self.provenance | {
            "failed": dict(failed) | self.failed,
            "not_run": self.provenance["not_run"] | told,
        }
        return replace(self, **tables, latency=latency or self.latency, provenance=made)

    @property
    def tests(self) -> list[str]:
        """Names of the tests that were asked for."""
        return list(self.provenance["tests"])

    @property
    def not_run(self) -> dict[str, tuple[str, str]]:
        """Why a test was not run, and what to do, by its name."""
        return {name: (why, remedy) for name, (why, remedy) in self.provenance["not_run"].items()}

    @property
    def failed(self) -> dict[str, str]:
        """What kept a test from coming to its end, by its name."""
        return dict(self.provenance["failed"])

    def of(self, test: str, table: str = "figures") -> pd.DataFrame:
        """Return a test's rows of a table."""
        rows: pd.DataFrame = getattr(self, table)
        return rows[rows["test"] == test]
