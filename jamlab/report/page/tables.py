"""Tables of any report: verdicts, facts, and the style of tables.

Styles are inline, so that a notebook shows the tables as the page does. Every meaning of a colour
is also in words.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Verdict
from jamlab.report.page.opening import NO_MATH, VerdictText, badge


def judged_table(
    judged: Iterable[Verdict], name: str = "verdicts", heard: Estimate | None = None
) -> Styler:
    """Return a row per verdict, with what a latency means to musicians.

    The name distinguishes the tables of a page; `heard` is the latency with sound cards, as in
    `VerdictText.of`.
    """
    rows = [
        {
            "Verdict": badge(each.outcome),
            "What": escape(each.name),
            "Target": escape(each.target),
            "Measured": each.measured,
            "Why": escape(each.reason) + _to_musicians(each.musicians),
        }
        for each in (VerdictText.of(verdict, heard) for verdict in judged)
    ]
    return styled_table(pd.DataFrame(rows), name)


def _to_musicians(words: str) -> str:
    return f'<p class="musicians">{escape(words)}</p>' if words else ""


def facts_table(groups: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Styler:
    """Return a row per fact; a group's name is in its first row."""
    rows = [
        {"": "" if number else group, "What": name, "Value": value}
        for group, facts in groups
        for number, (name, value) in enumerate(facts)
    ]
    return styled_table(pd.DataFrame(rows).map(escape), "provenance")


class LiteralStyler(Styler):
    """A table in which JupyterLab takes no dollar from outside for the beginning of a formula."""

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        return {"text/html": literal_html(self.to_html()).data}


class LiteralFrame(pd.DataFrame):
    """A table without style in which JupyterLab takes no dollar for the beginning of a formula.

    What pandas makes of it is an ordinary table again.
    """

    def _repr_html_(self) -> str:
        html = super()._repr_html_()  # type: ignore[misc]
        return str(literal_html(html or "").data)


def styled_table(table: pd.DataFrame, name: str) -> Styler:
    """Return a styled table without its index; the fixed name keeps the page reproducible."""
    styler = LiteralStyler(table).hide(axis="index").set_uuid(name)
    styler = styler.set_table_attributes(f'class="{name}"')
    return styler.set_table_styles(
        [{"selector": "th, td", "props": "text-align: left; vertical-align: top"}]
    )


def literal_html(html: str) -> HTML:
    """Return HTML for a notebook, in which a dollar from outside begins no formula."""
    whole = f'<div class="{NO_MATH}">{html}</div>' if html else ""
    return HTML(whole)  # type: ignore[no-untyped-call]


def date_of(created: str) -> str:
    """Write the date of a record, e.g. "2026-11-22 23:05 UTC"."""
    return f"{datetime.fromisoformat(created).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def fact(name: str, value: Any) -> tuple[str, str]:
    """Write a parameter for the reader: the unit moves from the end of its name to its value."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    bare, _, unit = name.rpartition("_")
    if bare and unit in ("s", "frames"):
        return bare.replace("_", " "), f"{value:g} {unit}"
    return name.replace("_", " "), str(value)
