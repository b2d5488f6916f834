"""The meters' notebook: on a page with a picture and no dead widget."""

import pytest

from jamlab.report.page.html import notebook_path, render
from tests.report.page.pages import Page

NOTEBOOK = "04_level_meters"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    made = render(notebook_path(NOTEBOOK), {"duration_s": 2.0}, folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_page_has_a_picture_for_the_widget_and_reaches_nowhere(page):
    assert len(page.images) == 1
    assert page.addresses == []
    assert "script" not in page.tags
    assert "LevelMeters" not in page.text.replace("LevelMeters(session)", "")
    assert "widget" not in page.text


@pytest.mark.slow
def test_its_table_reads_what_was_played(page):
    words = page.text[page.text.index("clip right") :].split()
    assert words[words.index("sine") + 1 :][:6] == ["-6.0"] * 4 + ["False"] * 2
    left = words[words.index("only") + 1 :][:6]
    assert left == ["-18.0", "-144.0", "-18.0", "-144.0", "False", "False"]
    loud = words[words.index("loud") + 1 :][:6]
    assert loud[:2] == ["0.0", "0.0"]
    assert loud[4:] == ["True", "True"]
