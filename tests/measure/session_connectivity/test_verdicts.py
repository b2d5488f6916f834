"""The verdicts on sessions, on records made by the rule."""

import re

import pytest

from jamlab.measure.session_connectivity.verdicts import session_figures, session_verdicts
from jamlab.measure.statistics import proportion
from tests.measure.connectivity import attempts
from tests.measure.connectivity.attempts import CONE, HOME, MOBILE, Drawn
from tests.measure.test_verdict import FAIL, INCONCLUSIVE, PASS

from .meetings import SERVERS, campaign, record_of, row, table

ONE_PLACE = Drawn("one place", {CONE: 1.0}, endpoints=None)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    populations = attempts.POPULATIONS | {ONE_PLACE.name: ONE_PLACE}
    monkeypatch.setattr(
        "jamlab.measure.session_connectivity.verdicts.load_population", populations.__getitem__
    )


def calls_of(direct, calls, sound_s=0.4):
    results = ["direct"] * direct + ["relayed"] * (calls - direct)
    rows = [row(n, CONE, CONE, result, sound_s) for n, result in enumerate(results)]
    return record_of(table(rows), ONE_PLACE.name)


def test_direct_then_connected_then_sound():
    names = [verdict.name for verdict in session_verdicts(campaign(calls=100))]
    assert names == [
        f"share of sessions that end direct ({SERVERS})",
        f"share of sessions that connect ({SERVERS})",
        f"95th percentile of the time to first sound ({SERVERS})",
    ]


@pytest.mark.parametrize(("direct", "calls"), [(46, 50), (89, 100), (172, 200)])
def test_the_fewest_direct_calls_that_prove_80_percent(direct, calls):
    """As for ICE agents: from tables of the exact interval."""
    proven, short = (session_verdicts(calls_of(n, calls))[0] for n in (direct, direct - 1))
    assert (proven.verdict, short.verdict) == (PASS, INCONCLUSIVE)


@pytest.mark.parametrize(
    ("late", "verdict"),
    [(0, PASS), (7, PASS), (8, INCONCLUSIVE), (23, INCONCLUSIVE), (24, FAIL)],
)
def test_sound_within_a_second(late, verdict):
    """The ends are those at which the exact interval of late calls of 300 leaves 5 %."""
    interval = proportion(late, 300, "exact")
    assert (interval.high <= 0.05, interval.low > 0.05) == (verdict is PASS, verdict is FAIL)
    on_time = [row(n, CONE, CONE, "direct", 0.4) for n in range(300 - late)]
    rows = on_time + [row(300 - n, CONE, CONE, "relayed", 12.0) for n in range(1, late + 1)]
    judged = session_verdicts(record_of(table(rows), ONE_PLACE.name))[2]
    assert judged.verdict is verdict
    assert (judged.target, judged.unit) == ("< 1", "s")


@pytest.mark.parametrize(("calls", "verdict"), [(72, PASS), (71, INCONCLUSIVE), (1, INCONCLUSIVE)])
def test_too_few_calls_for_a_time_to_sound_are_said_to_be_too_few(calls, verdict):
    """All are in time: 0.95 ** 71 is above 2.5 %, and 0.95 ** 72 is not."""
    rows = [row(n, CONE, CONE, "direct", 0.4) for n in range(calls)]
    judged = session_verdicts(record_of(table(rows), ONE_PLACE.name))[2]
    assert judged.verdict is verdict
    assert re.search(r"100(\.0+)? % \(\d.* of the calls have sound within 1 s\.", judged.reason)
    error = f"The cause is the simulation error of {calls} call"
    assert (error in judged.reason) == (verdict is INCONCLUSIVE)
    assert judged.reason.endswith("make more calls.") == (verdict is INCONCLUSIVE)


def test_who_never_connects_is_never_heard():
    connected, sound = session_verdicts(campaign(MOBILE, calls=200, relays=False))[1:]
    assert connected.verdict is FAIL
    assert sound.verdict is FAIL
    assert sound.value == float("inf")
    assert "infinite" in sound.reason


def test_the_reason_says_how_it_hangs_on_the_population_and_compares_with_the_rule():
    direct = session_verdicts(campaign(HOME, calls=400))[0]
    own = r"the population home has 10\.0% \([78]\.\d to 1[23]\.\d%\) of them\."
    assert re.search(own, direct.reason)
    assert "Each call that can be direct by the rule is, and no other." in direct.reason


def test_calls_against_the_rule_are_told():
    record = calls_of(60, 100)
    assert "40 of the calls that can be direct by the rule are not." in (
        session_verdicts(record)[0].reason
    )


def test_relays_alone_are_not_judged_by_their_direct_paths():
    record = calls_of(0, 100)
    record.provenance["relay_only"] = [SERVERS]
    assert [verdict.verdict for verdict in session_verdicts(record)] == [PASS, PASS]


def test_a_campaign_that_ended_early_does_not_count():
    record = campaign(calls=50)
    record.provenance["calls"] = 60
    judged = session_verdicts(record)
    assert {verdict.verdict for verdict in judged} == {INCONCLUSIVE}
    assert all("only 50 of 60 calls were tried" in verdict.reason for verdict in judged)


def test_calls_that_were_not_drawn_from_the_population_do_not_count():
    record = campaign(MOBILE)
    record.provenance["population"] = "home"
    for verdict in session_verdicts(record):
        assert verdict.verdict is INCONCLUSIVE
        assert "not drawn from the population home" in verdict.reason


def test_figures_are_of_one_configuration():
    record = campaign(HOME, calls=50)
    found = [(each.what, each.calls) for each in session_figures(record, HOME, SERVERS)]
    assert found == [("end direct", 50), ("connect", 50)]
