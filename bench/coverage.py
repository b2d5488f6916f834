"""``make bench-coverage``: coverage of the confidence interval of a 95th percentile.

The delays are drawn from random processes with a known 95th percentile, in the form of a run of
`LatencyPlan`: in several sessions and, for comparison, in a single one. A correct interval of 95 %
covers the true percentile in 95 of 100 runs. Also measured: the worst of thirty paths, and a share
of concealed sound that differs between sessions.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.statistics import Estimate, p95, share_of_sessions, worst_of

TRIALS = 400
PATHS = 30
NOISE = 0.1
"""Standard deviation of single clicks around a level with standard deviation 1."""
_BURN_IN_S = 20.0
_REDRAWN_S = 2.0, 5.0


@dataclass(frozen=True)
class Process:
    """Delays of a session, ``draw(rng, seconds, clicks per second)``, and their true percentile."""

    name: str
    draw: Callable[[np.random.Generator, float, float], np.ndarray]
    truth: float


def normal(rng, size):
    return rng.standard_normal(size)


def uniform(rng, size):
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size)


def exponential(rng, size):
    return rng.standard_exponential(size) - 1


LEVELS = {"normal": normal, "uniform": uniform, "exponential": exponential}
"""Distributions of levels, each of mean 0 and standard deviation 1."""


def independent(rng, seconds, rate):
    return rng.standard_normal(round(seconds * rate))


def autoregressive(correlation):
    """Return a process in which consecutive delays are correlated."""

    def draw(rng, seconds, rate):
        found = rng.standard_normal(round(seconds * rate))
        for place in range(1, len(found)):
            found[place] *= np.sqrt(1 - correlation**2)
            found[place] += correlation * found[place - 1]
        return found

    return draw


def redrawn(level):
    """Return a process with a new level every 2 to 5 seconds; sessions begin at any phase."""

    def draw(rng, seconds, rate):
        times_s = _BURN_IN_S + np.arange(round(seconds * rate)) / rate
        changes_s = np.cumsum(rng.uniform(*_REDRAWN_S, round((_BURN_IN_S + seconds) / 2) + 1))
        levels = level(rng, len(changes_s) + 1)[np.searchsorted(changes_s, times_s, "right")]
        return levels + NOISE * rng.standard_normal(len(times_s))

    return draw


def per_session(level):
    """Return a process with a new level in every session."""
    return lambda rng, seconds, rate: (
        level(rng, 1) + NOISE * rng.standard_normal(round(seconds * rate))
    )


def spreads(rng, seconds, rate):
    return rng.standard_exponential() * rng.standard_normal(round(seconds * rate))


def _percentile(draw_one, count=2_000_000):
    """Return the 95th percentile of many draws, accurate to one in the third digit."""
    return float(np.quantile(draw_one(np.random.default_rng(0), count), 0.95))


def _of_levels(level):
    return _percentile(lambda rng, n: level(rng, n) + NOISE * rng.standard_normal(n))


_NORMAL = float(stats.norm.ppf(0.95))
_SPREAD = _percentile(lambda rng, n: rng.standard_exponential(n) * rng.standard_normal(n))

PROCESSES = (
    Process("independent", independent, _NORMAL),
    Process("autocorrelation 0.6", autoregressive(0.6), _NORMAL),
    Process("autocorrelation 0.9", autoregressive(0.9), _NORMAL),
    *(Process(f"redrawn in 2-5 s, {n}", redrawn(v), _of_levels(v)) for n, v in LEVELS.items()),
    *(Process(f"per session, {n}", per_session(v), _of_levels(v)) for n, v in LEVELS.items()),
    Process("spread per session, exponential", spreads, _SPREAD),
)
"""The processes of delays to try."""


def estimated(
    process: Process, plan: LatencyPlan, rng: np.random.Generator, among: int = 1
) -> Estimate:
    """Estimate the percentile from a run of a plan."""
    rate, each_s = plan.bpm / 60, plan.duration_s / plan.sessions
    drawn = [process.draw(rng, each_s, rate) for _ in range(plan.sessions)]
    labels = np.repeat(np.arange(plan.sessions), [len(each) for each in drawn])
    return p95(np.concatenate(drawn), rng, sessions=labels, among=among)


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def coverage(process: Process, plan: LatencyPlan, trials: int, seed: int = 1) -> list[Estimate]:
    """Return the estimates of `trials` runs."""
    rng = np.random.default_rng(seed)
    return [estimated(process, plan, rng) for _ in range(trials)]


def worst_path(plan: LatencyPlan, rng: np.random.Generator) -> Estimate:
    """Estimate the worst of `PATHS` equal paths, the case in which chance has the most effect."""
    process = PROCESSES[0]
    return worst_of([estimated(process, plan, rng, PATHS) for _ in range(PATHS)])


def concealed(plan: LatencyPlan, rng: np.random.Generator) -> Estimate:
    """Estimate a concealed share with mean 0.5 %, exponentially distributed between sessions."""
    packets = round(400 * plan.duration_s / plan.sessions)
    shares = 0.005 * rng.standard_exponential(plan.sessions)
    lost = rng.binomial(packets, np.minimum(shares, 1.0))
    return share_of_sessions(lost, np.full(plan.sessions, packets))


def _row(name: str, truth: float, several: list[Estimate], one: list[Estimate]) -> list[str]:
    cells = [name]
    for found in (several, one):
        cells.append(f"{np.mean([covers(each, truth) for each in found]):.0%}" if found else "")
    low, high = (np.median([getattr(each, e) for each in several]) - truth for e in ("low", "high"))
    false_pass = np.mean([each.high < truth for each in several])
    false_fail = np.mean([each.low > truth for each in several])
    return [*cells, f"{false_pass:.1%}", f"{false_fail:.1%}", f"{low:+.2f} to {high:+.2f}"]


def main():
    plan = LatencyPlan()
    one = LatencyPlan(sessions=1, duration_s=20.0, bpm=480.0)
    table = Table(
        "delays",
        f"covered, {plan.sessions} sessions",
        f"one of {one.duration_s:g} s",
        "too low",
        "too high",
        "ends, from the truth",
        title=f"{TRIALS} runs each of {plan.duration_s:g} s, nominal 95 %",
    )
    for process in PROCESSES:
        print(process.name, file=sys.stderr)
        single = [] if "per session" in process.name else coverage(process, one, TRIALS // 2)
        table.add_row(*_row(process.name, process.truth, coverage(process, plan, TRIALS), single))
    rng = np.random.default_rng(1)
    worst = [worst_path(plan, rng) for _ in range(TRIALS // 10)]
    table.add_row(*_row(f"worst of {PATHS} independent paths", PROCESSES[0].truth, worst, []))
    shares = [concealed(plan, rng) for _ in range(10 * TRIALS)]
    table.add_row(*_row("share, exponential per session", 0.005, shares, []))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
