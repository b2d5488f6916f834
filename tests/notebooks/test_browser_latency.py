import nbformat
import pytest

from jamlab.measure.browser.sweep import TOGETHER, UNCHANGED
from jamlab.report.page.html import notebook_path, render
from tests.measure.browser.records import browser_record, steady
from tests.report.page.pages import Page


def test_it_takes_parameters():
    notebook = nbformat.read(notebook_path("07_browser_latency"), as_version=4)
    parameters = next(
        cell for cell in notebook.cells if cell.metadata.get("tags") == ["parameters"]
    )
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names[:4] == ["url", "steps", "browser", "audio"]
    assert {"sweep", "record", "out"} < set(names)


@pytest.mark.slow
def test_it_shows_a_sweep(tmp_path):
    folder = browser_record(steady(80.0)).save(tmp_path / "record")
    variant = browser_record(steady(45.0))
    variant.provenance["variant"] = TOGETHER
    variant.save(folder / "sweep" / "01")
    made = render(
        notebook_path("07_browser_latency"), {"record": str(folder)}, tmp_path / "page.html"
    )
    page = Page(made.read_text(encoding="utf-8"))
    assert page.addresses == []
    assert "All levers together meet the target of 50 ms: 45 ms" in page.text
    assert UNCHANGED in page.text
