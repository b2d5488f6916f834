"""Verdicts: a measured interval compared with a target, in one word and one sentence."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jamlab.measure import digits
from jamlab.measure.statistics import Estimate


class Outcome(StrEnum):
    """Result of comparing a measurement with its target."""

    PASS = "PASS"
    """The whole interval meets the target."""
    FAIL = "FAIL"
    """The whole interval misses the target."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """The interval straddles the target, or the run was invalid."""
    NOT_RUN = "NOT RUN"
    """Nothing was measured; the reason states why."""


_COUNTED = ("errors", "steps")
"""Units of numbers of things, of which less than one is none."""

GRAVITY = {Outcome.PASS: 0, Outcome.NOT_RUN: 1, Outcome.INCONCLUSIVE: 2, Outcome.FAIL: 3}
"""Gravity of each outcome; of several verdicts, the gravest comes first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target and the measurement compared with it; target, value and interval are in `unit`."""

    name: str
    target: str
    """In words, e.g. ``"< 50"``."""
    value: float
    interval: tuple[float, float]
    unit: str
    verdict: Outcome
    reason: str
    """Why, in one sentence."""

    @property
    def limit(self) -> float:
        """The limit in the target, in `unit`; NaN without one."""
        return float(self.target.split()[-1]) if self.target else math.nan

    @property
    def wanted(self) -> str:
        """The target with its unit, as text; "none" where less than one of something is wanted."""
        if self.unit in _COUNTED and self.target == "< 1":
            return "none"
        return f"{self.target} {self.unit}".strip().replace("-", "−")

    @property
    def measured(self) -> str:
        """The estimate and its interval as text, rounded without crossing the limit."""
        return digits.measured(self.value, *self.interval, self.unit, self.limit)

    def to_dict(self) -> dict[str, object]:
        """Return the verdict as JSON data; values that are not finite become None."""
        return {
            "name": self.name,
            "target": self.target,
            "value": _finite(self.value),
            "interval": [_finite(end) for end in self.interval],
            "unit": self.unit,
            "verdict": self.verdict.value,
            "reason": self.reason,
        }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def judge_below(
    name: str, limit: float, estimate: Estimate, unit: str, invalid: Sequence[str] = ()
) -> Verdict:
    """Judge whether a figure is below a limit; both are in `unit`.

    PASS when the whole interval is below the limit, FAIL when the whole interval is at or above it,
    INCONCLUSIVE when it straddles the limit, is unknown, or the run was invalid. The reasons why it
    is `invalid` are words to follow "because", e.g. ``"the loop lagged 12 ms"``. Raises ValueError
    when the limit is not finite.
    """
    _check_limit(name, limit, unit)
    finding = _below(name, limit, estimate, unit)
    return _verdict(name, f"< {limit:.12g}", estimate, unit, finding, invalid)


def judge_at_least(
    name: str, limit: float, estimate: Estimate, unit: str, invalid: Sequence[str] = ()
) -> Verdict:
    """Judge whether a figure reaches a limit; parameters and errors are those of `judge_below`.

    PASS when the whole interval is at or above the limit, FAIL when the whole interval is below it,
    INCONCLUSIVE when it straddles the limit, is unknown, or the run was invalid.
    """
    _check_limit(name, limit, unit)
    finding = _at_least(name, limit, estimate, unit)
    return _verdict(name, f"≥ {limit:.12g}", estimate, unit, finding, invalid)


def unmeasured(name: str, outcome: Outcome, reason: str) -> Verdict:
    """Return a verdict without a figure, with the reason in one sentence."""
    return Verdict(name, "", math.nan, (math.nan, math.nan), "", outcome, reason)


def _check_limit(name: str, limit: float, unit: str) -> None:
    if not math.isfinite(limit):
        raise ValueError(f"limit of {name!r} is {limit}: give a finite number of {unit}")


def _verdict(
    name: str,
    target: str,
    estimate: Estimate,
    unit: str,
    finding: tuple[Outcome, str],
    invalid: Sequence[str],
) -> Verdict:
    outcome, reason = finding
    if invalid:
        outcome = Outcome.INCONCLUSIVE
        reason = f"The run does not count, because {' and '.join(invalid)}."
    interval = (estimate.low, estimate.high)
    return Verdict(name, target, estimate.value, interval, unit, outcome, reason)


def _limit(limit: float) -> str:
    return f"{limit:.12g}".replace("-", "−")


def _below(name: str, limit: float, estimate: Estimate, unit: str) -> tuple[Outcome, str]:
    none = unit in _COUNTED and limit == 1
    target = "the target of none" if none else f"the target of less than {_limit(limit)} {unit}"
    inside, outside = estimate.high < limit, estimate.low >= limit
    return _finding(name, target, estimate, (unit, limit), (inside, outside))


def _at_least(name: str, limit: float, estimate: Estimate, unit: str) -> tuple[Outcome, str]:
    target = f"the target of at least {_limit(limit)} {unit}"
    inside, outside = estimate.low >= limit, estimate.high < limit
    return _finding(name, target, estimate, (unit, limit), (inside, outside))


def _finding(
    name: str, target: str, estimate: Estimate, by: tuple[str, float], lies: tuple[bool, bool]
) -> tuple[Outcome, str]:
    """Return the outcome and the reason for an interval inside its target, outside, or neither.

    `by` is the unit, which sets the digits, and the limit that no rounded figure may cross.
    """
    if math.isnan(estimate.value):
        return Outcome.INCONCLUSIVE, f"There is no value of {name} to judge."
    places = digits.decimals(estimate.value, estimate.low, estimate.high, *by)
    value, low, high = (
        _words(number, places) for number in (estimate.value, estimate.low, estimate.high)
    )
    unit = f" {by[0]}" if math.isfinite(estimate.value) else ""
    measured = f"The {name} is {value}{unit}"
    if estimate.low == -math.inf:
        why = "there are too few values for an interval: measure for longer"
        return Outcome.INCONCLUSIVE, f"{measured}, but {why}."
    interval = f"{100 * estimate.confidence:g}% interval {low} to {high}"
    inside, outside = lies
    if estimate.low == estimate.high:
        words = "within" if inside else "outside"
        return Outcome.PASS if inside else Outcome.FAIL, f"{measured}, {words} {target}."
    if inside:
        return Outcome.PASS, f"{measured} ({interval}), wholly within {target}."
    if outside:
        return Outcome.FAIL, f"{measured} ({interval}), wholly outside {target}."
    return Outcome.INCONCLUSIVE, f"{measured}, but its {interval} straddles {target}."


def _words(value: float, places: int) -> str:
    """Write a value with `places` decimals, an infinite one as a word."""
    return digits.fixed(value, places) if math.isfinite(value) else "infinite"


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Return FAIL if any verdict is FAIL, else INCONCLUSIVE if any or if there are none, else PASS.

    NOT RUN counts only when there is no other outcome.
    """
    outcomes = {verdict.verdict for verdict in verdicts}
    if outcomes == {Outcome.NOT_RUN}:
        return Outcome.NOT_RUN
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    passed = outcomes - {Outcome.NOT_RUN} == {Outcome.PASS}
    return Outcome.PASS if passed else Outcome.INCONCLUSIVE


_EXIT_STATUS = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 2, Outcome.NOT_RUN: 2}


def exit_status(outcome: Outcome) -> int:
    """Return the process's exit status: 0 for PASS, 1 for FAIL, 2 for INCONCLUSIVE and NOT RUN."""
    return _EXIT_STATUS[outcome]
