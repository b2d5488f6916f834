from jamlab.measure.verdict import Outcome, unmeasured
from jamlab.report.page import tables
from tests.report.page.pages import Page


def words(shown):
    return Page(shown._repr_html_()).text


def test_what_was_not_run_is_a_row_with_its_reason():
    verdict = unmeasured("local capture", Outcome.NOT_RUN, "There is no card.")
    text = words(tables.judged_table([verdict]))
    assert "NOT RUN Local capture not measured There is no card." in text
