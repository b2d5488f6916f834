"""Tests of jamlab.measure.browser.record."""

import pytest

from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.record import RecordError
from tests.measure.browser.records import browser_record, steady


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = browser_record(steady(30.0))
    again = BrowserRecord.load(record.save(tmp_path))
    assert again.clicks.equals(record.clicks)
    assert again.statistics.equals(record.statistics)
    assert again.provenance["remarks"] == []


def test_it_is_told_from_other_records(tmp_path):
    browser_record(steady(30.0)).save(tmp_path)
    assert BrowserRecord.lies_in(tmp_path)
    with pytest.raises(RecordError):
        LatencyRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("duration_s", "x"), ("max_concealed_percent", float("nan")), ("target_ms", True)],
)
def test_a_parameter_that_cannot_be_is_told_with_file_and_key(tmp_path, key, value):
    record = browser_record(steady(30.0))
    record.provenance["parameters"][key] = value
    record.save(tmp_path)
    with pytest.raises(RecordError, match=rf"provenance.json has .+ for parameters.{key}"):
        BrowserRecord.load(tmp_path)
