"""The record of a connectivity campaign: a row per attempt to connect.

=====================  =============================================================
``attempts.parquet``   a row per attempt, see `ATTEMPT_COLUMNS`
``servers.parquet``    where real servers were asked, a row for each, see
                       `jamlab.measure.servers.table.SERVER_COLUMNS`
``provenance.json``    network, population, configurations, calls, seed, level, deadline, versions
=====================  =============================================================

A *call* is a pair of places and a seed, drawn once; the same call number is the same call under
every configuration, so configurations are compared call by call.
"""

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.record import (
    PROVENANCE,
    Content,
    RecordError,
    check_whole,
    read_file,
    read_json,
    write_record,
)
from jamlab.measure.servers.table import no_servers, server_fault_of

ATTEMPT_COLUMNS = {
    "call": "int64",  # the same number is the same call under every configuration
    "configuration": "object",  # how ICE was set up, e.g. "STUN"
    "caller": "object",  # place, e.g. "EIM/APDF/preserve" or "UDP blocked"
    "callee": "object",
    "seed": "int64",
    "start_skew_s": "float64",  # from the caller's start to the callee's
    "level": "object",  # what had to come about: "ice" or "dtls"
    "result": "object",  # "direct", "relayed" or "failed"
    "caller_candidate": "object",  # type of the selected candidate, RFC 8445 §5.1.1; "" if none
    "callee_candidate": "object",
    "relay_transport": "object",  # between client and TURN server: "udp", "tcp" or ""
    "time_to_connect_s": "float64",  # NaN unless connected
    "observed_s": "float64",  # to the connection, or to where the attempt was given up
    "stage": "object",  # where it failed: "gathering", "checks", "DTLS" or "deadline"
    "states": "object",  # JSON list of [time_s, "caller" or "callee", "ice" or "connection", state]
}
"""Columns of the attempts table and their types; times in seconds of the campaign's clock."""

SIMULATED, THIS_MACHINE, KERNEL = "simulated", "this-machine", "kernel"
"""Networks on which attempts are made; on the second there is no population. The third is one of
this machine's namespaces, with its own NATs (`jamlab.measure.connectivity_on_kernel.network`)."""

STUN_ONLY = "STUN"
"""The configuration without a relay; what is direct under it is *direct-capable*."""

RESULTS = DIRECT, RELAYED, FAILED
"""What can become of an attempt; it is relayed when either end's candidate is a relay."""

_SERVERS = "servers.parquet"
_CANDIDATES = ("host", "srflx", "prflx", "relay", "")
_VOCABULARY = {
    "level": ("ice", "dtls"),
    "result": RESULTS,
    "caller_candidate": _CANDIDATES,
    "callee_candidate": _CANDIDATES,
    "relay_transport": ("udp", "tcp", ""),
    "stage": ("gathering", "checks", "DTLS", "deadline", ""),
}
_SIDES_AND_KINDS = set(itertools.product(("caller", "callee"), ("ice", "connection")))
_PROVENANCE = (
    "population",
    "configurations",
    "with_turn",
    "relay_only",
    "calls",
    "versions",
    "created",
)


