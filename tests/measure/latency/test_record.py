"""Tests of jamlab.measure.latency.record."""

import errno
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.latency.record import CLICK_COLUMNS, LatencyRecord
from jamlab.measure.record import RecordError
from tests.measure import killed
from tests.measure.killed import NEW_MS, OLD_MS
from tests.measure.latency.records import record_of


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


@pytest.mark.parametrize("table", ["clicks", "streams", "waveforms"])
def test_a_table_without_rows_is_refused(record, tmp_path, table):
    """Without streams, say, nothing was concealed, and the verdict was PASS."""
    replace(record, **{table: getattr(record, table).iloc[:0]}).save(tmp_path)
    with pytest.raises(RecordError, match=rf"{table}\.parquet has no rows.*measure again"):
        LatencyRecord.load(tmp_path)


def markers(record):
    """Which run each part of a record is of."""
    if isinstance(record, AcceptanceRecord):
        own = {record.provenance["marker"], *record.figures["value"]}
        return own | markers(record.latency)
    return {record.provenance["marker"], *record.clicks["latency_ms"]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["latency", "acceptance"])
def test_a_process_that_is_killed_as_it_writes_leaves_one_record(kind, tmp_path):
    """Killed before each step of writing a record over an older one, and before none."""
    old = killed.KINDS[kind](OLD_MS).save(tmp_path / "old")
    (tmp_path / "copies").mkdir()
    command = [sys.executable, "-m", "tests.measure.killed", kind, old, tmp_path / "copies"]
    subprocess.run(command, check=True)
    folders = sorted((tmp_path / "copies").iterdir(), key=lambda path: int(path.name))
    load = {"latency": LatencyRecord, "acceptance": AcceptanceRecord}[kind].load
    found = [markers(load(folder)) for folder in folders]
    assert found[0] == {OLD_MS}
    assert found[-1] == {NEW_MS}  # it was not killed
    assert len(found) > 10
    assert all(each in ({OLD_MS}, {NEW_MS}) for each in found)
    again = killed.KINDS[kind](NEW_MS)
    for folder in folders:  # what was left behind is in nobody's way, and is not left for ever
        assert markers(load(again.save(folder))) == {NEW_MS}
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_where_the_disk_is_full_the_earlier_record_stays(tmp_path, monkeypatch):
    killed.latency_of(OLD_MS).save(tmp_path)

    def fill(self, path, **_):
        Path(path).write_bytes(b"half of")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fill)
    with pytest.raises(RecordError, match=r"cannot be written to .*\(No space left on device\)"):
        killed.latency_of(NEW_MS).save(tmp_path)
    assert markers(LatencyRecord.load(tmp_path)) == {OLD_MS}
    assert len([*tmp_path.iterdir()]) == 4


def test_a_table_of_another_run_is_refused(record, tmp_path):
    """Clicks of a run with other latencies beside the provenance of this one."""
    record.save(tmp_path)
    killed.latency_of(OLD_MS).save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "clicks.parquet", tmp_path)
    with pytest.raises(RecordError, match=r"clicks\.parquet is not of the run .*measure again"):
        LatencyRecord.load(tmp_path)


def test_a_record_that_does_not_name_its_tables_is_refused(record, tmp_path):
    record.save(tmp_path)
    (tmp_path / "provenance.json").write_text(json.dumps(record.provenance))
    with pytest.raises(RecordError, match="does not say which tables are its own: measure again"):
        LatencyRecord.load(tmp_path)


@pytest.mark.parametrize("foreign", ["../kept.json", "{folder}/kept.json", "below/../../kept.json"])
def test_what_an_earlier_record_names_elsewhere_is_kept(record, tmp_path, foreign):
    """The earlier provenance may be anybody's: what it names is deleted only within its folder."""
    kept, folder = tmp_path / "kept.json", tmp_path / "record"
    kept.write_text("mine")
    record.save(folder)
    told = json.loads((folder / "provenance.json").read_text())
    told["files"][foreign.format(folder=tmp_path)] = "0"
    (folder / "provenance.json").write_text(json.dumps(told))
    with pytest.raises(RecordError, match="which is outside the record"):
        LatencyRecord.load(folder)
    record.save(folder)
    assert kept.read_text() == "mine"


def test_a_record_that_names_no_table_is_of_no_run(record, tmp_path):
    record.save(tmp_path)
    told = json.loads((tmp_path / "provenance.json").read_text())
    (tmp_path / "provenance.json").write_text(json.dumps({**told, "files": {}}))
    with pytest.raises(RecordError, match=r"clicks\.parquet is not of the run"):
        LatencyRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ("[" * 100_000, "nested too deep"),
        ("{}", "lacks"),
        ('{"parameters": [], "loop_lag": {}}', "lacks"),
        ('{"parameters": {"peers": 2}, "loop_lag": {}}', "lacks .*block_frames"),
    ],
)
def test_a_provenance_that_is_none_is_one_sentence(record, tmp_path, text, words):
    record.save(tmp_path)
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(RecordError, match=words):
        LatencyRecord.load(tmp_path)
    record.save(tmp_path)
    assert LatencyRecord.load(tmp_path).provenance == record.provenance
