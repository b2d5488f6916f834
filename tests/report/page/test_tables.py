import re

from jamlab.measure.verdict import Outcome, unmeasured
from jamlab.report.page import opening, tables
from tests.report.page.pages import Page


def words(shown):
    return Page(shown._repr_html_()).text


def test_a_dollar_from_outside_begins_no_formula():
    """JupyterLab typesets what lies between dollars, unless one of these classes is around it."""
    verdict = unmeasured("the share of $x$ and $$", Outcome.NOT_RUN, "There is no $y$.")
    table, head = tables.judged_table([verdict]), opening.head("A $title$", "a $room$", [verdict])
    bundles = table._repr_mimebundle_(), head._repr_mimebundle_()
    shown = *(bundle["text/html"] for bundle in bundles), tables.literal_html("<p>$z$</p>").data
    for html in shown:
        before = html[: html.index("$")]
        assert {"tex2jax_ignore", "mathjax_ignore"} <= set(re.findall(r"[\w-]+", before))
    assert tables.literal_html("").data == ""


def test_what_was_not_run_is_a_row_with_its_reason():
    verdict = unmeasured("local capture", Outcome.NOT_RUN, "There is no card.")
    text = words(tables.judged_table([verdict]))
    assert "NOT RUN Local capture not measured There is no card." in text


def test_nor_does_it_in_a_table_without_style():
    html = tables.LiteralFrame({"peer": ["$x$", "<b>"]})._repr_html_()
    before = html[: html.index("$")]
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set(re.findall(r"[\w-]+", before))
    assert "<b>" not in html