@dataclass(frozen=True)
class ConnectivityRecord:
    """One campaign."""

    attempts: pd.DataFrame
    provenance: dict[str, Any]
    servers: pd.DataFrame = field(default_factory=no_servers)

    @property
    def network(self) -> str:
        """Where the attempts were made: `SIMULATED`, `THIS_MACHINE` or `KERNEL`."""
        return str(self.provenance.get("network", SIMULATED))

    @property
    def configurations(self) -> list[str]:
        """Names of the configurations, in the order they were tried."""
        return [str(name) for name in self.attempts["configuration"].unique()]

    @property
    def with_turn(self) -> list[str]:
        """Names of the configurations that have a relay (TURN, RFC 8656), in the order tried."""
        return [name for name in self.configurations if name in self.provenance["with_turn"]]

    @property
    def relay_only(self) -> list[str]:
        """Names of the configurations whose policy wants relayed paths only, in the order tried."""
        return [name for name in self.configurations if name in self.provenance["relay_only"]]

    def of(self, configuration: str) -> pd.DataFrame:
        """Return the attempts of one configuration."""
        return self.attempts[self.attempts["configuration"] == configuration]

    def save(self, folder: Path) -> Path:
        """Write the record into a folder, made if it is not there; returns the folder."""
        return write_record(folder, self.content)

    @property
    def content(self) -> Content:
        """What there is of it to be written."""
        servers = {"servers": self.servers} if self.network == THIS_MACHINE else {}
        return Content({"attempts": self.attempts} | servers, self.provenance)

    @classmethod
    def load(cls, folder: Path) -> "ConnectivityRecord":
        """Read a record.

        Raises
        ------
        RecordError
            Names the file that is missing, cannot be read, or is not what it should be.
        """
        provenance = read_file(folder / PROVENANCE, read_json)
        attempts = read_file(folder / "attempts.parquet", pd.read_parquet)
        _refuse(folder / "attempts.parquet", fault_of(attempts))
        _refuse(folder / PROVENANCE, _provenance_fault(provenance))
        servers = no_servers()
        if provenance.get("network") == THIS_MACHINE:
            servers = read_file(folder / _SERVERS, pd.read_parquet)
            _refuse(folder / _SERVERS, server_fault_of(servers))
        check_whole(folder, provenance)
        return cls(attempts, provenance, servers)


def is_connectivity_record(folder: Path) -> bool:
    """Return whether a folder looks like the record of a campaign."""
    return (folder / "attempts.parquet").is_file()


def _refuse(path: Path, fault: str) -> None:
    if fault:
        raise RecordError(f"{path} {fault}: measure again with this version of jamlab")


def fault_of(attempts: pd.DataFrame) -> str:
    """Say what makes a table no table of attempts, in words that follow its name; "" if nothing."""
    missing = sorted(set(ATTEMPT_COLUMNS) - set(attempts.columns))
    if missing:
        return f"lacks the columns {missing}"
    if attempts.empty:
        return "has no attempts"
    for column, kind in ATTEMPT_COLUMNS.items():
        if kind != "object" and not is_numeric_dtype(attempts[column]):
            return f"has words where {column} has numbers"
    for column, words in _VOCABULARY.items():
        strange = attempts.loc[~attempts[column].isin(words), column]
        if len(strange):
            return f"has {strange.iloc[0]!r} for a {column}"
    if attempts.duplicated(["call", "configuration"]).any():
        return "has a call twice under one configuration"
    return _time_fault(attempts) or _states_fault(attempts)


def _time_fault(attempts: pd.DataFrame) -> str:
    connected = attempts["result"] != FAILED
    if not (attempts["observed_s"] >= 0).all():
        return "has an attempt that was not observed for zero or more seconds"
    if not (attempts["time_to_connect_s"].notna() == connected).all():
        return "has a time to connect without a connection, or a connection without one"
    if (attempts["time_to_connect_s"] > attempts["observed_s"]).any():
        return "has a time to connect beyond the time observed"
    return ""


def _states_fault(attempts: pd.DataFrame) -> str:
    for states in attempts["states"]:
        try:
            for time_s, side, kind, state in json.loads(states):
                known = (side, kind) in _SIDES_AND_KINDS and isinstance(state, str)
                if not (known and isinstance(time_s, int | float)):
                    return f"has {states!r} for states"
        except (TypeError, ValueError):
            return f"has {states!r} for states"
    return ""


def _provenance_fault(provenance: Any) -> str:
    if not isinstance(provenance, dict):
        return "is no JSON object"
    missing = [key for key in _PROVENANCE if key not in provenance]
    return f"lacks {missing}" if missing else ""
