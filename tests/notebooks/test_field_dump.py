"""The notebook of a dump: made into a page of any dump."""

import nbformat
import pytest

from jamlab.measure.dump.layouts.content import DumpError
from jamlab.report.page.html import notebook_path, render
from tests.measure.dump.calls import events, internals, samples, write
from tests.notebooks.cells import run_cells
from tests.report.page.pages import Page

NOTEBOOK = "08_field_dump"
EVIL = "<script>alert(1)</script>$x_{"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dump")
    call = internals(samples([80.0, *[95.5] * 89]), events(), name=EVIL)
    path = write(folder / "call.json", call)
    made = render(notebook_path(NOTEBOOK), {"path": str(path)}, folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


def test_it_takes_a_path():
    words, parameters, *_ = nbformat.read(notebook_path(NOTEBOOK), as_version=4).cells
    assert words.cell_type == "markdown"
    assert parameters.source.startswith('path = ""')


@pytest.mark.slow
def test_its_page_has_verdicts_tables_and_figures_and_reaches_nowhere(page):
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables == [
        *("parts", "verdicts", "connections", "ice", "streams", "stages", "provenance"),
    ]
    assert len(page.images) == 3
    assert page.addresses == []
    assert "script" not in page.tags
    assert EVIL in page.text
    assert "the receive side alone misses the target" in page.text


@pytest.mark.slow
def test_a_dump_without_anything_has_a_page(tmp_path):
    path = write(tmp_path / "call.json", {"PeerConnections": {}})
    made = render(notebook_path(NOTEBOOK), {"path": str(path)}, tmp_path / "page.html")
    assert "no peer connection" in made.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_file_that_is_no_dump_is_told_in_a_sentence(tmp_path):
    path = write(tmp_path / "call.json", "")
    with pytest.raises(DumpError, match="is empty"):
        run_cells(NOTEBOOK, {"path": str(path)})
