"""The first notebook: the run that comes with jamlab, shown without measuring."""

import re

import pytest

from jamlab.report import notebook_path, render
from tests.report.page.pages import Page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = render(notebook_path("00_first_look"), {}, tmp_path_factory.mktemp("page") / "page.html")
    return Page(made.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_page_has_the_tables_and_figures_and_reaches_nowhere(page):
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables.count("verdicts") == 1
    assert len(page.images) == 2
    assert page.addresses == []
    assert not re.search(r"(?i)\bnan\b", page.text)


@pytest.mark.slow
def test_it_says_whose_run_it_is(page):
    assert "jamlab comes with the record of one real run" in page.text
