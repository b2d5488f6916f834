"""The opening of a page or notebook: the overall verdict in a sentence, and its parts.

A notebook displays its head as an output. That output also has the verdicts as data, from which
`jamlab.report.page.document` makes the table at the beginning of a page. So the opening always
agrees with the sections.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from jamlab.measure.digits import measured
from jamlab.measure.latency import musicians
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, Verdict, overall, unmeasured

PART_TYPE = "application/vnd.jamlab.part+json"
"""Media type of the data in a head's output: the subject, and the verdicts on it."""

NO_MATH = "tex2jax_ignore mathjax_ignore"
"""Classes of HTML in which JupyterLab (MathJax 2 and 3) leaves dollars alone."""

_LOOKS = {
    Outcome.PASS: ("✓", "#e2f3ea", "#0b5b3c"),
    Outcome.FAIL: ("✗", "#fbe3dc", "#962700"),
    Outcome.INCONCLUSIVE: ("?", "#fdf0cd", "#6b4a00"),
    Outcome.NOT_RUN: ("–", "#eceef1", "#3f4754"),
}


@dataclass(frozen=True, slots=True)
class VerdictText:
    """A verdict as text for the reader."""

    outcome: Outcome
    name: str
    target: str
    measured: str
    reason: str
    spare: float | None = None
    """Distance from the limit as a share of it; below 0 if missed, None if unknown."""
    musicians: str = ""
    """Meaning of a latency to musicians; "" for any other figure."""

    @classmethod
    def of(cls, verdict: Verdict, mouth_to_ear: Estimate | None = None) -> "VerdictText":
        """Return the text of a verdict.

        `mouth_to_ear` is the one-way latency with sound cards, in milliseconds, which musicians
        hear; None if the cards were not measured.
        """
        return cls(
            outcome=verdict.verdict,
            name=verdict.name[:1].upper() + verdict.name[1:],
            target=verdict.wanted,
            measured=verdict.measured,
            reason=verdict.reason,
            spare=_spare(verdict),
            musicians=_to_musicians(verdict, mouth_to_ear),
        )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "VerdictText":
        """Read a verdict from a head's output."""
        return cls(**{**data, "outcome": Outcome(data["outcome"])})


def _spare(verdict: Verdict) -> float | None:
    by = verdict.value - verdict.limit
    if not math.isfinite(by):
        return None
    return (by if verdict.target.startswith("≥") else -by) / (abs(verdict.limit) or 1.0)


def _to_musicians(verdict: Verdict, mouth_to_ear: Estimate | None) -> str:
    meaning = musicians.of_verdict(verdict)
    if not meaning:
        return ""
    if mouth_to_ear is None:
        figure = f"{verdict.measured} one way, sound cards not counted"
    else:
        heard = mouth_to_ear.value, mouth_to_ear.low, mouth_to_ear.high
        figure = f"{measured(*heard, 'ms')} from mouth to ear"
        meaning = musicians.meaning(*heard)
    return f"To musicians, {figure}: {meaning}."


class Head:
    """The head of a notebook: title, subject, and overall verdict."""

    def __init__(self, title: str, subject: str, verdicts: Sequence[VerdictText]) -> None:
        self.title, self.subject, self.verdicts = title, subject, verdicts

    def _repr_html_(self) -> str:
        outcome, words = sentence({self.title: self.verdicts})
        return (
            f'<header class="masthead"><h1>{escape(self.title)}</h1>'
            f"<p>{escape(self.subject)}</p>"
            f'<p class="overall">{badge(outcome)} {escape(words)}</p></header>'
        )

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        verdicts = [asdict(each) for each in self.verdicts]
        data = {"title": self.title, "subject": self.subject, "verdicts": verdicts}
        shown = f'<div class="{NO_MATH}">{self._repr_html_()}</div>'
        return {"text/html": shown, PART_TYPE: data}


