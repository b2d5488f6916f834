"""Two participants with a real sound card each, in separate processes, who hear each other.

Their losses are counted in windows of time, separately for windows with and without a standstill
of the machine in the window or in the one before. A standstill has happened when a thread of the
highest priority was woken late (`bench.stillness`), or when a second JACK server, with half the
period and two nearly idle clients in C, reported an xrun. The second test finds standstills that
are too short for the first and add up within a block: of its driver, of a client, of the next
client.
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
"""Time after connecting in which the playout buffers settle."""
WINDOW_S = 2.0
STANDSTILL_S = 64 / SAMPLE_RATE
"""Shortest standstill: a loop has at least 2 ms (`jamlab.audio.thread_bridge`), and needs the
rest."""
PATIENCE = 3
"""Longest run, as a multiple of the wanted time without standstills."""


class Musician:
    """The parent's side of a `bench.musician` process."""

    def __init__(self, process):
        self._process = process

    async def line(self):
        return (await self._process.stdout.readline()).decode().strip()

    async def counts(self):
        """Return the process' present counts."""
        self._process.stdin.write(b"\n")
        return json.loads(await self.line())

    async def end(self):
        self._process.stdin.close()
        await self._process.communicate()


@asynccontextmanager
async def duo(server, period, *options):
    """Start two participants with a card each who hear each other; yield both."""
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
    """Run a JACK server of half the period with two nearly idle clients; yield it."""
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
    """Losses of both participants in some time."""

    seconds: float = 0.0
    blocks: int = 0
    """Underruns and overruns of the cards: blocks for which the loop was late."""
    xruns: int = 0
    """Xruns of the card's driver; JACK reports each to every client."""
    concealed_frames: int = 0
    lines: int = 0
    """Lines about xruns in the server's log: one for each late client, one for the server."""
    idle_lines: int = 0
    """Lines about xruns in the second server's log, which has shorter ones, too."""
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


async def counted(musicians, server, idle_server):
    """Return the losses of both so far."""
    losses = Losses()
    for counts in await asyncio.gather(*(musician.counts() for musician in musicians)):
        card = counts["card"]
        losses.blocks += card["underruns"] + card["overruns"]
        losses.xruns = max(losses.xruns, card["xruns"])
        losses.concealed_frames += counts["stream"]["concealed_frames"]
    # read last, so that the log covers all losses counted above
    losses.lines, losses.idle_lines = server.xruns(), idle_server.xruns()
    return losses


async def lost(musicians, server, period, seconds):
    """Play until there were enough windows without standstills; return losses without and with."""
    still, disturbed = Losses(), Losses()
    with idle(period) as idle_server, Stillness(STANDSTILL_S) as stillness:
        early, before = await counted(musicians, server, idle_server), True
        while still.seconds < seconds and disturbed.seconds < (PATIENCE - 1) * seconds:
            await asyncio.sleep(WINDOW_S)
            late, found_ms = await counted(musicians, server, idle_server), stillness.found()
            noticed = bool(found_ms) or late.idle_lines > early.idle_lines
            into = disturbed if noticed or before else still
            into.add(WINDOW_S, early, late, found_ms)
            early, before = late, noticed
    return still, disturbed
