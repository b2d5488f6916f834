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
from tests.audio.jack import DEVICE, jack, real_time_allowed

PLAYED_S = 300.0
"""How long a session is played at each period."""
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


async def lost_in_a_session(period):
    """Play with the meters running; returns the losses while the machine was still, and others."""
    with jack(period, real_time=real_time_allowed()) as server:
        async with duo(server, period, "--meters") as musicians:
            await asyncio.sleep(SETTLES_S)
            return await lost(musicians, PLAYED_S)


def bars_of_a_session(period, most_a_minute):
    print(f"a session of {PLAYED_S:g} s at {period} frames", file=sys.stderr)
    still, disturbed = asyncio.run(lost_in_a_session(period))
    print(f"at {period} frames, while the machine was still: {still}")
    print(f"at {period} frames, while it was not: {disturbed}")
    if still.seconds < PLAYED_S:
        print(f"at {period} frames the machine was still for {still.seconds:g} s only")
    minutes = still.seconds / 60 or math.nan
    return [
        bar(f"{what} a minute at {period} frames", [number / minutes], "", "≤", most_a_minute)
        for what, number in (("blocks lost", still.blocks), ("driver's xruns", still.xruns))
    ]


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
        *bars_of_a_session(64, 1),
        *neighbours.bars(),
    ]
    publish(bars, Path("reports/bench-devices.json"))


if __name__ == "__main__":
    main()
