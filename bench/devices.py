"""``make bench-devices``: losses and latency of sound cards on JACK, without hardware.

The server has real-time priority, as on a participant's machine, where that is allowed. The bars
apply to the time without standstills of the machine; losses in the rest are printed (`bench.duo`).
"""

import asyncio
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

from bench import neighbours
from bench.bars import bar, publish
from bench.duo import SETTLES_S, duo, lost
from jamlab.audio.pcm import SAMPLE_RATE
from tests.audio.jack import DEVICE, jack, real_time_allowed

PLAYED_S = 300.0
"""Duration of a session at each period."""
COMPUTED_S = 30.0
"""Duration of a session next to a thread that computes."""
CLICKS = 100


def spread_of_a_loopback(period):
    """Return the largest difference of 100 clicks through one loopback, in frames."""
    device = ["--device", "--microphone", "allow", "--json"]
    device += ["--input", DEVICE, "--output", DEVICE]
    blocks = "--block-frames", str(period), "--clicks", str(CLICKS)
    with jack(period, real_time=real_time_allowed()) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "jamlab", "latency", *device, *blocks],
            env=server.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0"))
        output, _ = process.communicate()
    return json.loads(output)[0]["spread_frames"]


async def lost_in_a_session(period, seconds, *options):
    """Play with running meters; return the losses without and with standstills."""
    with jack(period, real_time=real_time_allowed()) as server:
        async with duo(server, period, "--meters", *options) as musicians:
            await asyncio.sleep(SETTLES_S)
            return await lost(musicians, server, period, seconds)


def played(period, seconds, *options):
    """Return the losses without and with standstills of the machine; print both."""
    where = " ".join([f"at {period} frames", *options])
    print(f"a session of {seconds:g} s {where}", file=sys.stderr)
    still, disturbed = asyncio.run(lost_in_a_session(period, seconds, *options))
    print(f"{where}, without standstills of the machine: {still}")
    print(f"{where}, with standstills: {disturbed}")
    if still.seconds < seconds:
        print(f"{where}: only {still.seconds:g} s without standstills")
    return still, disturbed


def bars_of_a_session(period, most_ppm):
    """Return the bars on both participants' losses, in parts per million of the periods."""
    still, _ = played(period, PLAYED_S)
    periods = still.seconds * SAMPLE_RATE / period or math.nan
    return [
        bar(f"{kind} of periods of {period} frames", [1e6 * number / periods], "ppm", "≤", most_ppm)
        for kind, number in (("blocks lost", still.blocks), ("driver's xruns", still.xruns))
    ]


def bar_beside_a_thread(period):
    """Return the bar on losses next to a thread that computes.

    All the time counts, since a busy virtual machine has hardly any time without standstills.
    """
    both = played(period, COMPUTED_S, "--computes")
    blocks = 2 * sum(losses.seconds for losses in both) * SAMPLE_RATE / period
    share = sum(losses.blocks for losses in both) / blocks
    name = f"blocks lost at {period} frames next to a thread that computes"
    return bar(name, [100 * share], "%", "≤", 0.1)


def main():
    if shutil.which("jackd") is None:
        print("bench-devices is skipped: JACK is not installed: apt-get install jackd2")
        return
    spreads = []
    for run in range(3):
        print(f"loopback, run {run + 1} of 3", file=sys.stderr)
        spreads.append(spread_of_a_loopback(128))
    bars = [
        bar(f"JACK loopback, spread of {CLICKS} clicks", spreads, "frames", "≤", 0.05),
        *bars_of_a_session(128, 0),
        *bars_of_a_session(64, 22),
        bar_beside_a_thread(128),
        *neighbours.bars(),
    ]
    publish(bars, Path("reports/bench-devices.json"))


if __name__ == "__main__":
    main()
