"""``make bench-connect``: how soon sessions are heard, on what path, and at what cost.

Sessions meet on the simulated internet in virtual time, each pair with places drawn from a
population, the network profile *same country* between them, and STUN and TURN over UDP and TCP.
Each run has a seed of its own. *UDP blocked*: in each pair one of the two, in turns, is behind a
firewall that lets no UDP pass. A session without sound counts as long as the deadline. *Upgrades*
are calls that move from a relay to a direct path while they play (`bench.upgrades`).
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.bars import Bar, bar, figure, publish
from bench.calibration import alternated
from bench.connectivity import simulated_attempt_s
from bench.upgrades import virtual_upgrades
from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.campaign import Chunk, run_chunk
from jamlab.measure.connectivity.plan import ConnectivityPlan
from jamlab.measure.connectivity.population import load_population, population_names
from jamlab.measure.session_connectivity.measures import direct_by_rule
from jamlab.measure.session_connectivity.plan import (
    ALL_SERVERS,
    SessionPlan,
    SessionTrial,
    sessions_campaign,
)
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.statistics import proportion
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.profile import profile_named

SEEDS = 1, 2, 3
CALLS, BLOCKED_CALLS = 500, 50
PATH_CALLS = 200
DEADLINE_S = 30.0
COSTED_CALLS = 100
WITH_TURN = [
    *(embedded_configurations()[name] for name in ("STUN+TURN/UDP", "STUN+TURN/TCP")),
    ALL_SERVERS,
]
WITH_FEATURES = [
    f"{ConnectivityPlan.population}{f}" for f in ("+ipv6", "+mapping", "+ipv6+mapping")
]
TRIAL = SessionTrial(profile_named(SessionPlan.profile).access(), DEADLINE_S)
BLOCKED = place_named("UDP blocked")


def meetings(population: str, seed: int, pool: Executor) -> pd.DataFrame:
    """Return the sessions of a campaign with all servers."""
    plan = SessionPlan(population, CALLS, seed, deadline_s=DEADLINE_S)
    return sessions_campaign(plan, executor=pool).sessions


def blocked_meeting(population: str, seed: int, number: int) -> dict[str, object]:
    """Return the session of a call in which one end has no UDP, the caller of every second call."""
    call = Call.drawn(load_population(population), seed, number)
    end = "callee" if number % 2 else "caller"
    return TRIAL.row(replace(call, **{end: BLOCKED}), ALL_SERVERS)


def blocked_meetings(population: str, seed: int, pool: Executor) -> pd.DataFrame:
    """Return the sessions of calls in which one end has no UDP."""
    numbers = range(BLOCKED_CALLS)
    return pd.DataFrame(pool.map(partial(blocked_meeting, population, seed), numbers, chunksize=10))


def times_s(sessions: pd.DataFrame) -> "pd.Series[float]":
    """Return the times to the first sound."""
    return sessions["first_sound_s"].fillna(DEADLINE_S)


def p95_s(sessions: pd.DataFrame) -> float:
    return float(np.quantile(times_s(sessions), 0.95, method="higher"))


def off_the_rule(sessions: pd.DataFrame) -> float:
    """Return how far the share of direct calls is from the rule's, over its interval there."""
    direct, by_rule = sessions["result"] == "direct", direct_by_rule(sessions)
    share = proportion(int(direct.sum()), len(direct), "exact")
    distance = float(by_rule.mean()) - share.value
    reach = share.high - share.value if distance > 0 else share.value - share.low
    return abs(distance) / reach if distance else 0.0


def session_s() -> float:
    """Return the CPU seconds of a meeting of two sessions."""
    population = load_population("nat_population")
    chunk = Chunk(population, (ALL_SERVERS,), TRIAL, SEEDS[0], 0, COSTED_CALLS)
    began_s = time.process_time()
    run_chunk(chunk)
    return (time.process_time() - began_s) / COSTED_CALLS


def attempt_s() -> float:
    """Return the CPU seconds of an attempt with DTLS on the same simulated networks."""
    return simulated_attempt_s("dtls", COSTED_CALLS, embedded_configurations()["STUN+TURN/UDP"])


def main() -> None:
    print("processor time", file=sys.stderr)
    cost = alternated(session_s, attempt_s, len(SEEDS))
    bars = [bar("a session's meeting over an attempt with DTLS, CPU", cost.ratios, "×", "≤", 4)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for population in population_names():
            print(population, file=sys.stderr)
            met = [meetings(population, seed, pool) for seed in SEEDS]
            blocked = [blocked_meetings(population, seed, pool) for seed in SEEDS]
            without = f"{population}, UDP blocked at one end"
            bars += [
                bar(f"first sound, p95, {population}", [*map(p95_s, met)], "s", "≤", 1),
                bar(f"first sound, p95, {without}", [*map(p95_s, blocked)], "s", "≤", 1),
                bar(
                    f"first sound, worst of {CALLS}, {population}",
                    [float(times_s(each).max()) for each in met],
                    "s",
                    "≤",
                    3,
                ),
                figure(
                    f"first sound, median, {population}",
                    [float(times_s(each).median()) for each in met],
                    "s",
                ),
            ]
        bars += paths(pool)
        print("upgrades", file=sys.stderr)
        bars += virtual_upgrades(pool)
    bars += [
        figure("meetings of sessions, one core", [1 / each for each in cost.measured], "1/s"),
        figure("attempts with DTLS, one core", [1 / each for each in cost.known], "1/s"),
    ]
    publish(bars, Path("reports/bench-connect.json"))


def paths(pool: Executor) -> list[Bar]:
    """Return the bars on direct calls: each configuration with TURN, and each added feature."""
    print("paths", file=sys.stderr)
    runs = [path_runs(ConnectivityPlan.population, WITH_TURN, pool)]
    runs += [path_runs(population, [ALL_SERVERS], pool) for population in WITH_FEATURES]
    return [
        row
        for of_seeds in runs
        for name in of_seeds[0].configurations
        for row in path_rows(
            f"{of_seeds[0].provenance['population']}, {name}", [run.of(name) for run in of_seeds]
        )
    ]


def path_runs(
    population: str, configurations: Sequence[IceConfiguration], pool: Executor
) -> list[SessionRecord]:
    """Return a campaign under some configurations for each seed."""
    plans = (SessionPlan(population, PATH_CALLS, seed) for seed in SEEDS)
    return [sessions_campaign(plan, configurations, executor=pool) for plan in plans]


def path_rows(name: str, runs: Sequence[pd.DataFrame]) -> list[Bar]:
    """Return the rows on the direct calls of some runs."""
    direct = [100 * float((run["result"] == "direct").mean()) for run in runs]
    by_rule = [100 * float(direct_by_rule(run).mean()) for run in runs]
    away = [*map(off_the_rule, runs)]
    return [
        bar(f"direct share off the rule's, over its interval, {name}", away, "×", "≤", 1),
        figure(f"direct, {name}", direct, "%"),
        figure(f"direct by the rule, {name}", by_rule, "%"),
    ]


if __name__ == "__main__":
    main()
