"""Tests of jamlab.measure.browser_networks.record."""

import json

import pytest

from jamlab.measure.browser_networks.record import (
    is_browser_networks_run,
    load_browser_networks,
)
from jamlab.measure.latency.routes import RELAYED
from jamlab.measure.record import RecordError

from .records import network_record


def test_a_run_is_read_in_its_order(tmp_path):
    network_record(number=1, route=RELAYED, went="relay").save(tmp_path / "01")
    first = network_record(network=None)
    first.save(tmp_path / "00")
    assert is_browser_networks_run(tmp_path)
    records = load_browser_networks(tmp_path)
    assert list(records) == ["no distance, direct", "same country, relayed"]
    assert records["no distance, direct"].clicks.equals(first.clicks)


def test_a_folder_without_a_run_is_refused(tmp_path):
    assert not is_browser_networks_run(tmp_path)
    with pytest.raises(RecordError, match="holds no run of browsers across networks"):
        load_browser_networks(tmp_path)


def test_a_record_that_lacks_its_route_is_refused(tmp_path):
    network_record().save(tmp_path / "00")
    path = tmp_path / "00" / "provenance.json"
    provenance = json.loads(path.read_text())
    del provenance["route"]
    path.write_text(json.dumps(provenance))
    with pytest.raises(RecordError, match="route"):
        load_browser_networks(tmp_path)
