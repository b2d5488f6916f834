"""The notebook of acceptance tests: made into a page of any record."""

import re

import nbformat
import pytest

from jamlab.measure.acceptance.run import LEFT_OUT, TESTS
from jamlab.measure.record import RecordError
from jamlab.report.page.html import notebook_path, render
from tests.measure.acceptance.runs import good_finding, record_with, whole_record
from tests.notebooks.cells import run_cells
from tests.report.page.pages import Page

NOTEBOOK = "06_acceptance_tests"
SECTIONS = [test.replace("-", " ").capitalize() for test in TESTS]


def page_of(record, folder):
    record.save(folder / "record")
    parameters = {"record": str(folder / "record")}
    made = render(notebook_path(NOTEBOOK), parameters, folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(whole_record(TESTS), tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(notebook_path(NOTEBOOK), as_version=4)


def test_it_begins_in_plain_words_and_takes_parameters(notebook):
    words, parameters, *_ = notebook.cells
    assert words.cell_type == "markdown"
    assert parameters.metadata.tags == ["parameters"]
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    assert names == ["record", "out", "tests"]
    assert {"masthead", "verdicts"} <= {cell.id for cell in notebook.cells}


@pytest.mark.slow
def test_its_page_has_a_section_for_each_test_and_reaches_nowhere(page):
    places = [page.text.index(f"{section} ") for section in SECTIONS]
    assert all(place > 0 for place in places)
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables[:2] == ["parts", "verdicts"]
    assert tables.count("figures") == 6
    assert tables[-1] == "provenance"
    assert len(page.images) == 7
    assert page.addresses == []
    assert "script" not in page.tags
    assert not re.search(r"(?i)\bnan\b", page.text)


@pytest.mark.slow
def test_a_record_of_one_test_says_that_the_others_were_not_asked_for(tmp_path):
    one = record_with(good_finding("connection-blocked"))
    page = page_of(one.joined([], {}, not_run={"connection-blocked": LEFT_OUT}), tmp_path)
    assert page.text.count("This test was not requested.") == 5
    assert page.text.count("the simulated internet was left out") == 2
    assert page.images == []


@pytest.mark.slow
def test_a_record_that_is_not_there_is_told_in_a_sentence(tmp_path):
    with pytest.raises(RecordError, match="is missing"):
        run_cells(NOTEBOOK, {"record": str(tmp_path)})
