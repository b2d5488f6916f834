"""Tests of jamlab.measure.browser.sweep, on records of chosen figures."""

import math

import pytest

from jamlab.measure.browser import sweep
from jamlab.measure.browser.plan import SYSTEM, BrowserPlan
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.sweep import (
    AGAIN,
    TOGETHER,
    UNCHANGED,
    advice,
    gain,
    gain_words,
    load_sweep,
    measure_sweep,
    sweep_table,
    variants,
)
from tests.measure.browser.records import URL, browser_record, steady


def test_it_tries_each_lever_alone_and_all_together():
    plans = variants(BrowserPlan(URL))
    first, *_, together, last = plans
    assert (first, together, last) == (UNCHANGED, TOGETHER, AGAIN)
    assert plans[UNCHANGED].levers == plans[AGAIN].levers == ()
    of_all = (UNCHANGED, TOGETHER, AGAIN)
    alone = [plan.levers for name, plan in plans.items() if name not in of_all]
    assert plans[TOGETHER].levers == tuple(name for levers in alone for name in levers)


def test_sound_cards_have_levers_of_their_own():
    inside, system = (set(variants(BrowserPlan(URL, audio=way))) for way in ("injected", SYSTEM))
    assert system - inside == {"no processing", "audio buffer 128", "period 64"}


def test_the_table_has_a_row_per_variant_and_its_gain():
    records = {UNCHANGED: 80.0, "ptime 10": 70.0, TOGETHER: 55.0}
    table = sweep_table({name: browser_record(steady(ms)) for name, ms in records.items()})
    assert list(table["variant"]) == list(records)
    assert list(table["gain_ms"]) == pytest.approx([0.0, 10.0, 25.0], abs=0.01)
    assert "a=ptime:10" in table["change"][1]


def jumping(*levels_ms):
    """Return latencies whose level is another in each session."""
    return lambda _a, _b, session, click: levels_ms[session] + 0.01 * (click % 7)


def test_a_difference_within_the_noise_is_no_gain():
    base = browser_record(jumping(90.0, 130.0, 104.0))
    other = browser_record(jumping(85.0, 118.0, 109.0))
    found = gain(base, other)
    assert found.value == pytest.approx(-5.0, abs=0.1)
    assert found.low < 0 < found.high
    assert "not distinguishable" in gain_words(found.value, found.low, found.high)
    words = advice({UNCHANGED: base, "ptime 10": other})
    assert "No gain can be told from chance" in words
    assert "“ptime 10”" not in words


def test_a_gain_covers_the_true_difference_and_the_errors_of_the_clocks():
    narrow, wide = (
        gain(
            browser_record(steady(80.0), error_ms=error_ms),
            browser_record(steady(70.0), error_ms=2 * error_ms),
        )
        for error_ms in (0.0, 1.0)
    )
    assert narrow.low < 10.0 < narrow.high
    assert narrow.low - wide.low == pytest.approx(3.0)
    assert wide.high - narrow.high == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("sessions", "observed"), [(1, {}), (3, {"pauses_ms": 40.0})], ids=["one session", "invalid"]
)
def test_a_gain_has_no_interval_without_sessions_or_validity(sessions, observed):
    base = browser_record(steady(80.0))
    found = gain(base, browser_record(steady(40.0), sessions=sessions, **observed))
    assert (found.value, found.low, found.high) == (
        pytest.approx(40.0, abs=0.2),
        -math.inf,
        math.inf,
    )


def test_a_variant_that_does_not_count_says_why_and_is_not_advised():
    records = {
        UNCHANGED: browser_record(steady(80.0)),
        "ptime 10": browser_record(steady(40.0), pauses_ms=40.0),
        AGAIN: browser_record(steady(80.0)),
    }
    table = sweep_table(records).set_index("variant")
    assert (
        "does not count, because the audio of a page stood still" in table.loc["ptime 10", "fault"]
    )
    assert table.loc[AGAIN, "fault"] == ""
    assert "“ptime 10”" not in advice(records)
    assert "No lever surely meets the target" in advice(records)


