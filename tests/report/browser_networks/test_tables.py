"""Tests of jamlab.report.browser_networks.tables."""

import math

import pytest

from jamlab.measure.browser_networks.verdicts import browser_networks_verdicts
from jamlab.measure.latency.routes import RELAYED
from jamlab.report.browser_networks import (
    case_table,
    link_tables,
    masthead,
    provenance_tables,
    stages,
    verdict_table,
)
from tests.measure.browser.records import STREAM
from tests.measure.browser_networks.records import network_record
from tests.report.page.test_tables import words


@pytest.fixture
def records():
    near = network_record(70.0, network=None, went="host")
    far = network_record(number=1, route=RELAYED, went="relay", remarks=["<b>loud</b>"])
    return {each.name: each for each in (near, far)}


def test_the_masthead_names_the_browsers_and_where_they_are(records):
    text = words(masthead(records, "Latency between browsers across networks"))
    assert "2 × Chromium 156.0.1 on the kernel's network, each behind a router" in text


def test_the_verdicts_have_their_reasons(records):
    text = words(verdict_table(records))
    for verdict in browser_networks_verdicts(records):
        assert verdict.reason in text


def test_a_case_has_its_network_and_the_route_it_took(records):
    text = words(case_table(records))
    assert "no distance, direct 0 ms 0 ms 0.00% direct" in text
    assert "same country, relayed 16 ms" in text


def test_a_route_that_is_not_known_is_said(records):
    near = records["no distance, direct"]
    near.provenance["routes"] = {"player 1": {}, "player 2": {}}
    assert "unknown" in words(case_table({near.name: near}))


def test_the_parts_of_a_bar_add_up_to_the_mean(records):
    (axes,) = stages(records).axes
    ends = [0.0] * len(records)
    for bar in axes.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        assert bar.get_x() == pytest.approx(ends[row])
        ends[row] += bar.get_width()
    means = [record.clicks["latency_ms"].mean() for record in records.values()]
    assert ends == pytest.approx(means)


def test_a_figure_is_drawn_whatever_was_heard_and_stated(records):
    near = network_record(stream={**STREAM, "jitter_buffer_ms": math.nan})
    near.clicks["latency_ms"] = math.nan
    assert stages({near.name: near}).svg().startswith("<svg")


def test_the_links_and_the_provenance_are_there_and_remarks_are_text(records):
    assert "Latency added by the links" in link_tables(records).data
    table = provenance_tables(records)
    assert "<b>" not in table._repr_html_()
    text = words(table)
    assert "largest error of the clocks" in text
    assert "same country, relayed" in text
