import nbformat
import pytest

from jamlab.report.page.html import notebook_path, render
from tests.measure.rig.records import rig_record, steady
from tests.report.page.pages import Page


def test_it_takes_parameters():
    notebook = nbformat.read(notebook_path("12_programs"), as_version=4)
    parameters = next(
        cell for cell in notebook.cells if cell.metadata.get("tags") == ["parameters"]
    )
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names[:3] == ["preset", "commands", "before"]
    assert {"records", "out"} < set(names)


@pytest.mark.slow
@pytest.mark.parametrize("names", [["jamulus"], ["jamulus", "jacktrip"]])
def test_it_shows_one_system_or_several_side_by_side(tmp_path, names):
    folders = [
        str(rig_record(steady(30.0 + number), system=name).save(tmp_path / name))
        for number, name in enumerate(names)
    ]
    made = render(notebook_path("12_programs"), {"records": folders}, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    assert page.addresses == []
    assert "PASS" in page.text
    assert ("Side by side" in page.text) == (len(names) > 1)
    for name in names:
        assert f"one-way latency of {name} from mouth to ear".lower() in page.text.lower()
