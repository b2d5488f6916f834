from jamlab.measure.latency.musicians import BANDS, SOURCES
from jamlab.report.latency import musicians
from tests.measure.latency.records import record_of
from tests.measure.sound_card.records import card_record
from tests.report.page.pages import Page


def shown(one_way_ms, card=None):
    record = record_of(lambda *_: [one_way_ms] * 90, lambda *_: [60.0] * 90)
    return Page(musicians.figures_table(record, card).to_html()).table("musicians")


def test_without_a_card_it_is_said_what_is_lacking():
    _, network, mouth_to_ear = shown(35.0)
    assert network[0].startswith("Network and virtual cards: one-way latency")
    assert network[2].startswith("above the ensemble threshold; a steady tempo can be held")
    assert mouth_to_ear[1] == "not measured"


def test_with_a_card_both_figures_are_there():
    _, network, mouth_to_ear = shown(11.0, card_record({64: 480.0}))
    assert "closer than on a stage" in network[2]
    assert mouth_to_ear[1] == "21 ms"
    assert "at the ensemble threshold" in mouth_to_ear[2]


def test_the_bands_name_their_sources_and_the_page_reaches_nowhere():
    page = Page(musicians.bands().data)
    rows = page.table("bands")[1:]
    assert len(rows) == len(BANDS)
    assert rows[0][0] == "0 to 11.5 ms"
    assert rows[-1][0] == "100 ms and more"
    for source in SOURCES:
        assert source.title in page.text
        assert any(source.cited in row[2] for row in rows)
    assert "doi:10.1109/ACCESS.2016.2628440" in page.text
    assert page.addresses == []
