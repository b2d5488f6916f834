"""Tests of jamlab.measure.browser_acceptance.networks, on records that are made up."""

from jamlab.measure.acceptance import browser_tests as named
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.browser_acceptance.networks import note_case
from jamlab.measure.latency.routes import RELAYED
from tests.measure.browser_networks.records import network_record


def figures(record):
    finding = Finding(named.NETWORKS)
    note_case(finding, record)
    return {(figure, subject): rest for _, figure, subject, *rest in finding.figures}


def test_a_case_has_its_latencies_and_its_route():
    record = network_record(70.0, route=RELAYED, went="relay", error_ms=2.0)
    found = figures(record)
    value, low, high = found[named.ACROSS, f"{record.name}, player 1 → player 2"]
    assert low + 2.0 <= value <= high - 2.0
    assert found[named.HEARD, f"{record.name}, player 2 → player 1"][0] == 100.0
    assert found[named.PLANNED_ROUTE, record.name][0] == 100.0


def test_another_route_is_not_the_planned_one():
    record = network_record(route=RELAYED, went="host")
    assert figures(record)[named.PLANNED_ROUTE, record.name][0] == 0.0
