"""Tests of jamlab.measure.sound_quality.record."""

import pytest

from jamlab.measure.record import RecordError
from jamlab.measure.sound_quality.record import SoundQualityRecord
from tests.measure.sound_quality.records import quality_record


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = quality_record({120: [(9.0, 4.9)], 2880: [(64.0, float("nan"))]})
    assert SoundQualityRecord.load(record.save(tmp_path)).sessions.equals(record.sessions)
    assert SoundQualityRecord.lies_in(tmp_path)


def test_a_quality_that_jamlab_does_not_have_is_refused(tmp_path):
    record = quality_record({120: [(9.0, 4.9)]})
    record.sessions["quality"] = "hi-fi"
    with pytest.raises(RecordError, match="'hi-fi' for a quality"):
        SoundQualityRecord.load(record.save(tmp_path))
