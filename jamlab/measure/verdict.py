"""Verdicts: a measured interval against a target, in three values and one sentence."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jamlab.measure.statistics import Estimate


class Outcome(StrEnum):
    """What a measurement says about its target."""

    PASS = "PASS"
    """The whole interval meets the target."""
    FAIL = "FAIL"
    """The whole interval misses the target."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """The interval straddles the target, or the run was invalid."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target and what the measurement says about it."""

    name: str
    """What was measured, as the reader calls it."""
    target: str
    """The target in words, e.g. ``"< 50"``, in `unit`."""
    value: float
    """The estimate, in `unit`."""
    interval: tuple[float, float]
    """Low and high end of the estimate's interval, in `unit`."""
    unit: str
    """Unit of target, value and interval."""
    verdict: Outcome
    """PASS, FAIL or INCONCLUSIVE."""
    reason: str
    """Why, in one sentence."""

    def to_dict(self) -> dict[str, object]:
        """Return the verdict ready for JSON: values that are not finite become None."""
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
    """Judge whether a figure is below a limit.

    Parameters
    ----------
    name : str
        What was measured, e.g. ``"median latency"``.
    limit : float
        The figure has to be below it, in `unit`.
    estimate : Estimate
        The measured figure and its interval, in `unit`.
    unit : str
        E.g. ``"ms"``.
    invalid : sequence of str
        What spoils the run, each in words that follow "because", e.g. ``"the loop lagged 12 ms"``.

    Returns
    -------
    Verdict
        PASS when the whole interval is below the limit, FAIL when the whole interval is at or above
        it, INCONCLUSIVE when it straddles the limit, is unknown, or the run was invalid.

    Raises
    ------
    ValueError
        When the limit is not finite.
    """
    if not math.isfinite(limit):
        raise ValueError(f"limit of {name!r} is {limit}: give a finite number of {unit}")
    outcome, reason = _below(name, limit, estimate, unit)
    if invalid:
        outcome = Outcome.INCONCLUSIVE
        reason = f"The run does not count, because {' and '.join(invalid)}."
    interval = (estimate.low, estimate.high)
    return Verdict(name, f"< {limit:g}", estimate.value, interval, unit, outcome, reason)


def _below(name: str, limit: float, estimate: Estimate, unit: str) -> tuple[Outcome, str]:
    if math.isnan(estimate.value):
        return Outcome.INCONCLUSIVE, f"There is no value of {name} to judge."
    measured = f"The {name} is {estimate.value:.4g} {unit}"
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return Outcome.INCONCLUSIVE, f"{measured}, but too few values were heard for an interval."
    interval = f"{100 * estimate.confidence:g}% interval {estimate.low:.4g} to {estimate.high:.4g}"
    target = f"the target of less than {limit:g} {unit}"
    if estimate.high < limit:
        return Outcome.PASS, f"{measured} ({interval}), wholly within {target}."
    if estimate.low >= limit:
        return Outcome.FAIL, f"{measured} ({interval}), wholly outside {target}."
    return Outcome.INCONCLUSIVE, f"{measured}, but its {interval} straddles {target}."


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Return FAIL if any verdict is, else INCONCLUSIVE if any is or there is none, else PASS."""
    outcomes = {verdict.verdict for verdict in verdicts}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.PASS if outcomes == {Outcome.PASS} else Outcome.INCONCLUSIVE


_EXIT_STATUS = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 2}


def exit_status(outcome: Outcome) -> int:
    """Return a process exit status: 0 for PASS, 1 for FAIL, 2 for INCONCLUSIVE."""
    return _EXIT_STATUS[outcome]
