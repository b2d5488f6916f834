"""The table of servers: its probes and their number, and errors for damaged tables."""

import asyncio
import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.servers import table as servers
from jamlab.measure.servers.probe import STEPS, WORKS, ServerProbe
from jamlab.measure.servers.table import (
    SERVER_COLUMNS,
    SERVERS,
    distinct_probes,
    no_servers,
    probe_of,
    probe_servers,
)
from jamlab.networks.turn.fault import Fault
from jamlab.networks.turn.server import TurnServer

STUN = IceServer("stun:a.example")
UDP = IceServer("turn:a.example", "jam", "x")
TCP = IceServer("turn:a.example?transport=tcp", "jam", "x")
OTHER = IceServer("stun:b.example")
CONFIGURATIONS = [
    IceConfiguration("one", (STUN, UDP, TCP)),
    IceConfiguration("two", (OTHER, UDP)),
    IceConfiguration("none"),
]


@pytest.fixture
def asked(monkeypatch):
    """Answer probes once those that are to be under way at a time are; note the order."""
    noted, hosts = [], set()
    met = asyncio.Event()

    async def answer(server, **_options):
        assert server.parsed["host"] not in hosts, "two at once on one machine"
        hosts.add(server.parsed["host"])
        noted.append(server)
        if len(hosts) == 2:
            met.set()
        await met.wait()
        hosts.discard(server.parsed["host"])
        return ServerProbe(server.urls, "turn" if server.is_turn else "stun", "udp", WORKS)

    monkeypatch.setattr(servers, "probe", answer)
    return noted


async def test_each_is_asked_once_different_machines_at_a_time(asked):
    table = await probe_servers(CONFIGURATIONS, now_s=0.0)
    assert sorted(map(repr, asked)) == sorted(map(repr, (STUN, UDP, TCP, OTHER)))
    rows = table[["configuration", "url", "used"]].to_numpy().tolist()
    assert rows == [
        ["one", STUN.urls, True],
        ["one", UDP.urls, True],
        ["one", TCP.urls, False],  # aiortc uses the first TURN server only
        ["two", OTHER.urls, True],
        ["two", UDP.urls, True],
    ]
    assert SERVERS.fault(table) == ""


async def test_what_several_configurations_have_comes_once_with_their_names(asked):
    table = await probe_servers(CONFIGURATIONS, now_s=0.0)
    table.loc[table["url"] == TCP.urls, ["outcome", "step"]] = str(Fault.REFUSED), "reachable"
    assert [(found.url, found.works, names) for found, names in distinct_probes(table)] == [
        (STUN.urls, True, "one"),
        (UDP.urls, True, "one; two"),
        (TCP.urls, False, "one"),
        (OTHER.urls, True, "two"),
    ]
    assert distinct_probes(no_servers()) == []


async def test_a_probe_that_is_interrupted_takes_the_others_with_it(monkeypatch):
    async def wait(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(servers, "probe", wait)
    asking = asyncio.create_task(probe_servers(CONFIGURATIONS, now_s=0.0))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_real_one_is_in_the_table_without_its_credential(tmp_path):
    users = {"jam": "a-secret-word"}
    async with TurnServer(port=0, users=users, rng=random.Random(1)) as server:
        own = IceServer(f"turn:127.0.0.1:{server.address[1]}", "jam", "a-secret-word")
        table = await probe_servers([IceConfiguration("own", (own,))], now_s=0.0)
    assert table["outcome"].item() == WORKS
    table.to_parquet(tmp_path / "servers.parquet", index=False)
    assert b"a-secret-word" not in (tmp_path / "servers.parquet").read_bytes()
    again = pd.read_parquet(tmp_path / "servers.parquet")
    assert SERVERS.fault(again) == ""
    (row,) = again.to_dict("records")
    assert probe_of(row).passed("relays")


async def test_no_servers_at_all():
    table = await probe_servers([IceConfiguration("none")], now_s=0.0)
    pd.testing.assert_frame_equal(table, no_servers())
    assert list(table.columns) == list(SERVER_COLUMNS)
    assert SERVERS.fault(table) == ""


def good():
    found = ServerProbe("stun:a", "stun", "udp", WORKS, round_trip_s=0.1, round_trips=5)
    fields = {name: getattr(found, name) for name in ServerProbe.__slots__}
    row = {"configuration": "one", "used": True, **fields}
    return pd.DataFrame([row], columns=list(SERVER_COLUMNS)).astype(SERVER_COLUMNS)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("outcome", "fine", "has 'fine' for a outcome"),
        ("kind", "sturn", "has 'sturn' for a kind"),
        ("step", "thinks", "has 'thinks' for a step"),
        ("step", STEPS[0], "a step that failed where a server works"),
        ("outcome", str(Fault.SILENT), "or none where one does not"),
        ("used", "perhaps", "has something other than true or false in its column used"),
        ("round_trip_s", "long", "has something other than numbers in its column round_trip_s"),
    ],
)
def test_a_table_that_is_none(column, value, words):
    table = good()
    assert SERVERS.fault(table) == ""
    table[column] = [value]
    assert words in SERVERS.fault(table)


@given(st.sampled_from(sorted(SERVER_COLUMNS)))
def test_a_column_that_is_missing_is_named(column):
    assert column in SERVERS.fault(good().drop(columns=column))
