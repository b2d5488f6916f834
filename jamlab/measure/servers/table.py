"""The table of probed servers: a row per server of each ICE configuration."""

import asyncio
import ssl
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.servers.probe import (
    RELAY,
    ROUNDS,
    SOCKET,
    STEPS,
    TIMEOUT_S,
    WORKS,
    ServerProbe,
    probe,
)
from jamlab.measure.table import Table
from jamlab.networks.turn.fault import Fault

SERVER_COLUMNS = {
    "configuration": "object",  # name of the configuration that has the server
    "used": "bool",  # whether aiortc uses the server in this configuration
    "url": "object",
    "kind": "object",  # "stun" or "turn"
    "transport": "object",  # "udp", "tcp", "tls", or another that the URL names
    "outcome": "object",  # "works", or a `jamlab.networks.turn.fault.Fault`
    "detail": "object",  # the error as the server, the system or the TLS library worded it
    "step": "object",  # the failed step, one of `jamlab.measure.servers.probe.STEPS`, or ""
    "peer": "object",  # origin of the relayed datagram, "socket" or "relay"; or ""
    "round_trip_s": "float64",  # median; NaN without an answer
    "round_trips": "int64",  # number of them
    "relay_round_trip_s": "float64",  # median, from the peer through the relay and back; or NaN
    "software": "object",  # the SOFTWARE attribute, RFC 8489 §14.14
}

_VOCABULARY = {
    "kind": ("stun", "turn"),
    "outcome": (WORKS, *map(str, Fault)),
    "step": (*STEPS, ""),
    "peer": (SOCKET, RELAY, ""),
}


def _fault_of_steps(table: pd.DataFrame) -> str:
    if ((table["outcome"] == WORKS) != (table["step"] == "")).any():
        return "has a step that failed where a server works, or none where one does not"
    return ""


SERVERS = Table(SERVER_COLUMNS, vocabulary=_VOCABULARY, further_fault=_fault_of_steps)


def no_servers() -> pd.DataFrame:
    """Return an empty table."""
    return _table([])


async def probe_servers(
    configurations: Sequence[IceConfiguration],
    *,
    now_s: float,
    timeout_s: float = TIMEOUT_S,
    rounds: int = ROUNDS,
    tls: ssl.SSLContext | None = None,
) -> pd.DataFrame:
    """Probe every server of every configuration, different machines at once.

    A server of several configurations is probed once. Servers on one machine are probed one after
    another, so that the probes do not exhaust its quota.

    The table has a row for each server of each configuration, in their order, including those that
    aiortc ignores; columns as `SERVER_COLUMNS`. Other parameters are those of
    `jamlab.measure.servers.probe.probe`.
    """
    found: dict[IceServer, ServerProbe] = {}

    async def ask(servers: Iterable[IceServer]) -> None:
        for server in servers:
            found[server] = await probe(
                server, now_s=now_s, timeout_s=timeout_s, rounds=rounds, tls=tls
            )

    async with asyncio.TaskGroup() as group:
        for servers in _by_machine(configurations).values():
            group.create_task(ask(servers))
    return _table(
        {"configuration": each.name, "used": ignored is None, **_columns(found[server])}
        for each in configurations
        for server, ignored in zip(each.servers, each.reasons_ignored, strict=True)
    )


def probe_of(row: Mapping[Hashable, Any]) -> ServerProbe:
    """Return the probe in a row of the table."""
    return ServerProbe(**{name: row[name] for name in ServerProbe.__slots__})


def distinct_probes(table: pd.DataFrame) -> list[tuple[ServerProbe, str]]:
    """Return each server's probe, once, and the names of the configurations with the server."""
    first = table.drop_duplicates(["url", "outcome"]).to_dict("records")
    names = table.groupby(["url", "outcome"], sort=False)["configuration"].unique()
    return [(probe_of(row), "; ".join(have)) for row, have in zip(first, names, strict=True)]


def _by_machine(configurations: Sequence[IceConfiguration]) -> dict[str, dict[IceServer, None]]:
    machines: dict[str, dict[IceServer, None]] = {}
    for configuration in configurations:
        for server in configuration.servers:
            machines.setdefault(server.parsed["host"], {})[server] = None
    return machines


def _columns(found: ServerProbe) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ServerProbe.__slots__}


def _table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(SERVER_COLUMNS)).astype(SERVER_COLUMNS)
