"""The record of a campaign of sessions: a row per call in which two sessions meet.

====================  ==================================================================
``sessions.parquet``  a row per call and configuration, see `SESSION_COLUMNS`
``provenance.json``   population, network profile, configurations, calls, seed, deadline
====================  ==================================================================

A call has the places of the call with the same number and seed in a campaign of ICE agents
(`jamlab.measure.connectivity.record`), so the two are compared call by call.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from jamlab.measure.connectivity.attempt import DIRECT, FAILED
from jamlab.measure.connectivity.record import RESULTS
from jamlab.measure.record import NUMBER, Keys, Record, Tables
from jamlab.measure.table import Table
from jamlab.mesh.notices import NoticeKind

SESSION_COLUMNS = {
    "call": "int64",  # the same number is the same call under every configuration
    "configuration": "object",  # the servers of both sessions
    "caller": "object",  # place of the one in the room, e.g. "EIM/APDF/preserve"
    "callee": "object",  # place of the one who joins
    "seed": "int64",
    "result": "object",  # "direct", "relayed" or "failed", at the end
    "caller_candidate": "object",  # type of the selected candidate, RFC 8445 §5.1.1; "" if none
    "callee_candidate": "object",
    "first_sound_s": "float64",  # until both heard each other; NaN unless they did
    "caller_sound_s": "float64",  # until the caller heard the callee
    "callee_sound_s": "float64",
    "direct_s": "float64",  # until both used a direct path, to the end; NaN unless they did
    "observed_s": "float64",
    "notices": "object",  # JSON list of [time_s, "caller" or "callee", kind of the notice]
}
"""Columns of the table and their types; virtual seconds since the callee began to join."""

SESSIONS_FOLDER = "sessions"
"""Name of its folder inside the record of a campaign of ICE agents."""

_CANDIDATES = ("host", "srflx", "prflx", "relay", "")
_SIDES = ("caller", "callee")


def _fault(sessions: pd.DataFrame) -> str:
    if sessions.duplicated(["call", "configuration"]).any():
        return "has a call twice under one configuration"
    return _fault_of_times(sessions) or _fault_of_notices(sessions)


def _fault_of_times(sessions: pd.DataFrame) -> str:
    if not (sessions["observed_s"] >= 0).all():
        return "has a call that was not observed for zero or more seconds"
    later_s = sessions[["caller_sound_s", "callee_sound_s"]].max(axis=1, skipna=False)
    if not (later_s.isna() == sessions["first_sound_s"].isna()).all():
        return "has a first sound that both do not hear, or none though both do"
    if (sessions["first_sound_s"] != later_s)[later_s.notna()].any():
        return "has a first sound at a time at which neither heard it first"
    if (sessions["result"] != FAILED)[later_s.isna()].any():
        return "has a call that did not fail and had no sound"
    if sessions["direct_s"].isna()[sessions["result"] == DIRECT].any():
        return "has a direct call without the time at which it became direct"
    return ""


def _fault_of_notices(sessions: pd.DataFrame) -> str:
    kinds = set(NoticeKind)
    for notices in sessions["notices"]:
        try:
            for at_s, side, kind in json.loads(notices):
                if not (isinstance(at_s, int | float) and side in _SIDES and kind in kinds):
                    return f"has {notices!r} for notices"
        except (TypeError, ValueError, RecursionError):
            return f"has {notices!r} for notices"
    return ""


SESSIONS = Table(
    SESSION_COLUMNS,
    empty=False,
    vocabulary={
        "result": RESULTS,
        "caller_candidate": _CANDIDATES,
        "callee_candidate": _CANDIDATES,
    },
    further_fault=_fault,
)


@dataclass(frozen=True, eq=False)
class SessionRecord(Record):
    """One campaign of sessions."""

    TABLES: ClassVar[Tables] = {"sessions": SESSIONS}
    KEYS: ClassVar[Keys] = {
        "population": str,
        "profile": str,
        "configurations": list,
        "with_stun": list,
        "relay_only": list,
        "calls": int,
        "deadline_s": NUMBER,
    }
    WRITTEN_BY = "`jamlab connectivity --level session`"

    sessions: pd.DataFrame
    provenance: dict[str, Any]

    @property
    def configurations(self) -> list[str]:
        """Names of the configurations, in the order they were tried."""
        return [str(name) for name in self.sessions["configuration"].unique()]

    def of(self, configuration: str) -> pd.DataFrame:
        """Return the calls under one configuration."""
        return self.sessions[self.sessions["configuration"] == configuration]
