"""The session's notebook: run with a participant in another process."""

from itertools import permutations

import pytest

from jamlab.report.page.html import notebook_path, render
from tests.report.page.pages import Page

pytestmark = pytest.mark.slow

NOTEBOOK = "03_jam_session"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = render(
        notebook_path(NOTEBOOK), {"duration_s": 3.0}, tmp_path_factory.mktemp("page") / "page.html"
    )
    return Page(made.read_text(encoding="utf-8"))


def test_clicks_come_back_from_another_process(page):
    for word in ("connected", "round trip", "companion", "jamlab join jam --hub ws://127.0.0.1:"):
        assert word in page.text


def test_every_pair_of_three_processes_is_on_its_page(page):
    names = ("host", "companion", "second companion")
    for path in permutations(names, 2):
        assert " → ".join(path) in page.text
    for word in ("One way", "Both ways", "Worst partner", "Took part"):
        assert word in page.text
    assert len(page.images) == 2  # the map, and the levels


def test_the_panel_is_not_left_on_the_page_as_a_dead_widget(page):
    assert "SessionPanel" not in page.text
    assert "widget" not in page.text.lower()


def test_its_page_reaches_nowhere_and_keeps_the_key(page):
    assert page.addresses == []
    assert "JAMLAB_SUPABASE_KEY=…" in page.text
