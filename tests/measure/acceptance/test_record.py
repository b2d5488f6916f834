import json

import pandas as pd
import pytest

from jamlab.measure.acceptance.findings import COLUMNS, Finding
from jamlab.measure.acceptance.record import LATENCY_FOLDER, AcceptanceRecord
from jamlab.measure.acceptance.run import LEFT_OUT, TESTS
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.measure.record import RecordError
from tests.measure.acceptance.runs import good_finding, good_latency, record_with, whole_record


def test_what_is_saved_comes_back(tmp_path):
    record = whole_record(TESTS).joined([], {"local-capture": "it rained"}, not_run={"x": LEFT_OUT})
    loaded = AcceptanceRecord.load(record.save(tmp_path / "deep" / "record"))
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(record, name))
    assert loaded.tests == list(TESTS)
    assert loaded.failed == {"local-capture": "it rained"}
    assert loaded.not_run == {"x": LEFT_OUT}
    assert acceptance_verdicts(loaded) == acceptance_verdicts(record)


def test_the_latency_of_an_earlier_run_does_not_stay(tmp_path):
    whole_record(TESTS).save(tmp_path)
    assert (tmp_path / LATENCY_FOLDER).is_dir()
    AcceptanceRecord.of_findings(["local-capture"], [], failed={}).save(tmp_path)
    assert AcceptanceRecord.load(tmp_path).latency is None


def test_a_test_s_rows_are_its_own():
    record = whole_record(TESTS)
    for table in COLUMNS:
        assert set(record.of("three-users-at-once", table)["test"]) == {"three-users-at-once"}


class TestJoining:
    def test_it_adds_and_leaves_the_first_as_it_was(self):
        first = record_with(good_finding("local-capture"))
        rows = len(first.figures)
        joined = first.joined([good_finding("connection-blocked")], {"a": "b"})
        assert set(joined.figures["test"]) == {"local-capture", "connection-blocked"}
        assert len(first.figures) == rows
        assert first.failed == {}

    def test_of_two_reasons_the_first_stands(self):
        first = record_with(Finding("x"), failed={"x": "first"})
        assert first.joined([], {"x": "second", "y": "third"}).failed == {
            "x": "first",
            "y": "third",
        }

    def test_a_latency_record_stays_until_another_comes(self):
        latency = good_latency()
        record = record_with(Finding("x")).joined([], {}, latency=latency)
        assert record.joined([], {}).latency is latency

    def test_of_nothing_and_nothing_is_an_empty_table_of_the_same_types(self):
        joined = AcceptanceRecord.of_findings(["x"], [], failed={}).joined([], {})
        assert dict(joined.figures.dtypes.astype(str)) == COLUMNS["figures"]


class TestUnreadable:
    @pytest.fixture
    def folder(self, tmp_path):
        return whole_record(TESTS).save(tmp_path / "record")

    @pytest.mark.parametrize("name", ["provenance.json", "curves.parquet"])
    def test_a_missing_file_is_named(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(RecordError, match=f"{name} is missing"):
            AcceptanceRecord.load(folder)

    def test_so_is_one_that_is_something_else(self, folder):
        (folder / "figures.parquet").write_text("hello")
        with pytest.raises(RecordError, match=r"figures\.parquet cannot be read"):
            AcceptanceRecord.load(folder)

    def test_provenance_of_something_else(self, folder):
        (folder / "provenance.json").write_text(json.dumps({"versions": {}}))
        with pytest.raises(
            RecordError,
            match=r"lacks \['tests', 'not_run', 'failed', 'created', 'machine', 'parameters'\]",
        ):
            AcceptanceRecord.load(folder)

    def test_a_figure_of_another_version(self, folder):
        path = folder / "figures.parquet"
        figures = pd.read_parquet(path)
        figures.loc[0, "figure"] = "a name of before"
        figures.to_parquet(path)
        with pytest.raises(RecordError, match="has 'a name of before' for a figure: measure again"):
            AcceptanceRecord.load(folder)

    def test_a_table_of_another_version(self, folder):
        path = folder / "events.parquet"
        pd.read_parquet(path).drop(columns=["words"]).to_parquet(path)
        with pytest.raises(RecordError, match=r"lacks the columns \['words'\]"):
            AcceptanceRecord.load(folder)
