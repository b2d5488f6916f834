"""The notebook of playout buffers: made into a page of a record, or of an example."""

import nbformat
import pytest

from jamlab.report.page.html import notebook_path, render
from tests.measure.playout.records import playout_record
from tests.report.page.pages import Page

NOTEBOOK = "13_playout"


def test_it_takes_files_shares_and_a_record():
    words, parameters, *_ = nbformat.read(notebook_path(NOTEBOOK), as_version=4).cells
    assert words.cell_type == "markdown"
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names == ["files", "accept_percent", "spliced", "record", "out"]


@pytest.mark.slow
def test_its_page_has_verdicts_tables_and_a_figure_and_reaches_nowhere(tmp_path):
    folder = playout_record(trace="<b>wifi</b>").save(tmp_path / "record")
    made = render(notebook_path(NOTEBOOK), {"record": str(folder)}, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    named = ["parts", "playout-verdicts", "accepted", "playbacks", "streams", "provenance"]
    assert tables == named
    assert len(page.images) == 1
    assert page.addresses == []
    assert "<b>wifi</b>" in page.text


@pytest.mark.slow
def test_without_a_record_it_plays_an_example(tmp_path):
    chosen = {"accept_percent": [1.0], "out": str(tmp_path / "record")}
    made = render(notebook_path(NOTEBOOK), chosen, tmp_path / "page.html")
    assert "example" in made.read_text(encoding="utf-8")
