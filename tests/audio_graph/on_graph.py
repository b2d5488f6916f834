"""What tests on a real audio graph need: the programs, and an independent reader of delays."""

import asyncio
import os
import shutil
from collections import Counter
from contextlib import asynccontextmanager

import psutil
import pytest

from jamlab.audio_graph.graph import missing

needs_graph = pytest.mark.skipif(missing() is not None, reason=missing() or "")


def needs(package, *programs):
    """Return a mark that skips where one of the programs is missing."""
    lacking = [program for program in programs if not shutil.which(program)]
    reason = f"{' and '.join(lacking)} not installed: apt-get install {package}"
    return pytest.mark.skipif(bool(lacking), reason=reason)


def processes(folder):
    """Return the processes that have a folder as their runtime directory."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get("XDG_RUNTIME_DIR") == str(folder):
                found.add(process)
        except psutil.Error:
            continue  # ended meanwhile
    return found


@asynccontextmanager
async def program(graph, player, *command, **options):
    """Run a program as a player's while the context lasts; yield its process."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **graph.environment(player)},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        **options,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def iodelay(graph, sinks, source, readings=5):
    """Return the round trip that ``jack_iodelay`` reads, in frames.

    It reads it once a half second. The most frequent of the readings counts: one of a cycle in
    which the machine was late differs.
    """
    command = "stdbuf", "-oL", "jack_iodelay"
    async with program(graph, "ada", *command, stdout=asyncio.subprocess.PIPE) as process:
        for sink in sinks:
            await graph.link("jack_delay:out", sink)
        await graph.link(source, "jack_delay:in")
        read = []
        async with asyncio.timeout(120):
            async for line in process.stdout:
                if b"total roundtrip latency" in line:
                    read.append(round(float(line.split()[0]), 1))
                if len(read) == readings:
                    break
    return Counter(read).most_common(1)[0][0]
