import math
import re

import pytest

from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.success import success_table
from jamlab.measure.connectivity.verdicts import connectivity_verdicts
from jamlab.measure.digits import measured
from jamlab.report.connectivity import tables as connectivity
from tests.measure.connectivity.attempts import (
    HOME,
    LADDER,
    POPULATIONS,
    SYMMETRIC,
    TURN,
    attempts_between,
    campaign,
    record_of,
)
from tests.report.page.pages import Page

TABLES = [
    connectivity.verdict_table,
    lambda record: connectivity.population_table(record, HOME),
    connectivity.shares_table,
    connectivity.times_table,
    connectivity.states_table,
    connectivity.provenance_table,
]


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(
        "jamlab.measure.connectivity.verdicts.load_population", POPULATIONS.__getitem__
    )


def words(shown):
    return Page(shown._repr_html_()).text


def test_the_masthead_says_what_was_measured_and_its_verdict():
    text = words(connectivity.masthead(campaign(calls=60), "A <title>"))
    assert text.startswith("A <title> 60 calls of bare ICE agents within the population home")
    assert "simulated internet" in text


def test_the_verdict_table_says_target_value_interval_and_reason():
    record = campaign(calls=80)
    text = words(connectivity.verdict_table(record))
    for verdict in connectivity_verdicts(record):
        low, high = verdict.interval
        assert "≥ 80 %" in text
        assert measured(verdict.value, low, high, "%", 80) in text
        assert verdict.reason in text


def test_the_population_s_interval_and_the_simulation_s_error_stand_apart():
    record = campaign(calls=300)
    shown = connectivity.population_table(record, HOME).data
    judged = connectivity_verdicts(record)
    assert len(shown) == len(judged) == 5
    for both, alone, verdict in zip(
        shown["In the population"], shown["Simulation error, 300 calls"], judged, strict=True
    ):
        low, high = verdict.interval
        assert both == measured(verdict.value, low, high, "%")
        least, most = map(float, re.findall(r"[\d.]+", alone.partition("(")[2]))
        assert low - 0.05 <= least <= verdict.value <= most <= high + 0.05


def test_the_tolerated_share_and_the_population_s_own_have_intervals():
    shown = connectivity.population_table(campaign(calls=300, stolen=0.5), HOME).data
    up_to = list(shown["80% reached with symmetric NATs up to"])
    assert re.fullmatch(r"\d+\.\d% \(\d+\.\d to \d+\.\d%\)", up_to[0])
    assert up_to[1].startswith("missed even without symmetric NATs: ")
    assert up_to[-1].startswith("100.0%")
    assert all(each.startswith("10.0% (") for each in shown["The population has"])


def test_pairs_nobody_tried_leave_the_tolerated_share_open():
    record = record_of(attempts_between([(SYMMETRIC, SYMMETRIC)] * 9))
    shown = connectivity.population_table(record, HOME).data
    assert set(shown["80% reached with symmetric NATs up to"]) == {"too few pairs were tried"}


def test_the_shares_are_those_of_the_table():
    record = campaign(calls=80)
    shown = connectivity.shares_table(record).data
    rows = success_table(record.attempts)
    assert list(shown["Configuration"]) == [STUN_ONLY, TURN, LADDER]
    for heading, column in (("Selected direct", "selected_direct"), ("Gain by TURN", "relayed")):
        for words_, share in zip(shown[heading], rows[column], strict=True):
            assert words_.startswith(f"{100 * share:.0f} % (")


def test_a_share_nobody_could_measure_is_not_a_number():
    shown = connectivity.shares_table(campaign(calls=9, configurations=(TURN,))).data
    assert shown["Direct-capable"].item() == "not measured"


def test_a_time_not_reached_is_said():
    record = record_of(attempts_between([(SYMMETRIC, SYMMETRIC)] * 9))
    shown = connectivity.times_table(record).data.set_index("Configuration")
    assert set(shown.loc[STUN_ONLY].iloc[2:]) == {"not reached"}
    assert shown.loc[STUN_ONLY, "Not connected"] == "9"
    assert connectivity._time(1.5, 1.25, math.inf) == "1.50 s (1.25–not reached)"


def test_states_come_by_configuration_with_those_that_ended():
    record = record_of(attempts_between([(SYMMETRIC, SYMMETRIC)] * 3))
    shown = connectivity.states_table(record).data
    assert list(zip(shown["Configuration"], shown["ICE state"], shown["Stays"], strict=True)) == [
        (STUN_ONLY, "new", "3"),
        (TURN, "new", "3"),
        (TURN, "checking", "3"),
        (LADDER, "new", "3"),
        (LADDER, "checking", "3"),
    ]
    assert shown["Median"].iloc[0] == "7.50 s"  # a quarter of 30 s, by the made-up states


def test_a_campaign_without_a_state_that_ended_has_an_empty_table():
    record = campaign(calls=3)
    record.attempts["states"] = "[]"
    assert len(connectivity.states_table(record).data) == 0


def test_provenance_says_what_was_asked_and_with_what():
    text = words(connectivity.provenance_table(campaign(calls=12)))
    for fact in ("calls 12", "population home", "deadline 30 s", "level ice", "aioice", "UTC"):
        assert fact in text
    assert f"{STUN_ONLY}, {TURN}, {LADDER}" in text


@pytest.mark.parametrize("make", TABLES)
def test_what_a_record_says_is_never_markup(make):
    record = campaign(calls=12)
    swapped = {STUN_ONLY: STUN_ONLY, TURN: "<b>TURN</b>", LADDER: LADDER}
    record.attempts["configuration"] = record.attempts["configuration"].map(swapped)
    record.provenance["configurations"] = list(swapped.values())
    record.provenance["with_turn"] = list(swapped.values())[1:]
    page = Page(make(record)._repr_html_())
    assert "b" not in page.tags
    assert "<b>TURN</b>" in page.text


@pytest.mark.parametrize("make", TABLES)
def test_the_same_record_gives_the_same_bytes(make):
    record = campaign(calls=12)
    assert make(record)._repr_html_() == make(record)._repr_html_()
