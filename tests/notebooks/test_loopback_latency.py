import nbformat
import pytest

from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.record import RecordError
from jamlab.report.page.html import notebook_path, render
from tests.notebooks.cells import run_cells
from tests.report.page.pages import Page


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(notebook_path("01_loopback_latency"), as_version=4)


def test_it_begins_in_plain_words_and_takes_parameters(notebook):
    words, parameters, *_ = notebook.cells
    assert words.cell_type == "markdown"
    assert parameters.metadata.tags == ["parameters"]
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names == [
        "peers",
        "quality",
        "sessions",
        "duration_s",
        "round_trip_s",
        "max_concealed_percent",
        "block_frames",
        "record",
        "out",
        "card",
        "measure_device",
        "device_out",
    ]


@pytest.mark.slow
def test_it_measures_where_no_record_is_given(tmp_path):
    parameters = {"sessions": 2, "duration_s": 2.0, "round_trip_s": 2.0}
    parameters["out"] = str(tmp_path / "record")
    made = render(notebook_path("01_loopback_latency"), parameters, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    record = LatencyRecord.load(tmp_path / "record")
    assert record.provenance["parameters"]["duration_s"] == 2.0
    assert "duration 2 s" in page.text
    assert sorted(set(record.clicks["session"])) == [0, 1]
    assert "What differs between sessions" in page.text
    assert "FloatProgress" not in page.text
    assert page.addresses == []
    assert "Mouth to ear not measured" in page.text


@pytest.mark.slow
def test_a_card_that_is_not_there_is_told_before_the_mesh_is_measured(tmp_path):
    record = tmp_path / "record"
    parameters = {"out": str(record), "card": str(tmp_path / "nowhere")}
    with pytest.raises(RecordError, match=r"nowhere/provenance\.json is missing: name a folder"):
        run_cells("01_loopback_latency", parameters)
    assert not record.exists()
