"""``make bench-connectivity``: CPU cost of the simulated networks, relative to real sockets.

An attempt is compared with one by unmodified aioice or aiortc on this machine's sockets, a jam with
the same jam there, calls on virtual time with the same calls on real time. All figures are CPU
times of the bench's own processes, so that other processes do not count.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

from bench.bars import bar, figure, publish
from bench.calibration import alternated
from bench.latency import real_time as real_time_priority
from jamlab.ice.configuration import HOST_ONLY
from jamlab.ice.file import embedded_configurations
from jamlab.measure.across_networks.simulated import measure_on
from jamlab.measure.connectivity.attempt import attempt
from jamlab.measure.connectivity.call import Call, try_call
from jamlab.measure.connectivity.campaign import (
    CHUNK_CALLS,
    AgentTrial,
    Chunk,
    campaign,
    run_chunk,
)
from jamlab.measure.connectivity.population import load_population
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import measure_latency
from jamlab.networks.simulated.clock import RealClock, VirtualClock
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.process.precise_loop import run_precisely

RUNS = 3
ICE_CALLS, DTLS_CALLS = 6000, 100  # enough for the rare pairs whose checks never end
CAMPAIGN_CALLS = 10_000
REAL_ATTEMPTS = {"ice": 400, "dtls": 60}
REAL_CALLS = 60
SEED = 7
DEADLINE_S = 30.0
JAM_S = 20.0
CONFIGURATIONS = len(embedded_configurations())


def simulated_attempt_s(level, calls, configuration):
    """Return the CPU seconds of an attempt on the simulated networks."""
    population = load_population("nat_population")
    whole = Chunk(population, (configuration,), AgentTrial(level, DEADLINE_S), SEED, 0, calls)
    began_s = time.process_time()
    for first in range(0, calls, CHUNK_CALLS):
        run_chunk(replace(whole, first=first, count=min(CHUNK_CALLS, calls - first)))
    return (time.process_time() - began_s) / calls


def real_attempt_s(level):
    """Return the CPU seconds of an attempt on this machine's sockets.

    It uses the loopback alone, so that the work has the same size on any network.
    """

    async def attempts():
        for _ in range(REAL_ATTEMPTS[level]):
            made = await attempt(HOST_ONLY, level=level, signalling_s=0.0)
            assert made.stage == "", f"an attempt failed on this machine's loopback: {made.stage}"

    with mock.patch("aioice.ice.get_host_addresses", return_value=["127.0.0.1"]):
        began_s = time.process_time()
        asyncio.run(attempts())
        return (time.process_time() - began_s) / REAL_ATTEMPTS[level]


async def try_all(calls, configuration):
    """Try calls at the same time; return the duration of each, in seconds of the loop's clock."""
    tried = await asyncio.gather(*(try_call(call, configuration) for call in calls))
    return [attempt.observed_s for attempt in tried]


def real_time(configuration):
    """Try a sample of calls on real time, all at once, and on virtual time, one after the other.

    Return the CPU time on virtual time over that on real time, and the duration on real time over
    the CPU time on virtual time.
    """
    population = load_population("nat_population")
    calls = [Call.drawn(population, SEED, number) for number in range(REAL_CALLS)]
    with simulated_world():
        began_s = time.process_time()
        lasted_s = sum(run_simulated(try_all(calls, configuration), clock=RealClock()))
        real_s = time.process_time() - began_s
        began_s = time.process_time()
        for call in calls:
            run_simulated(try_all([call], configuration), clock=VirtualClock())
        virtual_s = time.process_time() - began_s
    return virtual_s / real_s, lasted_s / virtual_s


def campaign_in_a_process(calls):
    """Run a campaign in another process.

    Return wall seconds, CPU seconds of all its processes, and the largest process' memory in MB.
    """
    began_s, spent_s = time.perf_counter(), children_s()
    script = f"from bench.connectivity import campaign_and_memory; campaign_and_memory({calls})"
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    return time.perf_counter() - began_s, children_s() - spent_s, float(output.split()[-1])


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def campaign_and_memory(calls):
    """Run a campaign of all configurations and print the largest process' peak memory in MB."""
    configurations = list(embedded_configurations().values())
    campaign(load_population("nat_population"), configurations, calls, SEED)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(max(workers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024)


def jam_plan():
    return LatencyPlan(peers=4, duration_s=JAM_S, round_trip_s=3.0, settle_s=4.0, sessions=1)


def simulated_jam_s():
    """Return the CPU seconds of a jam of four on virtual time, including the search for clicks."""
    began_s = time.process_time()
    measure_on("same city", jam_plan(), SEED)
    return time.process_time() - began_s


def real_jam_s():
    """Return the CPU seconds of the same jam on real time, on sockets, with real-time priority."""
    began_s = time.process_time()
    with real_time_priority():
        run_precisely(measure_latency(jam_plan()))
    return time.process_time() - began_s


def main():
    stun = embedded_configurations()["STUN"]
    print("attempts", file=sys.stderr)
    ice = alternated(
        lambda: simulated_attempt_s("ice", ICE_CALLS, stun), lambda: real_attempt_s("ice"), RUNS
    )
    dtls = alternated(
        lambda: simulated_attempt_s("dtls", DTLS_CALLS, stun), lambda: real_attempt_s("dtls"), RUNS
    )
    print("in real time", file=sys.stderr)
    cpu_ratio, faster = real_time(stun)
    print("campaigns", file=sys.stderr)
    _, _, small_mb = campaign_in_a_process(CAMPAIGN_CALLS // 10)
    before_s = real_attempt_s("ice")
    wall_s, spent_s, large_mb = campaign_in_a_process(CAMPAIGN_CALLS)
    attempt_s = CAMPAIGN_CALLS * CONFIGURATIONS * (before_s + real_attempt_s("ice")) / 2
    print("a jam", file=sys.stderr)
    jam = alternated(simulated_jam_s, real_jam_s, 1)
    of_calls = f"{CAMPAIGN_CALLS} calls, {CONFIGURATIONS} configurations"
    cores = os.cpu_count() or 1
    bars = [
        bar("ICE-only attempt with STUN over one on real sockets", ice.ratios, "×", "≤", 1),
        bar("attempt with DTLS and STUN over one on real sockets", dtls.ratios, "×", "≤", 1.2),
        bar(f"{of_calls}, over as many on real sockets", [spent_s / attempt_s], "×", "≤", 2.5),
        bar("peak memory, ten times the calls", [large_mb / small_mb], "×", "≤", 1.25),
        bar("calls on virtual time over the same in real time, CPU", [cpu_ratio], "×", "≤", 1),
        bar("jam of 4, with its round trips, over one on real sockets", jam.ratios, "×", "≤", 1.5),
        figure("ICE-only attempts, one core", [1 / each for each in ice.measured], "1/s"),
        figure("the same by aioice on real sockets", [1 / each for each in ice.known], "1/s"),
        figure("attempts with DTLS, one core", [1 / each for each in dtls.measured], "1/s"),
        figure("the same by aiortc on real sockets", [1 / each for each in dtls.known], "1/s"),
        figure(f"{of_calls}, {cores} cores", [wall_s], "s"),
        figure("the same, of the cores' time", [100 * spent_s / wall_s / cores], "%"),
        figure("real time over virtual time", [faster], "×"),
        figure(f"{JAM_S:g} s of a jam of 4, CPU", jam.measured, "s"),
    ]
    publish(bars, Path("reports/bench-connectivity.json"))


if __name__ == "__main__":
    main()
