import pytest

from jamlab.report.page.html import notebook_path, render
from tests.measure.sound_quality.records import quality_record
from tests.report.page.pages import Page


@pytest.mark.slow
def test_it_shows_a_record(tmp_path):
    folder = quality_record({120: [(9.0, 4.9)], 960: [(25.0, 4.97)]}).save(tmp_path / "record")
    made = render(notebook_path("14_sound_quality"), {"record": str(folder)}, tmp_path / "x.html")
    page = Page(made.read_text(encoding="utf-8"))
    assert page.addresses == []
    assert "no mean opinion score" in page.text
    assert "314 kbit/s" in page.text
