"""``make bench-connectivity``: what an attempt costs, and against the same attempts in real time.

CPU time of one process stands for one core: what other processes of the machine take is not ours.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench.bars import bar, publish
from jamlab.measure.across import measure_on
from jamlab.measure.call import Call, try_call
from jamlab.measure.chunks import Chunk
from jamlab.measure.connectivity import CHUNK_CALLS, campaign, run_chunk
from jamlab.measure.plan import LatencyPlan
from jamlab.measure.population import load_population
from jamlab.mesh.ice_file import embedded_configurations
from jamlab.networks.clock import RealClock, VirtualClock
from jamlab.networks.loop import run_simulated
from jamlab.networks.world import simulated_world

RUNS = 3
ICE_CALLS, DTLS_CALLS = 6000, 100  # enough for the rare pairs whose checks never end
CAMPAIGN_CALLS = 10_000
REAL_CALLS = 60
SEED = 7
DEADLINE_S = 30.0
JAM_S = 60.0


def attempts_per_second(level, calls, configuration):
    """Return attempts per second of CPU."""
    population = load_population("nat_population")
    whole = Chunk(population, (configuration,), SEED, 0, calls, level, DEADLINE_S)
    began_s = time.process_time()
    for first in range(0, calls, CHUNK_CALLS):
        run_chunk(replace(whole, first=first, count=min(CHUNK_CALLS, calls - first)))
    return calls / (time.process_time() - began_s)


async def try_all(calls, configuration):
    """Try calls side by side; returns how long each took, in seconds of the loop's clock."""
    tried = await asyncio.gather(*(try_call(call, configuration) for call in calls))
    return [attempt.observed_s for attempt in tried]


def real_time_ratio(configuration):
    """Return real seconds of a sample of calls, one after the other, over virtual wall seconds."""
    population = load_population("nat_population")
    calls = [Call.drawn(population, SEED, number) for number in range(REAL_CALLS)]
    with simulated_world():
        real_s = sum(run_simulated(try_all(calls, configuration), clock=RealClock()))
        began_s = time.perf_counter()
        for call in calls:
            run_simulated(try_all([call], configuration), clock=VirtualClock())
    return real_s / (time.perf_counter() - began_s)


def campaign_in_a_process(calls):
    """Run a campaign in a process of its own; returns wall seconds and its peak memory in MB."""
    began_s = time.perf_counter()
    script = f"from bench.connectivity import campaign_and_memory; campaign_and_memory({calls})"
    told = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    return time.perf_counter() - began_s, float(told.split()[-1])


def campaign_and_memory(calls):
    """Run a campaign of all configurations and print the largest process' peak memory in MB."""
    configurations = list(embedded_configurations().values())
    campaign(load_population("nat_population"), configurations, calls, SEED)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(max(workers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024)


def jam_on_virtual_time():
    """Return wall seconds that a jam of four costs, from its first click to its last; simulated."""
    plan = LatencyPlan(peers=4, duration_s=JAM_S, round_trip_s=3.0)
    began_s = time.perf_counter()
    measure_on("same city", plan, SEED)
    return time.perf_counter() - began_s


def main():
    stun = embedded_configurations()["STUN"]
    ice, dtls = [], []
    for run in range(RUNS):
        print(f"run {run + 1} of {RUNS}", file=sys.stderr)
        ice.append(attempts_per_second("ice", ICE_CALLS, stun))
        dtls.append(attempts_per_second("dtls", DTLS_CALLS, stun))
    print("in real time", file=sys.stderr)
    ratio = real_time_ratio(stun)
    print("campaigns", file=sys.stderr)
    _, small_mb = campaign_in_a_process(CAMPAIGN_CALLS // 10)
    wall_s, large_mb = campaign_in_a_process(CAMPAIGN_CALLS)
    print("a jam", file=sys.stderr)
    jam_s = jam_on_virtual_time()
    bars = [
        bar("ICE-only attempts, STUN, one core", ice, "1/s", "≥", 1000),
        bar("attempts with DTLS, STUN, one core", dtls, "1/s", "≥", 50),
        bar(
            f"{CAMPAIGN_CALLS} calls, 5 configurations, {os.cpu_count()} cores",
            [wall_s],
            "s",
            "≤",
            60,
        ),
        bar("peak memory, ten times the calls", [large_mb / small_mb], "×", "≤", 1.25),
        bar("real time over virtual time", [ratio], "×", "≥", 1000),
        bar(f"{JAM_S:g} s of a jam of 4, with its round trips", [jam_s], "s", "<", JAM_S),
    ]
    publish(bars, Path("reports/bench-connectivity.json"))
    print(f"ICE-only: best of {RUNS} runs {max(ice):.0f}/s, median {statistics.median(ice):.0f}/s")


if __name__ == "__main__":
    main()
