"""A crowd at the hub while a room of four plays: 1,000 sockets that join 2,000 times.

The hub and the crowd are processes of their own, ``python -m bench.crowd hub`` and ``clients``. The
hub has its default limits; the crowd comes from many addresses of the loopback. Another room of
four plays in the same process by a hub of its own without a crowd: both conceal packets for which
their loop is late. The room that begins first conceals more, so each begins first in every other
run, and two such runs are one figure.
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

from websockets.asyncio.client import connect

from bench.bars import bar, figure
from jamlab.audio.card import VirtualCard
from jamlab.media.quality import Quality
from jamlab.mesh.session import JamSession
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel

SOCKETS = 1000
ROUNDS = 2
"""Joins of each socket, all of a round at the same time in rooms."""
SOCKETS_OF_AN_ADDRESS = 20
MEMBERS = 20
AT_ONCE = 100
"""Sockets that open, or join, at the same moment."""
PLAYERS = 4
RUNS = 3
LISTEN_S = 5.0
CALM = Quality("calm", 64_000, 960, "audio")
"""A quality with frames long enough for a busy machine: it conceals only missing packets."""


class Client:
    """A socket of the crowd; `number` determines its address, its room and its name."""

    def __init__(self, number, ws):
        self.number, self.ws, self.refs = number, ws, count(1)

    async def ask(self, event, payload, topic):
        """Send a request; return the status of its reply."""
        ref = str(next(self.refs))
        await self.ws.send(json.dumps([None, ref, topic, event, payload]))
        while True:
            _, heard, _, event, payload = json.loads(await self.ws.recv())
            if (heard, event) == (ref, "phx_reply"):
                return payload["status"]

    def room(self, number):
        return f"realtime:crowd {number} {self.number // MEMBERS}"

    async def join(self, number):
        """Leave the room of the round before, and join that of a round as soon as limits let."""
        if number:
            await self.ask("phx_leave", {}, self.room(number - 1))
        config = {"presence": {"key": f"somebody {self.number}", "enabled": True}}
        while await self.ask("phx_join", {"config": config}, self.room(number)) != "ok":
            await asyncio.sleep(0.2)


async def crowd(url, key):
    """Open all sockets; at each line of the input join once more with all, and write a line."""
    async with AsyncExitStack() as stack:
        turns = asyncio.Semaphore(AT_ONCE)

        async def opened(number):
            address = number // SOCKETS_OF_AN_ADDRESS
            source = f"127.1.{address // 250}.{1 + address % 250}", 0
            options = {"ping_interval": None, "max_queue": None, "open_timeout": 60}
            async with turns:
                at = f"{url}/websocket?apikey={key}&vsn=2.0.0"
                ws = await stack.enter_async_context(connect(at, local_addr=source, **options))
            return Client(number, ws)

        async def joined(client, number):
            async with turns:
                await client.join(number)

        clients = await asyncio.gather(*map(opened, range(SOCKETS)))
        for number in range(ROUNDS):
            await asyncio.to_thread(sys.stdin.readline)
            await asyncio.gather(*(joined(client, number) for client in clients))
            print(sum(client.ws.close_code is None for client in clients), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def hub():
    """Run a hub; write its URL and key, and at each line of the input its memory and its joins."""
    async with Hub() as served:
        print(json.dumps([served.url, served.key]), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps([memory_in_use(), served.counters.joins]), flush=True)


def memory_in_use():
    """Return the resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def started(*arguments):
    """Run this module as a process without real-time priority; yields a function that asks it."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    command = sys.executable, "-m", "bench.crowd", *arguments
    process = await asyncio.create_subprocess_exec(*command, **pipes)

    async def ask():
        process.stdin.write(b"\n")
        return await answer(process)

    try:
        yield process, ask
    finally:
        process.stdin.close()
        await process.wait()


async def answer(process):
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the crowd has ended: its error is above")
    return json.loads(line)


def room(url, key):
    """Return the members of a room at a hub."""
    return [player(n, partial(SupabaseChannel, url=url, key=key)) for n in range(PLAYERS)]


def player(number, signaling):
    card = VirtualCard(block_frames=480)
    return JamSession("room", f"member {number}", signaling=signaling, card=card, quality=CALM)


def concealed(members):
    playouts = [m.service.playout(peer) for m in members for peer in m.service.peers]
    return sum(playout.counters.concealed_frames for playout in playouts if playout)


async def beside_a_crowd(*, crowded_first):
    """Return frames concealed because of the crowd, sockets held, joins, and memory by round."""
    async with (
        started("hub") as (process, ask_hub),
        started("hub") as (quiet, _),
        AsyncExitStack() as stack,
    ):
        url, key = await answer(process)
        crowded, calm = room(url, key), room(*await answer(quiet))
        for member in crowded + calm if crowded_first else calm + crowded:
            await stack.enter_async_context(member)
        for member in crowded + calm:
            await member.wait_connected(30)
        await asyncio.sleep(LISTEN_S)
        before = concealed(crowded) - concealed(calm)
        sizes, held, joins = [], 0, 0
        async with started("clients", url, key) as (_, ask_crowd):
            for _ in range(ROUNDS):
                held = await ask_crowd()
                size, joins = await ask_hub()
                sizes.append(size)
        await asyncio.sleep(LISTEN_S)
        because = concealed(crowded) - concealed(calm) - before
        return because, held, joins - PLAYERS, sizes


def bars(run):
    """Return the rows; `run` runs a coroutine."""
    runs = [run(beside_a_crowd(crowded_first=number % 2 == 0)) for number in range(2 * RUNS)]
    by_run, held, joins, sizes = zip(*runs, strict=True)
    because = [sum(both) / 2 for both in zip(by_run[::2], by_run[1::2], strict=True)]
    growth = [size[-1] / size[0] for size in sizes]
    return [
        bar(f"concealed by a room of {PLAYERS} because of a crowd", because, "frames", "≤", 0),
        bar("sockets that the hub holds", [*held], "", "≥", SOCKETS),
        bar("joins of the crowd", [*joins], "", "≥", ROUNDS * SOCKETS),
        bar(
            "hub's memory after all joins, over half of them",
            growth,
            "×",
            "≤",
            1.05,
        ),
        figure(f"hub's memory with {SOCKETS} sockets", [size[-1] / 2**20 for size in sizes], "MiB"),
    ]


def main():
    with suppress(AttributeError, PermissionError):  # real-time priority is inherited
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    part, *arguments = sys.argv[1:]
    if part == "clients":
        os.nice(19)
    asyncio.run(hub() if part == "hub" else crowd(*arguments))


if __name__ == "__main__":
    main()
