"""The record of a connectivity campaign: a row per attempt to connect.

=====================  =============================================================
``attempts.parquet``   a row per attempt, see `ATTEMPT_COLUMNS`
``servers.parquet``    a row per real server that was probed, see
                       `jamlab.measure.servers.table.SERVER_COLUMNS`
``provenance.json``    network, population, configurations, calls, seed, level, deadline, versions
=====================  =============================================================

A *call* is a pair of places and a seed, drawn once; the same call number is the same call under
every configuration, so configurations are compared call by call.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.record import Keys, Record, Tables
from jamlab.measure.servers.table import SERVERS, no_servers
from jamlab.measure.table import Table

ATTEMPT_COLUMNS = {
    "call": "int64",  # the same number is the same call under every configuration
    "configuration": "object",  # how ICE was set up, e.g. "STUN"
    "caller": "object",  # place, e.g. "EIM/APDF/preserve" or "UDP blocked"
    "callee": "object",
    "seed": "int64",
    "start_skew_s": "float64",  # from the caller's start to the callee's
    "level": "object",  # required connection: "ice" or "dtls"
    "result": "object",  # "direct", "relayed" or "failed"
    "caller_candidate": "object",  # type of the selected candidate, RFC 8445 §5.1.1; "" if none
    "callee_candidate": "object",
    "relay_transport": "object",  # between client and TURN server: "udp", "tcp" or ""
    "time_to_connect_s": "float64",  # NaN unless connected
    "observed_s": "float64",  # until the connection, or the end of the attempt
    "stage": "object",  # where it failed: "gathering", "checks", "DTLS" or "deadline"
    "states": "object",  # JSON list of [time_s, "caller" or "callee", "ice" or "connection", state]
}
"""Columns of the attempts table and their types; times in seconds of the campaign's clock."""

SIMULATED, THIS_MACHINE, KERNEL = "simulated", "this-machine", "kernel"
"""Networks of the attempts: the simulated internet; this machine's network, without a population;
and namespaces of its kernel, with the kernel's NATs
(`jamlab.measure.connectivity_on_kernel.network`)."""

STUN_ONLY = "STUN"
"""The configuration without a relay; a call that is direct under it is *direct-capable*."""

RESULTS = DIRECT, RELAYED, FAILED
"""Results of an attempt; it is relayed if the selected candidate of either end is relayed."""

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


def _fault_of_times_and_states(attempts: pd.DataFrame) -> str:
    if attempts.duplicated(["call", "configuration"]).any():
        return "has a call twice under one configuration"
    return _fault_of_times(attempts) or _fault_of_states(attempts)


def _fault_of_times(attempts: pd.DataFrame) -> str:
    connected = attempts["result"] != FAILED
    if not (attempts["observed_s"] >= 0).all():
        return "has an attempt that was not observed for zero or more seconds"
    if not (attempts["time_to_connect_s"].notna() == connected).all():
        return "has a time to connect without a connection, or a connection without one"
    if (attempts["time_to_connect_s"] > attempts["observed_s"]).any():
        return "has a time to connect beyond the time observed"
    return ""


def _fault_of_states(attempts: pd.DataFrame) -> str:
    for states in attempts["states"]:
        try:
            for time_s, side, kind, state in json.loads(states):
                known = (side, kind) in _SIDES_AND_KINDS and isinstance(state, str)
                if not (known and isinstance(time_s, int | float)):
                    return f"has {states!r} for states"
        except (TypeError, ValueError, RecursionError):
            return f"has {states!r} for states"
    return ""


ATTEMPTS = Table(
    ATTEMPT_COLUMNS,
    empty=False,
    vocabulary=_VOCABULARY,
    further_fault=_fault_of_times_and_states,
)


_ENDS = {"ice": "bare ICE agents", "dtls": "whole connections"}


def _asked_servers(provenance: Mapping[str, Any]) -> bool:
    return provenance.get("network") == THIS_MACHINE


@dataclass(frozen=True, eq=False)
class ConnectivityRecord(Record):
    """One campaign."""

    TABLES: ClassVar[Tables] = {
        "attempts": ATTEMPTS,
        "servers": replace(SERVERS, kept=_asked_servers),
    }
    KEYS: ClassVar[Keys] = {
        "population": str | None,
        "configurations": list,
        "with_turn": list,
        "relay_only": list,
        "calls": int,
    }
    WRITTEN_BY = "`jamlab connectivity`"

    attempts: pd.DataFrame
    provenance: dict[str, Any]
    servers: pd.DataFrame = field(default_factory=no_servers)

    @property
    def network(self) -> str:
        """Where the attempts were made: `SIMULATED`, `THIS_MACHINE` or `KERNEL`."""
        return str(self.provenance.get("network", SIMULATED))

    @property
    def ends(self) -> str:
        """The two ends of each attempt, in words."""
        return _ENDS[str(self.attempts["level"].iloc[0])]

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
