"""Tables of what happened when: every event, and the timeline of ICE."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from jamlab.measure.dump.layouts.names import STATES, state
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Trace
from jamlab.measure.dump.layouts.values import fields, text
from jamlab.measure.dump.pairs import selected_pairs
from jamlab.measure.dump.sdp import candidate, server

GATHERED, ADDED = "candidate gathered", "candidate added"
GATHERED_ALL = "all candidates gathered"
ERROR, PAIR = "candidate error", "selected pair"

EVENT_COLUMNS = {"connection": "str", "time_s": "float64", "event": "str", "value": "str"}
ICE_COLUMNS = {
    "connection": "str",
    "time_s": "float64",
    "event": "str",
    "detail": "str",
    "candidate_type": "str",
    "protocol": "str",
    "route": "str",
}
"""Columns of the tables, and their types; each has the wall clock ``time``, too."""

_BLANK = {name: "" for name, kind in ICE_COLUMNS.items() if kind == "str"}


def events_table(trace: Trace, start_s: float) -> pd.DataFrame:
    """Return a row per event, in order of time; those of no connection have "" for it."""
    rows = [
        {
            "connection": peer.name,
            "time_s": event.at_s - start_s,
            "event": event.kind,
            "value": text(event.value),
        }
        for peer in trace.peers
        for event in peer.events
    ]
    return _table(rows, EVENT_COLUMNS)


def ice_table(trace: Trace, start_s: float) -> pd.DataFrame:
    """Return a row per candidate, change of a state, and change of the selected pair."""
    rows = [
        {**row, "connection": peer.name, "time_s": row["time_s"] - start_s}
        for peer in trace.peers
        if peer.name
        for row in _timeline(peer)
    ]
    return _table(rows, ICE_COLUMNS)


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    return table.sort_values("time_s", kind="stable", ignore_index=True)


def _timeline(peer: PeerTrace) -> Iterator[dict[str, Any]]:
    for event in peer.events:
        row = _candidate_row(event) or _error_row(event) or _state_row(event)
        if row:
            yield {**_BLANK, "time_s": event.at_s, **row}
    for pair in selected_pairs(peer):
        yield {
            "time_s": pair.at_s,
            "event": PAIR,
            "detail": pair.words,
            "candidate_type": pair.local,
            "protocol": pair.protocol,
            "route": pair.route,
        }


def _candidate_row(event: Event) -> dict[str, Any] | None:
    kind = {"icecandidate": GATHERED, "addIceCandidate": ADDED}.get(event.kind)
    if kind is None:
        return None
    found = candidate(event.value)
    if found is None:
        return {"event": GATHERED_ALL} if kind == GATHERED else None
    place = server(event.value)
    return {
        "event": kind,
        "detail": f"{found.words} from {place}" if place else found.words,
        "candidate_type": found.kind,
        "protocol": found.protocol,
    }


def _error_row(event: Event) -> dict[str, Any] | None:
    if event.kind != "icecandidateerror":
        return None
    about = fields(event.value)
    said = about.get("errorText") or about.get("error_text")
    code = about.get("errorCode") or about.get("error_code")
    words = f"{server(event.value)}: {text(said, 200)} ({text(code, 20)})" if said else event.value
    return {"event": ERROR, "detail": text(words, 500)}


def _state_row(event: Event) -> dict[str, Any] | None:
    called = STATES.get(event.kind)
    return {"event": called, "detail": state(text(event.value, 60))} if called else None
