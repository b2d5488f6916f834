"""The record of acceptance tests: what each of them found, or why it found nothing.

======================  =============================================================
``figures.parquet``     a row per figure and subject, see `jamlab.measure.acceptance.findings`
``curves.parquet``      a row per point of a curve
``events.parquet``      a row per thing that happened, e.g. a notice to a user
``provenance.json``     versions, machine, parameters, tests, and those without a finding
``latency/``            the latency record whose clicks were judged, if any were
======================  =============================================================
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.measure.acceptance.findings import TABLES, Finding, tables_of
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.record import (
    PROVENANCE,
    Content,
    RecordError,
    check_whole,
    has_part,
    provenance,
    read_file,
    read_json,
    write_record,
)

LATENCY_FOLDER = "latency"
_PROVENANCE = ("tests", "not_run", "failed", "versions", "machine", "created")


@dataclass(frozen=True)
class AcceptanceRecord:
    """One run of acceptance tests."""

    figures: pd.DataFrame
    curves: pd.DataFrame
    events: pd.DataFrame
    latency: LatencyRecord | None
    provenance: dict[str, Any]

    @classmethod
    def of_findings(
        cls, tests: Sequence[str], findings: Iterable[Finding], *, failed: Mapping[str, str]
    ) -> "AcceptanceRecord":
        """Make a record of a run that ends now.

        Parameters
        ----------
        tests : sequence of str
            Those that were asked for.
        findings : iterable of Finding
            What they found.
        failed : mapping
            What kept a test from coming to its end, by its name.
        """
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
        """Return a record with more in it; a test that had failed keeps its first reason.

        Parameters
        ----------
        findings, failed
            As of `of_findings`.
        not_run : mapping, optional
            Why a test was not run, and what to do, by its name.
        latency : LatencyRecord, optional
            The latency record, in place of the one there is, if any.
        """
        more = tables_of(findings)
        tables = {
            name: pd.concat([getattr(self, name), table], ignore_index=True).astype(TABLES[name])
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

    def save(self, folder: Path) -> Path:
        """Write the record into a folder, made if it is not there; returns the folder."""
        tables = {name: getattr(self, name) for name in TABLES}
        parts = {} if self.latency is None else {LATENCY_FOLDER: self.latency.content}
        return write_record(folder, Content(tables, self.provenance), parts)

    @classmethod
    def load(cls, folder: Path) -> "AcceptanceRecord":
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing, cannot be read, or lacks something.
        """
        provenance = read_file(folder / PROVENANCE, read_json)
        lacking = [key for key in _PROVENANCE if key not in provenance]
        if lacking:
            raise RecordError(
                f"{folder / 'provenance.json'} lacks {', '.join(lacking)}: it is not that of "
                "acceptance tests, or of another version of jamlab"
            )
        tables = {name: _read_table(folder / f"{name}.parquet", name) for name in TABLES}
        with_latency = has_part(provenance, LATENCY_FOLDER)
        latency = LatencyRecord.load(folder / LATENCY_FOLDER) if with_latency else None
        check_whole(folder, provenance)
        return cls(**tables, latency=latency, provenance=provenance)


def is_acceptance_record(folder: Path) -> bool:
    """Tell a record of acceptance tests from one of another kind."""
    return (folder / "figures.parquet").is_file()


def _read_table(path: Path, name: str) -> pd.DataFrame:
    table: pd.DataFrame = read_file(path, pd.read_parquet)
    missing = sorted(set(TABLES[name]) - set(table.columns))
    if missing:
        raise RecordError(
            f"{path} lacks the columns {missing}: run the acceptance tests with this version of "
            "jamlab"
        )
    return table.astype(TABLES[name])
