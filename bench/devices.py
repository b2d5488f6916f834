"""``make bench-devices``: a real sound card's callbacks and loopback, on JACK without hardware.

The card plays in a session of two, each in a process of its own; the other has a virtual card.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from bench.bars import bar, publish
from jamlab.signaling.handshake import DEFAULT_KEY
from jamlab.signaling.hub import Hub
from tests.audio.jack import jack

PLAYED_S = {128: 300.0, 64: 300.0}
"""How long a session is played at each period."""
CLICKS = 100


def spread_of_a_loopback(period):
    """Return by how many frames 100 clicks through one loop differ at most."""
    command = (
        "latency",
        "--device",
        "--microphone",
        "allow",
        "--block-frames",
        str(period),
        "--clicks",
        str(CLICKS),
        "--json",
    )
    with jack(period) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "jamlab", *command],
            env=server.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0"))
        told, _ = process.communicate()
    return json.loads(told)[0]["spread_frames"]


async def lost_in_a_session(period, server):
    """Play a session of two; returns blocks lost either way, and what the driver said it lost."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub())
        options = {
            "ada": (),
            "ben": ("--sound-card", "--microphone", "allow", "--block-frames", str(period)),
        }
        processes = {}
        for name, more in options.items():
            command = "join", "room", "--name", name, "--hub", hub.url, *more
            processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jamlab", *command),
                "--duration",
                str(PLAYED_S[period]),
                env={**server.env, "JAMLAB_SUPABASE_KEY": DEFAULT_KEY},
                stdout=asyncio.subprocess.PIPE,
            )
        told = {name: (await each.communicate())[0].decode() for name, each in processes.items()}
    assert "ada is heard" in told["ben"], told
    counted = re.search(r"(\d+) underruns, (\d+) overruns, (\d+) of its driver", told["ben"])
    underruns, overruns, of_driver = map(int, counted.groups())
    return underruns + overruns, of_driver


def main():
    if shutil.which("jackd") is None:
        print("bench-devices is skipped: JACK is not installed: apt-get install jackd2")
        return
    spreads, lost, of_driver = [], {}, {}
    for run in range(3):
        print(f"loopback, run {run + 1} of 3", file=sys.stderr)
        spreads.append(spread_of_a_loopback(128))
    for period, played_s in PLAYED_S.items():
        print(f"a session of {played_s:g} s at {period} frames", file=sys.stderr)
        with jack(period) as server:
            lost[period], of_driver[period] = asyncio.run(lost_in_a_session(period, server))
    per_minute = lost[64] / (PLAYED_S[64] / 60)
    bars = [
        bar(f"JACK loopback, spread of {CLICKS} clicks", spreads, "frames", "≤", 0.05),
        bar("blocks lost in 5 minutes at 128 frames", [lost[128]], "", "≤", 0),
        bar("blocks lost a minute at 64 frames", [per_minute], "1/min", "≤", 1),
    ]
    publish(bars, Path("reports/bench-devices.json"))
    print(f"the driver's own: {of_driver[128]} at 128 frames, {of_driver[64]} at 64 frames")


if __name__ == "__main__":
    main()
