import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.report.dump import tables
from tests.measure.dump.calls import events, internals, samples, write
from tests.report.page.pages import Page

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def dump(tmp_path):
    call = internals(samples([30.0] * 90, lost=1, relay=True), events(), name=EVIL)
    return read_dump(write(tmp_path / "call", call))


@pytest.fixture
def empty(tmp_path):
    return read_dump(write(tmp_path / "empty", {"PeerConnections": {}}))


TABLES = {
    "verdicts": tables.verdict_table,
    "connections": tables.connection_table,
    "streams": tables.stream_table,
    "stages": tables.stage_table,
    "ice": tables.ice_table,
    "provenance": tables.provenance_table,
}


def page(made):
    return Page(made.to_html())


def rows(name, dump):
    heads, *cells = page(TABLES[name](dump)).table(name)
    return [dict(zip(heads, row, strict=True)) for row in cells]


@pytest.mark.parametrize("name", TABLES)
def test_names_in_a_dump_are_text(dump, name):
    assert "script" not in page(TABLES[name](dump)).tags


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_dump_has_empty_tables(empty, name):
    assert TABLES[name](empty).to_html()


def test_a_connection_is_described(dump):
    (row,) = rows("connections", dump)
    assert row["Connection"] == f"1: {EVIL}"
    assert row["Time to connect"] == "639 to 641 ms"
    assert (row["State"], row["Route"], row["Connected"]) == ("connected", "relayed", "yes")


def test_a_stream_is_described(dump):
    heard, sent = rows("streams", dump)
    assert (heard["Stream"], heard["Connection"], heard["Lost"]) == (
        "1: IT01A1",
        "1, inbound",
        "90",
    )
    assert heard["Codec"] == "opus"
    assert (heard["Bitrate"], heard["Seconds"]) == ("32 kbit/s", "90")
    assert (sent["Concealed"], sent["Jitter"]) == ("–", "3 ms")


def test_the_network_is_a_bound_and_capture_is_unknown(dump):
    found = {row["Stage"]: row for row in rows("stages", dump)}
    assert found["network"]["Median"] == "0 to 60 ms"
    assert found["capture and encoding"]["Median"] == "–"
    assert found["jitter buffer"]["Median"] == "30 ms"


def test_a_long_timeline_is_cut_and_says_so(dump, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    assert "more rows are in the dump's table" in tables.ice_table(dump).to_html()
    assert len(rows("ice", dump)) == 2


def test_the_head_has_browser_and_date(dump, empty):
    assert tables.masthead(dump, "A call").subject == (
        "Chrome 135 · 1 connection · webrtc-internals · recorded 2023-11-14 22:13 UTC"
    )
    assert "unknown browser" in tables.masthead(empty, "A call").subject


def test_notes_are_a_list_or_nothing(dump, empty):
    assert tables.notes(dump).data == ""
    assert "<li>The dump has no peer connection" in tables.notes(empty).data


def test_browsers_are_known_by_their_own_name():
    edge = "Mozilla/5.0 AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
    assert tables.browser_words(edge) == "Edge 140"
    assert tables.browser_words("Mozilla/5.0 Version/18.1 Safari/605") == "Safari 18"
    assert tables.browser_words("curl") == "unknown browser"
