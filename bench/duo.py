"""Two musicians with a real sound card each, in processes of their own, who hear each other.

What they lose is counted in windows of time, and each window is told apart by whether the machine
itself stood still in it or in the one before: a thread of the highest priority was woken late
(`bench.stillness`), or a JACK server beside, of half the period, whose two clients are written in C
and do next to nothing, told of an xrun. Standstills too short for the first add up within a block:
its driver is woken late, then a client, and another has half its time taken while it runs.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass

from bench.stillness import Stillness
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.signaling.hub.server import Hub
from tests.audio.jack import NAME, jack, real_time_allowed

SETTLES_S = 5.0
"""From connected to as it stays: the first seconds' packets say how long later ones must wait."""
WINDOW_S = 2.0
STANDSTILL_S = 64 / SAMPLE_RATE
"""What counts as one: a loop has 2 ms at least (`jamlab.audio.thread_bridge`), and needs the
rest."""
PATIENCE = 3
"""How many times the time that is wanted may pass until a machine was still for so long."""


class Musician:
    """`bench.musician` at work."""

    def __init__(self, process):
        self._process = process

    async def line(self):
        return (await self._process.stdout.readline()).decode().strip()

    async def counts(self):
        """Let it count; returns what it says."""
        self._process.stdin.write(b"\n")
        return json.loads(await self.line())

    async def end(self):
        self._process.stdin.close()
        await self._process.communicate()


@asynccontextmanager
async def duo(server, period, *options):
    """Two musicians with a card each who hear each other; yields both."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub())
        musicians = []
        for name, peer in (("ada", "ben"), ("ben", "ada")):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.musician", name, peer, hub.url),
                *("--block-frames", str(period), *options),
                env={**server.env, "JAMLAB_SUPABASE_KEY": hub.key},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            musicians.append(Musician(process))
            stack.push_async_callback(musicians[-1].end)
        for musician in musicians:
            assert await musician.line() == "connected"
        yield musicians


@contextmanager
def idle(period):
    """Have a JACK server of half a period, with two clients that do next to nothing; yields it."""
    with jack(period // 2, real_time=real_time_allowed(), name=f"{NAME}-idle") as server:
        command = "jack_iodelay"
        clients = [
            subprocess.Popen(command, env=server.env, stdout=subprocess.DEVNULL) for _ in range(2)
        ]
        try:
            server.port("jack_delay-01", ":in")
            yield server
        finally:
            for client in clients:
                client.terminate()
                client.wait()


@dataclass
class Losses:
    """What both have lost in some time."""

    seconds: float = 0.0
    blocks: int = 0
    """That the loop did not get or give in time: under- and overruns of the card."""
    xruns: int = 0
    """That the card's driver has reported; JACK tells every client of each."""
    concealed_frames: int = 0
    lines: int = 0
    """Of the server's log about xruns, one for each client that was late and one for itself."""
    idle_lines: int = 0
    """Of the log of the server beside, which tells of shorter ones."""
    standstills: int = 0
    longest_ms: float = 0.0

    def add(self, seconds, early, late, standstills_ms):
        self.seconds += seconds
        self.lines += late.lines - early.lines
        self.idle_lines += late.idle_lines - early.idle_lines
        self.blocks += late.blocks - early.blocks
        self.xruns += late.xruns - early.xruns
        self.concealed_frames += late.concealed_frames - early.concealed_frames
        self.standstills += len(standstills_ms)
        self.longest_ms = max(self.longest_ms, *standstills_ms, 0.0)

    def __str__(self):
        return json.dumps(asdict(self))


async def counted(musicians, server, beside):
    """Return what both have lost so far."""
    losses = Losses()
    for counts in await asyncio.gather(*(musician.counts() for musician in musicians)):
        card = counts["card"]
        losses.blocks += card["underruns"] + card["overruns"]
        losses.xruns = max(losses.xruns, card["xruns"])
        losses.concealed_frames += counts["stream"]["concealed_frames"]
    losses.lines, losses.idle_lines = server.xruns(), beside.xruns()  # last: what it excuses is in
    return losses


async def lost(musicians, server, period, seconds):
    """Play until the machine was still for so long; returns what was lost then, and otherwise."""
    still, disturbed = Losses(), Losses()
    with idle(period) as beside, Stillness(STANDSTILL_S) as stillness:
        early, before = await counted(musicians, server, beside), True
        while still.seconds < seconds and disturbed.seconds < (PATIENCE - 1) * seconds:
            await asyncio.sleep(WINDOW_S)
            late, found_ms = await counted(musicians, server, beside), stillness.found()
            noticed = bool(found_ms) or late.idle_lines > early.idle_lines
            into = disturbed if noticed or before else still
            into.add(WINDOW_S, early, late, found_ms)
            early, before = late, noticed
    return still, disturbed
