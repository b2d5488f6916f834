"""Two musicians with a real sound card each, in processes of their own, who hear each other."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager

from jamlab.signaling.handshake import DEFAULT_KEY
from jamlab.signaling.hub import Hub

SETTLES_S = 5.0
"""From connected to as it stays: the first seconds' packets say how long later ones must wait."""


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


def lost(card):
    return card["underruns"] + card["overruns"]
