"""Two musicians with a real sound card each, in processes of their own, who hear each other.

What they lose is counted in windows of time, and each window is told apart by whether the machine
itself stood still in it or in the one before (`bench.stillness`).
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass

from bench.stillness import Stillness
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.signaling.handshake import DEFAULT_KEY
from jamlab.signaling.hub import Hub

SETTLES_S = 5.0
"""From connected to as it stays: the first seconds' packets say how long later ones must wait."""
WINDOW_S = 2.0
STANDSTILL_S = 64 / SAMPLE_RATE
"""What counts as one: a loop has 2 ms at least (`jamlab.audio.relay`), and needs the rest."""
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
        hub = await stack.enter_async_context(Hub(key=DEFAULT_KEY))
        musicians = []
        for name, peer in (("ada", "ben"), ("ben", "ada")):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.musician", name, peer, hub.url),
                *("--block-frames", str(period), *options),
                env={**server.env, "JAMLAB_SUPABASE_KEY": DEFAULT_KEY},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            musicians.append(Musician(process))
            stack.push_async_callback(musicians[-1].end)
        for musician in musicians:
            assert await musician.line() == "connected"
        yield musicians


@dataclass
class Losses:
    """What both have lost in some time."""

    seconds: float = 0.0
    blocks: int = 0
    """That the loop did not get or give in time: under- and overruns of the card."""
    xruns: int = 0
    """That the card's driver has reported; JACK tells every client of each."""
    concealed_frames: int = 0
    standstills: int = 0
    longest_ms: float = 0.0

    def add(self, seconds, early, late, standstills_ms):
        self.seconds += seconds
        self.blocks += late.blocks - early.blocks
        self.xruns += late.xruns - early.xruns
        self.concealed_frames += late.concealed_frames - early.concealed_frames
        self.standstills += len(standstills_ms)
        self.longest_ms = max(self.longest_ms, *standstills_ms, 0.0)

    def __str__(self):
        return json.dumps(asdict(self))


async def counted(musicians):
    """Return what both have lost so far."""
    losses = Losses()
    for counts in await asyncio.gather(*(musician.counts() for musician in musicians)):
        card = counts["card"]
        losses.blocks += card["underruns"] + card["overruns"]
        losses.xruns = max(losses.xruns, card["xruns"])
        losses.concealed_frames += counts["stream"]["concealed_frames"]
    return losses


async def lost(musicians, seconds):
    """Play until the machine was still for so long; returns what was lost then, and otherwise."""
    still, disturbed = Losses(), Losses()
    with Stillness(STANDSTILL_S) as stillness:
        early, before_ms = await counted(musicians), []
        while still.seconds < seconds and disturbed.seconds < (PATIENCE - 1) * seconds:
            await asyncio.sleep(WINDOW_S)
            late, found_ms = await counted(musicians), stillness.found()
            into = disturbed if found_ms or before_ms else still
            into.add(WINDOW_S, early, late, found_ms)
            early, before_ms = late, found_ms
    return still, disturbed
