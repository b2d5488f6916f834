"""What each measure against NATs adds, by the rule of `jamlab.networks.model.rule`.

Each step has all measures before it. The last makes a call of any two places connect; the one
before the relays is what can be direct at all. The steps are of the very calls of a campaign, so
its sessions stand beside them call by call.
"""

from collections.abc import Callable
from typing import TypeAlias

import pandas as pd

from jamlab.measure.connectivity.attempt import DIRECT
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.rule import RelayTransport, expected

Connects: TypeAlias = Callable[[Place, Place], bool]


def _over_ipv4(caller: Place, callee: Place, *, stun: bool) -> bool:
    return expected(caller, callee, stun=stun, ipv6=False, port_mapping=False).direct


def _with_relay(caller: Place, callee: Place, transport: RelayTransport) -> bool:
    paths = expected(caller, callee, stun=True, relay=transport)
    return paths.direct or paths.relayed


MEASURES: dict[str, Connects] = {
    "host addresses": lambda one, other: _over_ipv4(one, other, stun=False),
    "STUN": lambda one, other: _over_ipv4(one, other, stun=True),
    "IPv6": lambda one, other: expected(one, other, stun=True, port_mapping=False).direct,
    "port mapping": lambda one, other: expected(one, other, stun=True).direct,
    "TURN over UDP": lambda one, other: _with_relay(one, other, "udp"),
    "TURN over TCP or TLS": lambda one, other: _with_relay(one, other, "tcp"),
}
"""Whether two places connect with a measure and those before it."""

_THERE: dict[str, Callable[[Place], bool]] = {
    "IPv6": lambda place: place.ipv6 is not None,
    "port mapping": lambda place: place.maps_ports,
}
"""Measures that only some places have."""


def steps_table(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per measure: the share of calls that connect with it and those before.

    Columns: ``measure``, ``share`` (0 to 1, by the rule) and ``gain``: the share that it adds. The
    calls are counted once, whatever the number of configurations. IPv6 and port mapping are left
    out where no place has them.
    """
    once = sessions.drop_duplicates("call")
    places = [*map(place_named, {*once["caller"], *once["callee"]})]
    rows, before = [], 0.0
    for measure, connects in MEASURES.items():
        if measure in _THERE and not any(map(_THERE[measure], places)):
            continue
        share = float(_by_pair(once, connects).mean())
        rows.append({"measure": measure, "share": share, "gain": share - before})
        before = share
    return pd.DataFrame(rows)


def direct_by_rule(sessions: pd.DataFrame, *, stun: bool = True) -> "pd.Series[bool]":
    """Return for each call whether the rule knows a direct path, `stun` if there is a server."""
    return _by_pair(sessions, lambda one, other: expected(one, other, stun=stun).direct)


def _by_pair(sessions: pd.DataFrame, connects: Connects) -> "pd.Series[bool]":
    """Return for each call whether its places connect; each pair of places is asked once."""
    pairs = [*zip(sessions["caller"], sessions["callee"], strict=True)]
    known = {pair: connects(*map(place_named, pair)) for pair in set(pairs)}
    return pd.Series([known[pair] for pair in pairs], index=sessions.index, dtype=bool)


def against_rule(sessions: pd.DataFrame, *, stun: bool = True) -> tuple[int, int]:
    """Return the numbers of calls that are not direct although the rule says so, and vice versa."""
    by_rule, direct = direct_by_rule(sessions, stun=stun), sessions["result"] == DIRECT
    return int((by_rule & ~direct).sum()), int((direct & ~by_rule).sum())
