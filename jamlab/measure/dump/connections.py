"""The table of connections, a row each: whether it connected, by which route, and how soon."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from jamlab.measure.dump.layouts.names import STATES, state
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Trace
from jamlab.measure.dump.layouts.values import text
from jamlab.measure.dump.pairs import selected_pairs

CONNECTED = {"connected", "completed"}
"""States of ICE, and of a connection, in which media flow."""

NEGOTIATED = "negotiated"
COLUMNS = {
    "connection": "str",
    "url": "str",
    "browser": "str",
    "configuration": "str",
    "begin_s": "float64",
    "end_s": "float64",
    "signaling_state": "str",
    "ice_state": "str",
    "connection_state": "str",
    NEGOTIATED: "bool",
    "connected": "bool",
    "failed": "bool",
    "first_offer_s": "float64",
    "connected_s": "float64",
    "time_to_connect_s": "float64",
    "time_to_connect_low_s": "float64",
    "time_to_connect_high_s": "float64",
    "route": "str",
    "pair": "str",
    "pair_changes": "int64",
}
"""Columns of the table, and their types."""

_DESCRIBING = {
    "createOffer",
    "createAnswer",
    "setLocalDescription",
    "setRemoteDescription",
}


def connections_table(trace: Trace, start_s: float) -> pd.DataFrame:
    """Return a row per connection; times are seconds since the dump's start."""
    rows = [_row(peer, trace, start_s) for peer in trace.peers if peer.name]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _row(peer: PeerTrace, trace: Trace, start_s: float) -> dict[str, Any]:
    states = {kind: _last_state(peer.events, kind) for kind in STATES}
    begin_s, end_s = _ends(peer)
    offer_s = _first(peer.events, lambda event: event.kind in _DESCRIBING)
    connected_s = _connected_s(peer)
    pairs = selected_pairs(peer)
    connected = not math.isnan(connected_s) or bool(pairs) or _transport_connected(peer)
    row = {
        "connection": peer.name,
        "url": peer.url,
        "browser": trace.browser,
        "configuration": peer.configuration,
        "begin_s": begin_s - start_s,
        "end_s": end_s - start_s,
        "signaling_state": states["signalingstatechange"],
        "ice_state": states["iceconnectionstatechange"],
        "connection_state": states["connectionstatechange"],
        NEGOTIATED: connected or not math.isnan(offer_s),
        "connected": connected,
        "failed": "failed" in states.values(),
        "first_offer_s": offer_s - start_s,
        "connected_s": connected_s - start_s,
        "route": pairs[-1].route if pairs else "",
        "pair": pairs[-1].words if pairs else "",
        "pair_changes": max(0, len(pairs) - 1),
    }
    began_s = begin_s if math.isnan(offer_s) else offer_s
    return row | _time_to_connect(connected_s - began_s, trace.resolution_s)


def _time_to_connect(took_s: float, resolution_s: float) -> dict[str, float]:
    """Return the time to connect; each of its ends is rounded down to the log's resolution."""
    return {
        "time_to_connect_s": took_s,
        "time_to_connect_low_s": max(0.0, took_s - resolution_s),
        "time_to_connect_high_s": took_s + resolution_s,
    }


def _ends(peer: PeerTrace) -> tuple[float, float]:
    """Return the times at which a connection is first and last seen."""
    times = [event.at_s for event in peer.events if not math.isnan(event.at_s)]
    for each in peer.series.values():
        times += [float(each.at_s[0]), float(each.at_s[-1])] if len(each.at_s) else []
    return min(times, default=math.nan), max(times, default=math.nan)


def _first(events: Iterable[Event], suits: Callable[[Event], bool]) -> float:
    return min(
        (event.at_s for event in events if suits(event) and not math.isnan(event.at_s)),
        default=math.nan,
    )


def _last_state(events: list[Event], kind: str) -> str:
    return next((state(text(each.value, 60)) for each in reversed(events) if each.kind == kind), "")


def _connected_s(peer: PeerTrace) -> float:
    """Return when the connection's state first was connected, or else ICE's."""
    for kind in ("connectionstatechange", "iceconnectionstatechange"):
        at_s = _first(peer.events, lambda event, kind=kind: event.kind == kind and _is_up(event))  # type: ignore[misc]
        if not math.isnan(at_s):
            return at_s
    return math.nan


def _is_up(event: Event) -> bool:
    return state(text(event.value, 60)) in CONNECTED


def _transport_connected(peer: PeerTrace) -> bool:
    return any(
        np.isin(transport.texts("dtlsState"), ["connected"]).any()
        for transport in peer.of("transport").values()
    )
