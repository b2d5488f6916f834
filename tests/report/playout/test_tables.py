"""Tests of jamlab.report.playout.tables."""

import pytest

from jamlab.measure.playout.verdicts import playout_verdicts
from jamlab.report.playout import (
    accepted_table,
    masthead,
    playout_table,
    provenance_table,
    stream_table,
    verdict_table,
)
from tests.measure.playout.records import playout_record
from tests.report.page.test_tables import words

RECORD = playout_record()


def test_the_masthead_names_the_traces_and_the_verdict():
    text = words(masthead(RECORD, "Playout buffers"))
    assert "wifi, played" in text
    assert "PASS" in text


def test_every_verdict_has_its_reason():
    text = words(verdict_table(RECORD))
    for verdict in playout_verdicts(RECORD):
        assert verdict.reason in text


def test_a_buffer_has_its_figures_with_its_authors_setting():
    text = words(playout_table(RECORD))
    assert "NetEq-like quantile 0.95 20 ms 0.01 % 0.01 %" in text
    assert "stock aiortc – 100 ms" in text
    assert "constant" not in text


@pytest.mark.parametrize(
    ("percent", "own"), [(0.05, "10 ms"), (0.5, "10 ms"), (0.01, "–"), (10.0, "10 ms")]
)
def test_the_delays_at_an_accepted_share(percent, own):
    text = words(accepted_table(RECORD, percent))
    assert f"jamlab {own}" in text
    assert "stock aiortc 100 ms" in text


def test_the_bounds_are_there_at_an_accepted_share_of_the_record():
    assert "best per second 9 ms" in words(accepted_table(RECORD, 0.1))


def test_a_trace_has_its_losses_and_its_floor():
    text = words(stream_table(playout_record(lost=0.25)))
    assert "wifi 60 s 12,000 25 % 5.30 ms" in text


def test_the_provenance_has_parameters_and_versions():
    text = words(provenance_table(RECORD))
    assert "accept percent 0.1, 1" in text
    assert "notes wifi: halved" in text
    assert "aiortc" in text


def test_text_from_outside_is_no_markup():
    record = playout_record(trace="<b>wifi</b>$x$")
    tables = [
        each(record) for each in (verdict_table, playout_table, stream_table, provenance_table)
    ]
    for table in (*tables, accepted_table(record, 0.1), masthead(record, "Playout buffers")):
        assert "<b>" not in table._repr_html_()


def test_a_buffer_that_played_nothing_is_not_measured():
    record = playout_record()
    playbacks = record.playbacks.assign(delay_ms=float("nan"))
    silent = type(record)(playbacks, record.bounds, record.streams, record.provenance)
    assert "not measured" in words(playout_table(silent))
