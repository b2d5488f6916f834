"""The example run is a real one, whole and small."""

from jamlab.measure.latency.example import example_record
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.verdicts import verdicts
from jamlab.measure.verdict import Outcome
from jamlab.resources import data_path

LARGEST = 300_000
"""Bytes: everybody who installs jamlab has it."""


def test_it_is_a_run_of_the_default_plan():
    parameters = example_record().provenance["parameters"]
    assert LatencyPlan(**parameters) == LatencyPlan()


def test_it_has_enough_clicks_to_be_judged_and_passes():
    record = example_record()
    assert len(record.clicks) > 300
    assert {each.verdict for each in verdicts(record)} == {Outcome.PASS}


def test_it_is_small():
    folder = data_path("example/provenance.json").parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
