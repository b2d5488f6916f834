"""``make bench-devices``: real sound cards on JACK without hardware: what they lose, and how late.

The server runs in real time, as a musician's does, where the machine allows it. What is lost while
a connection is made is told apart from what is lost while the music plays: nobody plays yet. So is
how often the machine itself stood still: then nobody gets their blocks (`bench.stillness`).
"""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench import neighbours
from bench.bars import bar, publish
from bench.duo import SETTLES_S, duo, lost
from bench.stillness import Stillness
from jamlab.audio.pcm import SAMPLE_RATE
from tests.audio.jack import DEVICE, jack, real_time_allowed

PLAYED_S = {128: 300.0, 64: 300.0}
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


async def lost_in_a_session(period, server):
    """Play with the meters running; returns what each card lost, by when and by what."""
    async with duo(server, period, "--meters") as musicians:
        await asyncio.sleep(SETTLES_S)
        before = [(await musician.counts())["card"] for musician in musicians]
        with Stillness(period / SAMPLE_RATE) as stillness:
            await asyncio.sleep(PLAYED_S[period])
        after = [(await musician.counts())["card"] for musician in musicians]
    return {
        "while connecting": sum(lost(card) for card in before),
        "played": sum(lost(late) - lost(early) for early, late in zip(before, after, strict=True)),
        "machine stood still for a block": stillness.found,
        "driver": sum(
            late["xruns"] - early["xruns"] for early, late in zip(before, after, strict=True)
        ),
    }


def main():
    if shutil.which("jackd") is None:
        print("bench-devices is skipped: JACK is not installed: apt-get install jackd2")
        return
    spreads, losses = [], {}
    for run in range(3):
        print(f"loopback, run {run + 1} of 3", file=sys.stderr)
        spreads.append(spread_of_a_loopback(128))
    for period, played_s in PLAYED_S.items():
        print(f"a session of {played_s:g} s at {period} frames", file=sys.stderr)
        with jack(period, real_time=real_time_allowed()) as server:
            losses[period] = asyncio.run(lost_in_a_session(period, server))
    minutes = PLAYED_S[64] / 60
    bars = [
        bar(f"JACK loopback, spread of {CLICKS} clicks", spreads, "frames", "≤", 0.05),
        bar("blocks lost in 5 minutes at 128 frames", [losses[128]["played"]], "", "≤", 0),
        bar("blocks lost a minute at 64 frames", [losses[64]["played"] / minutes], "", "≤", 1),
        *neighbours.bars(),
    ]
    publish(bars, Path("reports/bench-devices.json"))
    print("two cards together, with the driver's own xruns, blocks lost while connecting, and how")
    print("often a real-time thread that does nothing else was woken later than a block:")
    print(json.dumps(losses))


if __name__ == "__main__":
    main()
