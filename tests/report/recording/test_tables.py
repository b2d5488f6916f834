"""Tables of a recording's record."""

import pytest

from jamlab.report.recording import tables
from tests.measure.recording.records import arrival, beats, recording_record
from tests.report.page.pages import Page

EVIL = "<script>alert(1)</script>$x_{"
TABLES = {
    "verdicts": tables.verdict_table,
    "arrivals": tables.arrival_table,
    "delays": tables.delay_table,
    "provenance": tables.provenance_table,
}


def two_files(**options):
    return recording_record(
        arrival(1, beats(90)),
        arrival(2, beats(90, 0.03), channel=2),
        arrival(3, beats(90), file=2, voice=4),
        names=(EVIL, "b.wav"),
        **options,
    )


def rows(name, record):
    heads, *cells = Page(TABLES[name](record).to_html()).table(name)
    return [dict(zip(heads, row, strict=True)) for row in cells]


@pytest.mark.parametrize("name", TABLES)
def test_names_of_files_are_text(name):
    page = Page(TABLES[name](two_files(target_ms=40)).to_html())
    assert "script" not in page.tags


def test_a_delay_is_described():
    (row,) = rows("delays", recording_record())
    assert (row["From"], row["To"]) == ("1: channel 1", "2: channel 2")
    assert row["Median"] == row["95th percentile"] == "30.0 ms"
    assert row["Heard"] == "100.0% of 90"


def test_an_arrival_is_described():
    first, *_ = rows("arrivals", two_files())
    assert first["Arrival"] == f"1: {EVIL}, channel 1, voice 0"
    assert first["Clicks"] == "90"


def test_without_a_target_there_is_a_sentence():
    assert "No target was named" in tables.verdict_table(recording_record()).data


def test_notes_are_a_list_and_text():
    assert tables.notes(recording_record()).data == ""
    said = tables.notes(recording_record(notes=[EVIL])).data
    assert "script" not in Page(said).tags


def test_without_a_delay_the_table_is_empty():
    assert tables.delay_table(recording_record(arrival(1, beats(9)))).to_html()


def test_the_head_has_the_files():
    head = tables.masthead(two_files(target_ms=40), "A recording")
    assert "b.wav" in head.subject
    assert len(head.verdicts) == 1
