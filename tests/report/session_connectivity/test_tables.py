import json
import math

import pytest

from jamlab.measure.digits import measured
from jamlab.measure.session_connectivity.verdicts import session_verdicts
from jamlab.report import session_connectivity as shown
from tests.measure.connectivity.attempts import OPEN, POPULATIONS, PORT_RESTRICTED, SYMMETRIC
from tests.measure.connectivity.attempts import campaign as agents_campaign
from tests.measure.session_connectivity.meetings import campaign, record_of, row, table
from tests.report.page.pages import Page


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(
        "jamlab.measure.session_connectivity.verdicts.load_population", POPULATIONS.__getitem__
    )


def words(styled):
    return Page(styled._repr_html_()).text


def test_the_masthead_says_what_met_and_where_and_the_verdict():
    text = words(shown.masthead(campaign(calls=60), agents_campaign(calls=90), "A <title>"))
    assert text.startswith("A <title> 60 meetings of two sessions within the population home")
    assert "network same country, and 90 calls of bare ICE agents" in text


def test_the_verdict_table_says_target_value_interval_and_reason():
    record = campaign(calls=80)
    text = words(shown.verdict_table(record))
    for verdict in session_verdicts(record):
        assert measured(verdict.value, *verdict.interval, verdict.unit, verdict.limit) in text
        assert verdict.reason in text


def test_paths_and_times_are_those_counted_by_hand():
    rows = [row(n, OPEN, PORT_RESTRICTED, "direct", 0.1 * (n + 1)) for n in range(10)]
    rows += [row(10 + n, SYMMETRIC, SYMMETRIC, "relayed", 5.0) for n in range(10)]
    (found,) = shown.sounds_table(record_of(table(rows))).data.to_dict("records")
    assert found["Meetings"] == "20"
    assert found["Direct"].startswith("50 % (")
    assert found["Direct by the rule"] == "50 %"
    assert (found["50% have sound"], found["90% have sound"]) == ("5.00 s", "5.00 s")
    assert found["Failed"].startswith("0 % (")


def test_who_never_hears_the_other_has_sound_never():
    rows = [row(n, OPEN, OPEN, "direct" if n else "failed") for n in range(4)]
    (found,) = shown.sounds_table(record_of(table(rows))).data.to_dict("records")
    assert (found["50% have sound"], found["All have sound"]) == ("0.40 s", "never")
    assert not any("nan" in str(value) or value == math.inf for value in found.values())


def test_what_users_were_told_is_counted():
    told = json.dumps([[4.0, "caller", "retrying"]])
    rows = [row(0, OPEN, OPEN, "direct") | {"notices": told}, row(1, OPEN, OPEN, "direct")]
    (found,) = shown.told_table(record_of(table(rows))).data.to_dict("records")
    assert (found["Notice"], found["Calls"]) == ("retrying", "1 (50.0%)")
    assert found["Within 5 s, though it connects"] == "1"


def test_where_users_were_told_nothing_it_says_so():
    (found,) = shown.told_table(campaign(calls=5)).data.to_dict("records")
    assert (found["Notice"], found["Calls"]) == ("no user saw one", "0")


def test_the_provenance_has_the_plan_of_the_sessions_and_that_of_the_agents_apart():
    record, agents = campaign(calls=5), agents_campaign(calls=7)
    facts = shown.provenance_table(record, agents).data
    group = facts[""].where(facts[""] != "").ffill()
    plans = {
        name: dict(zip(rows["What"], rows["Value"], strict=True))
        for name, rows in facts.groupby(group)
    }
    assert plans["sessions"]["calls"] == "5"
    assert plans["sessions"]["profile"] == record.provenance["profile"]
    assert "level" not in plans["sessions"]
    assert plans["bare ICE agents"]["calls"] == "7"
    assert "jamlab" in plans["versions"]