def test_without_a_base_that_counts_nothing_is_advised():
    records = {
        UNCHANGED: browser_record(steady(80.0), pauses_ms=40.0),
        "ptime 10": browser_record(steady(40.0)),
    }
    assert advice(records).startswith("Nothing can be advised: the application as it is does not")


def test_the_base_is_both_runs_as_it_is():
    records = {
        UNCHANGED: browser_record(steady(80.0)),
        "ptime 10": browser_record(steady(80.0)),
        AGAIN: browser_record(steady(90.0)),
    }
    table = sweep_table(records).set_index("variant")
    assert table.loc["ptime 10", "gain_ms"] == pytest.approx(5.0, abs=0.2)
    assert table.loc["ptime 10", "gain_ms_low"] < 0 < table.loc["ptime 10", "gain_ms_high"]
    assert table.loc[AGAIN, "gain_ms"] == pytest.approx(-10.0, abs=0.01)


def test_clicks_that_were_not_heard_are_infinitely_late():
    deaf = browser_record(lambda a, *_: 20.0 if a == "player 1" else None)
    records = {UNCHANGED: browser_record(steady(80.0)), "ptime 10": deaf}
    row = sweep_table(records).set_index("variant").loc["ptime 10"]
    assert row["median_ms"] == math.inf
    assert row["heard_share"] == 0.0
    assert "too few clicks were heard" in gain_words(row["gain_ms"], -math.inf, math.inf)


def test_all_together_names_its_changes():
    plan = BrowserPlan(URL, levers=("ptime 10", "RED first"))
    records = {
        UNCHANGED: browser_record(steady(80.0)),
        TOGETHER: browser_record(steady(70.0), plan=plan),
    }
    assert sweep_table(records)["change"][1] == "ptime 10; RED first"


@pytest.mark.slow
@pytest.mark.parametrize(("contexts", "applies"), [(0, False), (1, True)])
async def test_a_lever_that_does_not_apply_is_not_tried(monkeypatch, tmp_path, contexts, applies):
    tried = []

    async def measured(variant):
        tried.append(variant.levers)
        return browser_record(steady(40.0), contexts={"player 1": contexts, "player 2": 0})

    monkeypatch.setattr(sweep, "measure_browsers", measured)
    records = await measure_sweep(BrowserPlan(URL), tmp_path)
    assert (("latencyHint 0",) in tried) == applies
    row = sweep_table(records).set_index("variant").loc["latencyHint 0"]
    assert row["fault"] == ("" if applies else "does not apply: the page makes no AudioContext")


@pytest.mark.slow
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


async def test_every_variant_is_written_when_it_is_measured(monkeypatch, tmp_path):
    async def measured(variant):
        if variant.levers == ("ptime 10",):
            raise PlayerError("the tab crashed")
        if variant.levers == ("stereo, 128 kb/s",):
            raise KeyboardInterrupt
        return browser_record(steady(40.0))

    monkeypatch.setattr(sweep, "measure_browsers", measured)
    with pytest.raises(KeyboardInterrupt):
        await measure_sweep(BrowserPlan(URL), tmp_path)
    kept = load_sweep(tmp_path)
    assert list(kept) == [UNCHANGED]
    assert "with ptime 10: the tab crashed" in kept[UNCHANGED].provenance["remarks"]


def test_a_sweep_is_read_as_it_was_written(tmp_path):
    records = {name: browser_record(steady(40.0)) for name in (UNCHANGED, "ptime 10")}
    records[UNCHANGED].save(tmp_path)
    records["ptime 10"].provenance["variant"] = "ptime 10"
    records["ptime 10"].save(tmp_path / "sweep" / "01")
    assert list(load_sweep(tmp_path)) == [UNCHANGED, "ptime 10"]
