"""Programs for jamming together, each run as a player on an audio graph (`jamlab.audio_graph`).

`measured` says how long each ordered pair takes from mouth to ear. As a program:
``python -m bench.on_graph [PERIOD [PROGRAM …]]`` prints that for those that are installed.
"""

import asyncio
import os
import shutil
import statistics
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from tempfile import TemporaryDirectory

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.plan import loudspeaker, loudspeaker_inputs, microphone, mouths
from jamlab.measure.latency.graph_clicks import click_latencies, measure_own_delay
from jamlab.signaling.hub.server import Hub

SETTLES_S = 5.0
"""Time after connecting in which playout buffers settle."""
PLAYERS = "ada", "ben"
JAMULUS = "Jamulus" if shutil.which("Jamulus") else "jamulus"
QUIET = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.DEVNULL)


@asynccontextmanager
async def program(graph, player, *command, **variables):
    """Run a program as a player's while the context lasts."""
    environment = {**os.environ, **graph.environment(player), **variables}
    process = await asyncio.create_subprocess_exec(*command, env=environment, **QUIET)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def plugged(graph, player, inputs, outputs):
    """Link a JACK program's ports to a player's devices."""
    for link in (
        *zip(mouths(player), inputs, strict=True),
        *zip(outputs, loudspeaker_inputs(player), strict=True),
    ):
        await graph.link(*link)


@asynccontextmanager
async def jacktrip(graph):
    """Run JackTrip for two players, uncompressed, with its default queue."""
    ends = {"ada": ("-s",), "ben": ("-c", "127.0.0.1", "-B", "4470", "-P", "4464")}
    async with AsyncExitStack() as stack:
        for player, options in ends.items():
            name = f"{player}-jacktrip"
            command = "jacktrip", "-D", *options, "--clientname", name
            await stack.enter_async_context(program(graph, player, *command))
            inputs, outputs = (
                [f"{name}:{direction}_{channel}" for channel in (1, 2)]
                for direction in ("send", "receive")
            )
            await plugged(graph, player, inputs, outputs)
        yield


@asynccontextmanager
async def jamulus(graph):
    """Run Jamulus for all players, with a server on this machine."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="jamlab-"))
        alone = {"QT_QPA_PLATFORM": "offscreen", "HOME": home, "XDG_CONFIG_HOME": home}
        first = graph.plan.players[0]
        await stack.enter_async_context(program(graph, first, JAMULUS, "-s", "-n", **alone))
        for player in graph.plan.players:
            command = JAMULUS, "-n", "-j", "-c", "127.0.0.1", "--clientname", player
            settings = "-i", f"{home}/{player}.ini"
            await stack.enter_async_context(program(graph, player, *command, *settings, **alone))
            inputs, outputs = (
                [f"Jamulus {player}:{direction} {side}" for side in ("left", "right")]
                for direction in ("input", "output")
            )
            await plugged(graph, player, inputs, outputs)
        yield


@asynccontextmanager
async def jamlab(graph):
    """Run ``jamlab join`` for all players, through PortAudio's JACK."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub())
        for player in graph.plan.players:
            command = sys.executable, "-m", "jamlab", "join", "room", "--name", player
            devices = "--input", microphone(player), "--output", loudspeaker(player)
            card = "--sound-card", "--microphone", "allow", *devices
            block = "--block-frames", str(graph.plan.period_frames)
            hub_s = {"JAMLAB_SUPABASE_URL": hub.url, "JAMLAB_SUPABASE_KEY": hub.key}
            await stack.enter_async_context(
                program(graph, player, *command, *card, *block, **hub_s)
            )
        yield


@asynccontextmanager
async def wires(graph):
    """Link each player's microphone to the other's loudspeaker."""
    ada, ben = graph.plan.players
    async with graph.wired({ada: ben, ben: ada}):
        yield


PROGRAMS = {
    "wires": (wires, ()),
    "jamlab": (jamlab, ()),
    "JackTrip": (jacktrip, ("jacktrip",)),
    "Jamulus": (jamulus, (JAMULUS,)),
}
"""For each program how it is run, and which commands it needs."""


async def measured(graph, own, seconds):
    """Return the readings of all ordered pairs and how punctual the graph was.

    `own` is the graph's own delay, as `measure_own_delay` returns it.
    """
    metronomes = {
        player: Metronome(bpm=300.0, voice=voice) for voice, player in enumerate(graph.plan.players)
    }
    recording = await graph.record(metronomes, seconds)
    return click_latencies(recording, metronomes, own_delay_s=own.delay_s), recording.punctuality


async def connected(graph):
    """Wait until everybody hears everybody; fail after a minute."""
    metronomes = {player: Metronome(voice=9 + n) for n, player in enumerate(graph.plan.players)}
    async with asyncio.timeout(60):
        while True:
            found = click_latencies(await graph.record(metronomes, 4.0), metronomes)
            if all(any(each.heard for each in readings) for readings in found.values()):
                return


async def figures(period, names, seconds=12.0):
    """Print the figures of the programs of these names that are installed."""
    for name in names:
        running, needed = PROGRAMS[name]
        if not all(shutil.which(command) for command in needed):
            print(f"{name} is skipped: apt-get install {' '.join(needed).lower()}")
            continue
        async with audio_graph(PLAYERS, period) as graph:
            own = await measure_own_delay(graph)
            async with running(graph):
                await connected(graph)
                await asyncio.sleep(SETTLES_S)
                found, punctuality = await measured(graph, own, seconds)
        for (emitter, listener), readings in found.items():
            heard_ms = [each.delay_s * 1000 for each in readings if each.heard]
            print(
                f"{name}, {emitter} to {listener}: median {statistics.median(heard_ms):.3f} ms, "
                f"{min(heard_ms):.3f} to {max(heard_ms):.3f}, {len(heard_ms)} of {len(readings)}"
            )
        print(f"{name}: rig {own.delay_s * 1000:.3f} ms, {punctuality}", flush=True)


if __name__ == "__main__":
    asyncio.run(figures(int(sys.argv[1]) if sys.argv[1:] else 128, sys.argv[2:] or PROGRAMS))