def head(
    title: str, subject: str, judged: Iterable[Verdict], mouth_to_ear: Estimate | None = None
) -> Head:
    """Return the head of a notebook: title, subject, and overall verdict."""
    return Head(title, subject, [VerdictText.of(verdict, mouth_to_ear) for verdict in judged])


def badge(outcome: Outcome) -> str:
    """Return a verdict's word on its colour, with a sign for readers who do not see colours."""
    sign, background, ink = _LOOKS[outcome]
    look = (
        f"background:{background};color:{ink};border:1px solid {ink};border-radius:4px;"
        "padding:1px 8px;font-weight:700;white-space:nowrap;print-color-adjust:exact"
    )
    return f'<span class="badge" style="{look}">{sign} {outcome}</span>'


def overall_of(verdicts: Iterable[VerdictText]) -> Outcome:
    """Return the overall verdict."""
    return overall(unmeasured(each.name, each.outcome, each.reason) for each in verdicts)


def decisive(verdicts: Sequence[VerdictText]) -> VerdictText:
    """Return the decisive verdict: of those with the overall outcome, the least margin."""
    outcome = overall_of(verdicts)
    alike = [each for each in verdicts if each.outcome is outcome] or list(verdicts)
    return min(alike, key=lambda each: -math.inf if each.spare is None else each.spare)


def tally(verdicts: Sequence[VerdictText]) -> str:
    """Return how many of a part's targets are met, e.g. "5 of 6"; "" if nothing was run."""
    run = [each for each in verdicts if each.outcome is not Outcome.NOT_RUN]
    met = sum(each.outcome is Outcome.PASS for each in run)
    return f"{met} of {len(run)}" if run else ""


def sentence(parts: Mapping[str, Sequence[VerdictText]]) -> tuple[Outcome, str]:
    """Return the overall verdict on some parts, and the reason in a sentence.

    The sentence has the parts' names if there are several.
    """
    verdicts = [each for part in parts.values() for each in part]
    outcome = overall_of(verdicts)
    words = "; ".join(filter(None, [_settled(parts, outcome), _left_out(parts, outcome)]))
    return outcome, f"{words[:1].upper()}{words[1:]}."


def _settled(parts: Mapping[str, Sequence[VerdictText]], outcome: Outcome) -> str:
    outcomes = [each.outcome for part in parts.values() for each in part]
    run = len(outcomes) - outcomes.count(Outcome.NOT_RUN)
    if outcome is Outcome.NOT_RUN or not run:
        return "nothing was run"
    if outcome is Outcome.PASS:
        return "the target is met" if run == 1 else f"all {run} targets are met"
    where = _where(parts, outcome)
    if outcome is Outcome.INCONCLUSIVE:
        return f"{_of(outcomes.count(outcome), run)} not settled by this run{where}"
    open_ = outcomes.count(Outcome.INCONCLUSIVE)
    further = f", and {open_} not settled" if open_ else ""
    return f"{_of(outcomes.count(outcome), run)} missed{where}{further}"


def _of(count: int, run: int) -> str:
    if run == 1:
        return "the target is"
    return f"{count} of {run} targets {'is' if count == 1 else 'are'}"


def _where(parts: Mapping[str, Sequence[VerdictText]], outcome: Outcome) -> str:
    names = [name for name, part in parts.items() if outcome in {each.outcome for each in part}]
    return f" ({', '.join(map(_small, names))})" if len(parts) > 1 else ""


def _left_out(parts: Mapping[str, Sequence[VerdictText]], outcome: Outcome) -> str:
    if outcome is Outcome.NOT_RUN:
        return ""
    said = []
    for name, part in parts.items():
        left_out, whole = sum(each.outcome is Outcome.NOT_RUN for each in part), len(part)
        count = f"{left_out} of {whole}"
        if left_out:
            named = _small(name) if left_out == whole else f"{_small(name)} ({count})"
            said.append(named if len(parts) > 1 else count)
    return f"not run: {', '.join(said)}" if said else ""


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
