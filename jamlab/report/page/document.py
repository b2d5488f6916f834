"""A page made of executed notebooks: an opening with all verdicts, contents, and sections.

The page has templates of its own, because nbconvert's load scripts from other hosts. This page has
no script, and its content security policy forbids it to load anything. ``cells.html.j2`` renders
the cells' outputs, ``page.html.j2`` the page around them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.measure.verdict import Outcome
from jamlab.report.page.opening import (
    PART_TYPE,
    VerdictText,
    badge,
    decisive,
    overall_of,
    sentence,
    tally,
)
from jamlab.report.page.outline import Heading, outlined

_TEMPLATE = Path(__file__).parent / "template"
_HEAD = "masthead"  # id of the cell whose output has the data for the page's opening


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page."""

    anchor: str
    title: str
    short: str
    """Its title in the contents."""
    subject: str
    """The subject and date of the measurement."""
    verdicts: Sequence[VerdictText]
    html: str
    """Its cells' outputs; "" for a part that was not run."""
    headings: Sequence[Heading]
    """The headings to list in the contents."""

    @property
    def run(self) -> bool:
        """Whether the part was run."""
        return bool(self.html)

    @property
    def outcome(self) -> Outcome:
        """The overall verdict on the part."""
        return overall_of(self.verdicts)

    @property
    def decisive(self) -> VerdictText:
        """The verdict that decides the overall one."""
        return decisive(self.verdicts)

    @property
    def cause(self) -> str:
        """The first sentence of the reason for its verdict; the section has the others."""
        first, end, _ = self.decisive.reason.partition(". ")
        return f"{first}{end}".rstrip()

    @property
    def musicians(self) -> str:
        """The meaning of its latency to musicians; "" without one."""
        return self.decisive.musicians or self.verdicts[0].musicians

    @property
    def tally(self) -> str:
        """The number of its targets that are met."""
        return tally(self.verdicts)


def section(executed: Any, anchor: str, *, deeper: int = 0, short: str = "") -> Section:
    """Return the outputs of an executed notebook as a section of a page.

    Its cell ``masthead`` has the section's title and the data for the page's opening; without it,
    the title is the metadata's ``title``. `anchor` is also the prefix of all anchors in it, and
    `short` its title in the contents. `deeper` is 1 on a page of several sections, where a
    section's title is above its headings.
    """
    data = _head_of(executed)
    title = str(data.get("title", executed.metadata.title))
    cells = [cell for cell in executed.cells if cell.get("id") != _HEAD]
    shown = _export(type(executed)({**executed, "cells": cells}))
    if data:
        shown = f"<h2>Verdicts</h2>{shown}"
    html, headings = outlined(shown, anchor, deeper)
    return Section(
        anchor,
        title,
        short or title,
        str(data.get("subject", "")),
        [VerdictText.read(each) for each in data.get("verdicts", ())],
        html,
        [heading for heading in headings if heading.level == 2 + deeper],
    )


def not_run(anchor: str, title: str, reason: str, *, short: str = "") -> Section:
    """Return a section for a part that was not run: only a line in the opening."""
    verdict = VerdictText(Outcome.NOT_RUN, title, "", "", reason)
    return Section(anchor, title, short or title, "", [verdict], "", ())


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML; with several sections, each has its title."""
    judged = {each.title: each.verdicts for each in sections if each.verdicts}
    outcome, words = sentence(judged) if judged else (None, "")
    template = _exporter().environment.get_template("page.html.j2")
    made = template.render(
        title=title,
        sections=sections,
        many=len(sections) > 1,
        overall=outcome,
        sentence=words,
        badge=badge,
    )
    return str(made)


def _head_of(executed: Any) -> dict[str, Any]:
    """Return the data in the output of the head's cell; {} without one."""
    for cell in executed.cells:
        if cell.get("id") == _HEAD:
            for output in cell.get("outputs", ()):
                return dict(output.get("data", {}).get(PART_TYPE, {}))
    return {}


def _export(executed: Any) -> str:
    shown, _ = _exporter().from_notebook_node(executed)
    return str(shown)


def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(  # type: ignore[no-untyped-call]
        template_file=str(_TEMPLATE / "cells.html.j2"),
        extra_template_basedirs=[str(_TEMPLATE)],
        exclude_anchor_links=True,
    )
