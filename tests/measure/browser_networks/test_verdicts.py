"""Tests of jamlab.measure.browser_networks.verdicts."""

from jamlab.measure.browser_networks.verdicts import browser_networks_verdicts
from jamlab.measure.latency.routes import DIRECT, RELAYED
from jamlab.measure.verdict import Outcome

from .records import network_record


def outcomes(**cases):
    return [each.verdict for each in browser_networks_verdicts(cases)]


def test_a_case_is_judged_by_its_latency_and_its_concealed_sound():
    near, far = network_record(60.0), network_record(130.0)
    judged = browser_networks_verdicts({"near, direct": near, "far, direct": far})
    assert [each.verdict for each in judged[:2]] == [Outcome.PASS, Outcome.FAIL]
    assert [each.target for each in judged[:2]] == ["< 100", "< 100"]
    assert judged[0].name.startswith("one-way latency between browsers over near, direct")
    assert judged[2].name.startswith("concealed sound between browsers over near, direct")


def test_packets_that_went_another_way_than_planned_prove_nothing():
    for route, went in ((DIRECT, "relay"), (RELAYED, "host")):
        judged = browser_networks_verdicts({"a": network_record(route=route, went=went)})
        assert {each.verdict for each in judged} == {Outcome.INCONCLUSIVE}
        assert f"instead of {route}" in judged[0].reason
    assert outcomes(a=network_record(route=RELAYED, went="relay"))[0] is Outcome.PASS


def test_a_route_that_nobody_stated_proves_nothing():
    record = network_record()
    record.provenance["routes"] = {"player 1": {}, "player 2": {}}
    (latency, _) = browser_networks_verdicts({"a": record})
    assert latency.verdict is Outcome.INCONCLUSIVE
    assert "had no known route instead of direct" in latency.reason
