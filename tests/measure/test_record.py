import json
from pathlib import Path

import pandas as pd
import pytest

from jamlab.measure.record import CLICK_COLUMNS, LatencyRecord, RecordError, machine, versions

from .records import record_of


@pytest.fixture
def record():
    return record_of(lambda a, b: [11.0, float("nan")] * 50, lambda a, b: [24.0] * 100)


def test_a_record_survives_the_disk(record, tmp_path):
    again = LatencyRecord.load(record.save(tmp_path / "deep" / "folder"))
    pd.testing.assert_frame_equal(again.clicks, record.clicks, check_dtype=False)
    pd.testing.assert_frame_equal(again.streams, record.streams, check_dtype=False)
    assert again.provenance == json.loads(json.dumps(record.provenance))


def test_other_tools_can_read_it(record, tmp_path):
    record.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "clicks.parquet",
        "streams.parquet",
        "waveforms.parquet",
        "provenance.json",
    }
    assert list(pd.read_parquet(tmp_path / "clicks.parquet").columns) == list(CLICK_COLUMNS)


@pytest.mark.parametrize("missing", ["clicks.parquet", "streams.parquet", "provenance.json"])
def test_a_missing_file_is_named(record, tmp_path, missing):
    record.save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(RecordError, match=rf"{missing} is missing: name a folder"):
        LatencyRecord.load(tmp_path)


@pytest.mark.parametrize("broken", ["clicks.parquet", "waveforms.parquet", "provenance.json"])
def test_a_broken_file_is_named(record, tmp_path, broken):
    record.save(tmp_path)
    (tmp_path / broken).write_bytes(b"{nonsense")
    with pytest.raises(RecordError, match=rf"{broken} cannot be read"):
        LatencyRecord.load(tmp_path)


def test_a_record_of_another_time_is_refused(record, tmp_path):
    record.save(tmp_path)
    record.clicks.drop(columns="network_ms").to_parquet(tmp_path / "clicks.parquet")
    with pytest.raises(RecordError, match="lacks the columns \\['network_ms'\\]: measure again"):
        LatencyRecord.load(tmp_path)


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
