"""``make bench-devices``: real sound cards on JACK without hardware: what they lose, and how late.

The server runs in real time, as a musician's does, where the machine allows it. What is judged is
the time in which the machine itself was still; what was lost in the rest is printed (`bench.duo`).
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
"""How long a session is played at each period."""
COMPUTED_S = 30.0
"""And beside a thread that computes."""
CLICKS = 100


def spread_of_a_loopback(period):
    """Return by how many frames 100 clicks through one loop differ at most."""
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
        told, _ = process.communicate()
    return json.loads(told)[0]["spread_frames"]


async def lost_in_a_session(period, seconds, *options):
    """Play with the meters running; returns the losses while the machine was still, and others."""
    with jack(period, real_time=real_time_allowed()) as server:
        async with duo(server, period, "--meters", *options) as musicians:
            await asyncio.sleep(SETTLES_S)
            return await lost(musicians, server, period, seconds)


def played(period, seconds, *options):
    """Return what was lost while the machine was still, and while it was not; prints both."""
    where = " ".join([f"at {period} frames", *options])
    print(f"a session of {seconds:g} s {where}", file=sys.stderr)
    still, disturbed = asyncio.run(lost_in_a_session(period, seconds, *options))
    print(f"{where}, while the machine was still: {still}")
    print(f"{where}, while it was not: {disturbed}")
    if still.seconds < seconds:
        print(f"{where} the machine was still for {still.seconds:g} s only")
    return still, disturbed


def bars_of_a_session(period, most_ppm):
    """Judge what is lost of the server's periods, by both together, in parts per million."""
    still, _ = played(period, PLAYED_S)
    periods = still.seconds * SAMPLE_RATE / period or math.nan
    return [
        bar(f"{what} of periods of {period} frames", [1e6 * number / periods], "ppm", "≤", most_ppm)
        for what, number in (("blocks lost", still.blocks), ("driver's xruns", still.xruns))
    ]


def bar_beside_a_thread(period):
    """Of all the time, since a busy processor of a virtual machine is hardly ever left alone."""
    both = played(period, COMPUTED_S, "--computes")
    blocks = 2 * sum(losses.seconds for losses in both) * SAMPLE_RATE / period
    share = sum(losses.blocks for losses in both) / blocks
    what = f"blocks lost at {period} frames beside a thread that computes"
    return bar(what, [100 * share], "%", "≤", 0.1)


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
