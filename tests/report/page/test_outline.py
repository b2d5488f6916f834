import pandas as pd
import pytest

from jamlab.report.page.outline import Heading, outlined
from jamlab.report.page.tables import styled_table
from tests.report.page.pages import Page


def test_headings_get_anchors_that_hang_on_their_words_alone():
    html, headings = outlined('<h2 id="old">What TURN <em>buys</em></h2><p>x</p>', "calls", 0)
    assert html == '<h2 id="calls-what-turn-buys">What TURN <em>buys</em></h2><p>x</p>'
    assert headings == [Heading(2, "calls-what-turn-buys", "What TURN buys")]


@pytest.mark.parametrize(("level", "deeper", "result"), [(2, 0, 2), (2, 1, 3), (6, 1, 6)])
def test_headings_go_deeper_but_never_too_deep(level, deeper, result):
    html, headings = outlined(f"<h{level}>A</h{level}>", "p", deeper)
    assert html == f'<h{result} id="p-a">A</h{result}>'
    assert headings[0].level == result


def test_headings_of_the_same_words_have_anchors_of_their_own():
    _, headings = outlined("<h2>Tom &amp; I</h2><h2>Tom &amp; I</h2><h3>?</h3>", "p", 0)
    assert [heading.anchor for heading in headings] == ["p-tom-i", "p-tom-i-2", "p-section"]
    assert headings[0].words == "Tom & I"


def test_tables_have_no_ids_and_no_style_and_say_what_their_columns_are():
    table = styled_table(pd.DataFrame({"A": ["id=1"], "B": ["2"]}), "some")
    page = Page(outlined(table.to_html() * 2, "p", 0)[0])
    assert page.ids == []
    assert "style" not in page.tags
    assert page.table("some") == [["A", "B"], ["id=1", "2"]]
    assert page.attributes.count(("th", "scope", "col")) == 4
