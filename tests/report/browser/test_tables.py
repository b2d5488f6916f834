"""Tests of jamlab.report.browser.tables."""

from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.sweep import UNCHANGED
from jamlab.measure.browser.verdicts import verdicts
from jamlab.report.browser import (
    how,
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    sweep_table,
    verdict_table,
)
from tests.measure.browser.records import URL, browser_record, steady
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


def test_only_the_way_of_the_audio_that_was_used_is_explained():
    inside = browser_record(steady(30.0))
    system = browser_record(steady(30.0), plan=BrowserPlan(URL, audio=SYSTEM))
    assert "Inside the page" in how(inside)
    assert "audio system" not in how(inside)
    assert "Through the audio system" in how(system)
    assert "clocks are read" not in how(system)
    assert "error of the clocks" not in words(provenance_table(system))
    assert "delay of the rig" not in words(provenance_table(inside))


def test_a_sweep_has_a_row_per_variant():
    records = {UNCHANGED: browser_record(steady(80.0)), "ptime 10": browser_record(steady(70.0))}
    text = words(sweep_table(records))
    assert "ptime 10" in text
    assert "write a=ptime:10" in text
    assert "100%" in text


def test_a_gain_that_is_noise_is_said_to_be():
    def jumping(_a, _b, session, click):
        return (80.0, 130.0, 95.0)[session] + 0.01 * click

    records = {UNCHANGED: browser_record(jumping), "ptime 10": browser_record(jumping)}
    records[UNCHANGED].provenance["contexts"] = {"player 1": 0, "player 2": 0}
    text = words(sweep_table(records))
    assert "not distinguishable" in text
    assert "does not apply: the page makes no AudioContext" in text
