"""The notebook of recordings: made into a page of a record, or of a recording made on the spot."""

import nbformat
import pytest

from jamlab.report.page.html import notebook_path, render
from tests.measure.recording.records import recording_record
from tests.report.page.pages import Page

NOTEBOOK = "11_any_system"
EVIL = "<script>alert(1)</script>$x_{"


def test_it_takes_files_a_target_and_a_record():
    words, parameters, *_ = nbformat.read(notebook_path(NOTEBOOK), as_version=4).cells
    assert words.cell_type == "markdown"
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names == ["files", "target_ms", "stopwatch", "air_m", "record"]


@pytest.mark.slow
def test_its_page_has_verdicts_tables_and_figures_and_reaches_nowhere(tmp_path):
    record = recording_record(target_ms=40, names=(EVIL,), notes=[EVIL])
    record.provenance["parameters"]["every_s"] = 10.0  # the second figure is of windows
    folder = record.save(tmp_path / "record")
    made = render(notebook_path(NOTEBOOK), {"record": str(folder)}, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables == ["parts", "verdicts", "delays", "arrivals", "provenance"]
    assert len(page.images) == 2
    assert page.addresses == []
    assert "script" not in page.tags
    assert EVIL in page.text


@pytest.mark.slow
def test_without_files_it_makes_a_recording(tmp_path):
    made = render(notebook_path(NOTEBOOK), {}, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    assert "27.5 ms" in page.text
    assert len(page.images) == 1
