"""Tables of servers and attempts on this machine's network."""

import math

import pandas as pd
import pytest

from jamlab.measure.connectivity.record import THIS_MACHINE, ConnectivityRecord
from jamlab.measure.provenance import provenance
from jamlab.measure.servers.probe import SOCKET, WORKS, ServerProbe
from jamlab.measure.servers.table import SERVER_COLUMNS, probe_of
from jamlab.measure.servers.words import sentence
from jamlab.networks.turn.fault import Fault
from jamlab.report.connectivity import servers
from jamlab.report.connectivity import tables as connectivity
from tests.measure.connectivity.attempts import row, table
from tests.report.page.pages import Page

HERE = "this machine"
GOOD = ServerProbe(
    "turn:a.example",
    "turn",
    "udp",
    WORKS,
    peer=SOCKET,
    round_trip_s=0.0123,
    round_trips=9,
    relay_round_trip_s=0.0456,
    software="A <b>turn</b> server",
)
BAD = ServerProbe("turns:b.example", "turn", "tls", str(Fault.QUOTA), "486", "allocates")


def columns(found):
    return {name: getattr(found, name) for name in ServerProbe.__slots__}


def record_here():
    """Return a record of two configurations; one server is in both."""
    rows = [
        {"configuration": name, "used": used, **columns(found)}
        for name, used, found in [("one", True, GOOD), ("one", False, BAD), ("two", True, GOOD)]
    ]
    asked = pd.DataFrame(rows, columns=list(SERVER_COLUMNS)).astype(SERVER_COLUMNS)
    attempts = [row(n, "one", HERE, HERE, "direct", 0.1 * (n + 1)) for n in range(3)]
    attempts += [row(n, "two", HERE, HERE, ("relayed", "failed")[n % 2]) for n in range(3)]
    told = {"network": THIS_MACHINE, "population": None, "calls": 3, "level": "ice"}
    told |= {"configurations": ["one", "two"], "with_turn": ["one", "two"], "relay_only": []}
    return ConnectivityRecord(table(attempts), provenance({}, **told), asked)


def words(shown):
    return Page(shown._repr_html_()).text


def test_a_server_s_steps_and_times():
    shown = servers.servers_table(record_here()).data
    assert shown["Server"].tolist() == [GOOD.url, BAD.url, GOOD.url]
    assert shown["Over"].tolist() == ["UDP", "TLS", "UDP"]
    steps = shown[["Reachable", "Authenticates", "Allocates", "Relays"]].to_numpy().tolist()
    assert steps[0] == ["✓ yes"] * 4
    assert steps[1] == ["✓ yes", "✓ yes", "✗ no", "–"]
    assert shown["Round trip"].tolist() == ["12.3 ms", "–", "12.3 ms"]
    assert shown["Through the relay"].tolist() == ["45.6 ms", "–", "45.6 ms"]
    assert shown["Used by aiortc"].tolist() == ["yes", "no", "yes"]


def test_sentences_come_once_for_each():
    record = record_here()
    shown = servers.sentences_table(record).data
    assert shown["Server"].tolist() == [GOOD.url, BAD.url]
    assert shown["Configuration"].tolist() == ["one; two", "one"]
    for said, each in zip(shown["In words"], record.servers.to_dict("records"), strict=False):
        assert Page(said).text == sentence(probe_of(each))


def test_what_a_server_calls_itself_is_never_markup():
    page = Page(servers.sentences_table(record_here())._repr_html_())
    assert "b" not in page.tags
    assert "<b>turn</b>" in page.text


def test_attempts_are_counted():
    shown = servers.attempts_table(record_here()).data.set_index("Configuration")
    assert shown.loc["one"].tolist() == [
        *("3", "3", "0", "0", "srflx – srflx", "–", "0.20 s (0.10–0.30)", "–"),
    ]
    assert shown.loc["two"].tolist() == [
        *("3", "0", "2", "1", "relay – srflx", "UDP", "0.40 s (0.40–0.40)", "deadline"),
    ]


def test_where_none_connects_there_is_no_time():
    record = record_here()
    failed = [row(0, "one", HERE, HERE, "failed")]
    record = ConnectivityRecord(table(failed), record.provenance, record.servers)
    shown = servers.attempts_table(record).data
    assert shown["Time to connect"].item() == "–"


def test_the_head_and_the_provenance_know_of_no_population():
    record = record_here()
    text = words(connectivity.masthead(record, "Own servers"))
    assert "3 attempts under each configuration, between two ends on this machine" in text
    assert "FAIL" in text
    assert "population" not in text
    assert "population" not in words(connectivity.provenance_table(record))
    verdicts = words(connectivity.verdict_table(record))
    assert "66.7 %" in verdicts
    assert "turns:b.example (one): quota" in verdicts


@pytest.mark.parametrize(
    "make", [servers.servers_table, servers.sentences_table, servers.attempts_table]
)
def test_the_same_record_gives_the_same_bytes_and_no_nan(make):
    record = record_here()
    assert make(record)._repr_html_() == make(record)._repr_html_()
    assert "nan" not in words(make(record)).lower()
    assert math.isnan(BAD.round_trip_s)
