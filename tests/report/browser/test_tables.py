"""Tests of jamlab.report.browser.tables."""

from jamlab.measure.browser.sweep import UNCHANGED
from jamlab.measure.browser.verdicts import verdicts
from jamlab.report.browser import (
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    sweep_table,
    verdict_table,
)
from tests.measure.browser.records import browser_record, steady
from tests.report.page.test_tables import words


def test_the_masthead_names_the_browsers_and_the_way():
    text = words(masthead(browser_record(steady(30.0)), "Latency between browsers"))
    assert "2 × Chromium 156.0.1, inside the page, without sound cards" in text
    assert "PASS" in text


def test_the_verdicts_have_their_reasons():
    record = browser_record(steady(80.0))
    text = words(verdict_table(record))
    for verdict in verdicts(record):
        assert verdict.reason in text


def test_a_path_has_its_figures():
    text = words(path_table(browser_record(steady(30.0))))
    assert "player 1 → player 2" in text
    assert "300 of 300" in text
    assert "0.00%" in text
    assert "not stated" in words(path_table(browser_record(steady(30.0), stream=None)))


def test_remarks_are_text_and_never_markup():
    record = browser_record(
        steady(30.0),
        remarks=["<b>loud</b>"],
        asked={"player 1": [True], "player 2": [{"echoCancellation": {"exact": False}}]},
    )
    table = remarks_table(record)._repr_html_()
    assert "<b>" not in table
    text = words(remarks_table(record))
    assert "a microphone as the browser likes" in text
    assert "echoCancellation exact False" in text


def test_the_provenance_has_the_accuracy_and_the_arguments():
    text = words(provenance_table(browser_record(steady(30.0), error_ms=0.75)))
    assert "largest error of the clocks 0.75 ms" in text
    assert "url https://example.org/" in text


def test_a_sweep_has_a_row_per_variant():
    records = {UNCHANGED: browser_record(steady(80.0)), "ptime 10": browser_record(steady(70.0))}
    text = words(sweep_table(records))
    assert "ptime 10" in text
    assert "write a=ptime:10" in text
