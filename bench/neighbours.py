"""Latency from card to card of jamlab, Jamulus and JackTrip, by ``jack_iodelay`` on one server.

jamlab and JackTrip: half of the round trip to the other participant, whose output is connected to
its own input. Jamulus: from a client's input through its server to the same client's output, which
takes as long as to any other client. ``jack_iodelay`` reads a tone's phase, which a codec alters
slightly, so the median of many readings counts.
"""

import asyncio
import shutil
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from itertools import islice

from bench.bars import bar, figure
from bench.duo import SETTLES_S, duo, lost
from tests.audio.jack import jack, real_time_allowed

PERIOD = 128
LISTENED_S = 60.0
READINGS = 20
"""Readings of Jamulus or JackTrip, whose latency is constant; there are some each second."""

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


@contextmanager
def started(server, *command):
    environment = {**server.env, "QT_QPA_PLATFORM": "offscreen"}
    process = subprocess.Popen(command, env=environment, **QUIET)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def readings(server, sink, source):
    """Run ``jack_iodelay`` from its output to `sink` and back from `source`; yield its figures."""
    command = "stdbuf", "-oL", "jack_iodelay"
    process = subprocess.Popen(command, env=server.env, stdout=subprocess.PIPE, text=True)
    try:
        server.connect(server.port("jack_delay", ":out"), sink)
        server.connect(source, server.port("jack_delay", ":in"))
        yield (
            float(line.split()[0]) for line in process.stdout if "total roundtrip latency" in line
        )
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def settled(figures):
    """Return the median of the readings after the first few, in milliseconds."""
    taken = [next(figures) for _ in range(READINGS)]
    return statistics.median(taken[READINGS // 4 :]) / 48


def one_way_of_jacktrip(server):
    ports = "-B", "4470", "-P", "4464"
    with ExitStack() as stack:
        stack.enter_context(started(server, "jacktrip", "-D", "-s", "--clientname", "far"))
        server.port("far", "receive_1")
        near = "jacktrip", "-D", "-c", "127.0.0.1", *ports, "--clientname", "near"
        stack.enter_context(started(server, *near))
        through = server.port("near", "send_1"), server.port("near", "receive_1")
        server.connect("far:receive_1", "far:send_1")
        return settled(stack.enter_context(readings(server, *through))) / 2


def one_way_of_jamulus(server):
    with ExitStack() as stack:
        stack.enter_context(started(server, jamulus(), "-s", "-n"))
        stack.enter_context(started(server, jamulus(), "-n", "-j", "-c", "127.0.0.1"))
        ports = server.port("Jamulus", "input left"), server.port("Jamulus", "output left")
        return settled(stack.enter_context(readings(server, *ports)))


def jamulus():
    return shutil.which("Jamulus") or shutil.which("jamulus")


async def one_way_of_jamlab(server):
    """Return the latency in milliseconds, and the losses without standstills of the machine.

    They are counted while ``jack_iodelay`` still runs: a client that leaves delays the others.
    """
    near, far = "PortAudio", "PortAudio-01"
    async with duo(server, PERIOD) as musicians:
        await asyncio.to_thread(connect, server, (far, "out_0"), (far, "in_0"))
        with readings(server, f"{near}:in_0", f"{near}:out_0") as figures:
            await asyncio.sleep(SETTLES_S)
            still, disturbed = await lost(musicians, server, PERIOD, LISTENED_S)
            taken = list(islice(figures, int(LISTENED_S)))
    print(f"from card to card, without standstills of the machine: {still}")
    print(f"from card to card, with standstills: {disturbed}")
    if still.seconds < LISTENED_S:
        print(f"from card to card: only {still.seconds:g} s without standstills")
    return statistics.median(taken) / 48 / 2, still


def connect(server, source, sink):
    server.connect(server.port(*source), server.port(*sink))


def bars():
    """Return the rows; print which program is missing and how to install it."""
    rows = []
    with jack(PERIOD, real_time=real_time_allowed()) as server:
        print("from card to card, jamlab", file=sys.stderr)
        ours, still = asyncio.run(one_way_of_jamlab(server))
        for counted, number in (
            ("blocks lost", still.blocks),
            ("frames concealed", still.concealed_frames),
            ("driver's xruns", still.xruns),
        ):
            rows.append(bar(f"{counted} in 60 s from card to card", [number], "", "≤", 0))
        rows.append(figure("from card to card", [ours], "ms"))
        for name, found, measure, sign, factor in (
            ("Jamulus'", jamulus(), one_way_of_jamulus, "<", 1.0),
            ("JackTrip's", shutil.which("jacktrip"), one_way_of_jacktrip, "≤", 1.5),
        ):
            if found is None:
                print(f"{name} latency is skipped: apt-get install jamulus jacktrip")
                continue
            print(f"from card to card, {name}", file=sys.stderr)
            theirs = measure(server)
            rows.append(bar(f"from card to card, over {name}", [ours / theirs], "×", sign, factor))
            rows.append(figure(f"from card to card, {name}", [theirs], "ms"))
    return rows
