"""What is kept of how a measurement came about, and what is not."""

import json
from pathlib import Path

import pytest

from jamlab.measure.provenance import machine, versions
from tests.measure.latency.records import record_of


@pytest.fixture
def record():
    return record_of(lambda a, b: [11.0, float("nan")] * 50, lambda a, b: [24.0] * 100)


def test_provenance_says_how_and_where(record):
    assert record.provenance["parameters"]["peers"] == 2
    assert record.provenance["versions"]["aiortc"].startswith("1.16.")
    assert record.provenance["versions"]["libopus"].startswith("libopus 1.")
    assert record.provenance["created"].endswith("+00:00")


def test_nothing_personal_is_recorded(record):
    text = json.dumps(record.provenance)
    assert str(Path.home()) not in text
    assert set(machine()) == {"system", "processor", "cores", "implementation"}
    assert all(isinstance(value, str) for value in versions().values())
