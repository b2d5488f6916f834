"""One page made of executed notebooks: an opening with all verdicts, contents, a section for each.

The page is drawn by templates of its own, for nbconvert's load scripts from elsewhere: here there
is no script at all, and the page's own policy forbids it to fetch anything. ``cells.html.j2`` shows
what cells show, ``page.html.j2`` is what is around them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.measure.verdict import Outcome
from jamlab.report.page.opening import PART_TYPE, Told, badge, decisive, overall_of, sentence, tally
from jamlab.report.page.outline import Heading, outlined

_TEMPLATE = Path(__file__).parent / "template"
_HEAD = "masthead"  # id of the cell whose output says what the page's opening is to say


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page."""

    anchor: str
    title: str
    short: str
    """The title in the contents."""
    subject: str
    """What was measured, and when."""
    told: Sequence[Told]
    html: str
    """What its cells show; "" of a part that was not run."""
    headings: Sequence[Heading]
    """Those that the contents list."""

    @property
    def run(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.html)

    @property
    def outcome(self) -> Outcome:
        """The overall verdict on the part."""
        return overall_of(self.told)

    @property
    def decisive(self) -> Told:
        """The verdict its overall one hangs on."""
        return decisive(self.told)

    @property
    def musicians(self) -> str:
        """What its latency means to musicians; "" where it has none."""
        return self.decisive.musicians or self.told[0].musicians

    @property
    def tally(self) -> str:
        """How many of its targets are met."""
        return tally(self.told)


def section(executed: Any, anchor: str, *, deeper: int = 0, short: str = "") -> Section:
    """Return what an executed notebook shows, as a section of a page.

    Parameters
    ----------
    executed : NotebookNode
        Its cell ``masthead`` has the section's title and what goes into the page's opening; without
        it, the title is the metadata's ``title``.
    anchor : str
        The section's, and the beginning of all anchors in it.
    deeper : int
        1 on a page of several sections, where a section's title stands above its headings.
    short : str, optional
        The title in the contents.
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
        [Told.told(each) for each in data.get("verdicts", ())],
        html,
        [heading for heading in headings if heading.level == 2 + deeper],
    )


def not_run(anchor: str, title: str, reason: str, *, short: str = "") -> Section:
    """Return a part that was not run: a line in the opening, and nothing else."""
    told = Told(Outcome.NOT_RUN, title, "", "", reason)
    return Section(anchor, title, short or title, "", [told], "", ())


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the page; several sections each stand under their title."""
    judged = {each.title: each.told for each in sections if each.told}
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
    """Return what the output of the head's cell says; nothing where there is none."""
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
