from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import judge_below
from jamlab.report.page.document import not_run, page, section
from jamlab.report.page.opening import head
from tests.report.page.pages import Page


def verdict(value, name="one-way latency"):
    return judge_below(name, 50, Estimate(value, value, value, 0.95), "ms")


def notebook(title, *judged, words="## Every path"):
    """Return a notebook as it is after it was run."""
    shown = head(title, "2 participants", judged)._repr_mimebundle_()
    cell = new_code_cell(outputs=[new_output("display_data", data=shown)], id="masthead")
    made = new_notebook(cells=[cell, new_markdown_cell(words)], metadata={"title": title})
    nbformat.validate(made)
    return made


@pytest.fixture(scope="module")
def shown():
    latency = section(notebook("Latency", verdict(20.0), verdict(49.0)), "latency", deeper=1)
    calls = section(notebook("Calls", verdict(70.0, "wait")), "calls", deeper=1)
    left_out = not_run("tests", "Tests <b>", "There is no record.")
    return Page(page("Verification", [latency, calls, left_out]))


def test_a_page_opens_with_a_sentence_and_a_line_a_part(shown):
    assert "✗ FAIL 1 of 3 targets is missed (calls); not run: tests <b>." in shown.text
    _, latency, calls, tests = shown.table("parts")
    assert latency[:3] == ["Latency", "✓ PASS", "2 of 2"]
    assert latency[3].startswith("One-way latency: 49 ms , target < 50 ms To musicians, 49 ms")
    assert calls == ["Calls", "✗ FAIL", "0 of 1", "Wait: 70 ms , target < 50 ms"]
    assert tests == ["Tests <b>", "– NOT RUN", "", "There is no record."]


def test_a_line_of_a_run_that_does_not_count_says_why():
    estimate = Estimate(20.0, 20.0, 20.0, 0.95)
    judged = judge_below("one-way latency", 50, estimate, "ms", ["the loop lagged 12.5 ms"])
    judged = replace(judged, reason=f"{judged.reason} Measure again.")
    shown = Page(page("Latency", [section(notebook("Latency", judged), "latency")]))
    decided = shown.table("parts")[1][3]
    assert "Measure again" not in decided
    assert decided.startswith(
        "One-way latency: 20 ms , target < 50 ms "
        "The run does not count, because the loop lagged 12.5 ms."
    )


def test_each_line_leads_to_its_section(shown):
    assert {"latency", "calls"} <= set(shown.links) & set(shown.ids)
    assert "tests" not in shown.links


def test_headings_of_sections_go_one_level_deeper(shown):
    assert [(level, words) for level, _, words in shown.headings] == [
        (1, "Verification"),
        (2, "Latency"),
        (3, "Verdicts"),
        (3, "Every path"),
        (2, "Calls"),
        (3, "Verdicts"),
        (3, "Every path"),
    ]
    assert len(set(shown.ids)) == len(shown.ids)


def test_a_page_of_one_part_opens_in_the_same_way():
    alone = Page(page("Latency", [section(notebook("Latency", verdict(20.0)), "latency")]))
    assert [(level, words) for level, _, words in alone.headings] == [
        (1, "Latency"),
        (2, "Verdicts"),
        (2, "Every path"),
    ]
    assert "✓ PASS The target is met." in alone.text
    assert alone.table("parts")[1][:3] == ["Latency", "✓ PASS", "1 of 1"]
    assert set(alone.links) == {"main", "latency", "latency-verdicts", "latency-every-path"}
    assert set(alone.links) <= set(alone.ids)


def test_a_notebook_without_verdicts_is_a_page_too():
    bare = new_notebook(cells=[new_markdown_cell("## Words")], metadata={"title": "T"})
    shown = Page(page("T", [section(bare, "page")]))
    assert shown.tables == []
    assert [words for _, _, words in shown.headings] == ["T", "Words"]
