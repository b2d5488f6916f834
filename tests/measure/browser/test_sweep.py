"""Tests of jamlab.measure.browser.sweep, on records of chosen figures."""

import pytest

from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.sweep import (
    TOGETHER,
    UNCHANGED,
    advice,
    load_sweep,
    sweep_table,
    variants,
)
from tests.measure.browser.records import URL, browser_record, steady


def test_it_tries_each_lever_alone_and_all_together():
    plans = variants(BrowserPlan(URL))
    first, *_, last = plans
    assert (first, last) == (UNCHANGED, TOGETHER)
    assert plans[UNCHANGED].levers == ()
    alone = [plan.levers for name, plan in plans.items() if name not in (UNCHANGED, TOGETHER)]
    assert plans[TOGETHER].levers == tuple(name for levers in alone for name in levers)


def test_sound_cards_have_levers_of_their_own():
    inside, system = (set(variants(BrowserPlan(URL, audio=way))) for way in ("injected", SYSTEM))
    assert system - inside == {"no processing", "audio buffer 128"}


def test_the_table_has_a_row_per_variant_and_its_gain():
    records = {UNCHANGED: 80.0, "ptime 10": 70.0, TOGETHER: 55.0}
    table = sweep_table({name: browser_record(steady(ms)) for name, ms in records.items()})
    assert list(table["variant"]) == list(records)
    assert list(table["gain_ms"]) == pytest.approx([0.0, 10.0, 25.0], abs=0.01)
    assert "a=ptime:10" in table["change"][1]


@pytest.mark.parametrize(
    ("latencies_ms", "words"),
    [
        ((40.0, 38.0, 30.0), "meets the target of 50 ms as it is"),
        ((80.0, 40.0, 30.0), "“ptime 10” alone meets the target of 50 ms: write a=ptime:10"),
        ((80.0, 70.0, 40.0), "All levers together meet the target of 50 ms: 40 ms"),
        ((90.0, 85.0, 80.0), "What is left is mostly “jitter buffer”, 40 ms"),
    ],
)
def test_the_advice_names_what_would_meet_the_target(latencies_ms, words):
    names = (UNCHANGED, "ptime 10", TOGETHER)
    records = {
        name: browser_record(steady(ms)) for name, ms in zip(names, latencies_ms, strict=True)
    }
    assert words in advice(records)


def test_a_sweep_is_read_as_it_was_written(tmp_path):
    records = {name: browser_record(steady(40.0)) for name in (UNCHANGED, "ptime 10")}
    records[UNCHANGED].save(tmp_path)
    records["ptime 10"].provenance["variant"] = "ptime 10"
    records["ptime 10"].save(tmp_path / "sweep" / "01")
    assert list(load_sweep(tmp_path)) == [UNCHANGED, "ptime 10"]
