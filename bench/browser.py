"""``make bench-browser``: browsers through real audio, the rig that measures them, and dumps.

The rig is compared with ``jack_iodelay`` on a wire; the figure inside the page with the one through
real audio; and all programs for playing together that are installed with each other.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from bench import browsers as on_page
from bench import dump
from bench.bars import bar, figure, publish
from bench.on_graph import PLAYERS, PROGRAMS, SETTLES_S, connected, measured
from jamlab.audio_graph.graph import audio_graph, missing
from jamlab.audio_graph.plan import ears, microphone_inputs, mouths
from jamlab.browsers.launch import lacking
from jamlab.measure.browser.plan import INJECTED, SYSTEM
from jamlab.measure.latency.graph_clicks import OwnDelay, measure_own_delay
from tests.audio_graph.on_graph import iodelay
from tests.measure.latency.test_graph_clicks import reading_of_clicks, reading_of_iodelay

PERIOD = 128
RUNS = 3
LENGTH = {"sessions": 1, "duration_s": 10.0, "settle_s": 8.0}
MESH_S = 60.0
NO_DELAY = OwnDelay(0.0, 0.0, 0, None)
ENCODING = ("jamlab", "Jamulus", "Chromium", "Firefox")
"""Programs that send compressed sound."""


async def wire():
    """Return how far the clicks' reading of a wire is from ``jack_iodelay``'s, in ms."""
    ada, ben = PLAYERS
    async with audio_graph(PLAYERS, PERIOD) as graph, graph.wired({ada: ben}):
        theirs = await reading_of_iodelay(graph)
    async with audio_graph(PLAYERS, PERIOD) as graph, graph.wired({ada: ben}):
        return abs(await reading_of_clicks(graph) - theirs) / 48


async def through_chromium():
    """Return how far the clicks' reading through Chromium is from ``jack_iodelay``'s, in ms.

    Chromium's delay moves in steps, so the clicks are read before and after, and the nearer counts.
    """
    ada, ben = PLAYERS
    into = microphone_inputs(ada)
    async with audio_graph(PLAYERS, PERIOD) as graph:
        own = await iodelay(graph, into, mouths(ada)[0])
        async with on_page.pages(graph, "chromium"):
            await asyncio.sleep(2 * SETTLES_S)
            before = await reading_of_pages(graph)
            theirs = (await iodelay(graph, into, ears(ben)[0]) - own) / 48
            after = await reading_of_pages(graph)
    return min(abs(theirs - before), abs(theirs - after))


async def reading_of_pages(graph):
    """Return the median from the first player to the second, in ms."""
    found, _ = await measured(graph, NO_DELAY, 6.0)
    return 1000 * statistics.median(each.delay_s for each in found[PLAYERS] if each.heard)


def injected_against_system():
    """Return the figure through real audio less that inside the page and the measured I/O."""

    async def looped():
        async with AsyncExitStack() as stack:
            graph = await stack.enter_async_context(audio_graph(PLAYERS, PERIOD))
            await stack.enter_async_context(on_page.pages(graph, "chromium", on_page.LOOP))
            async with asyncio.timeout(90):
                while np.isnan(looped_ms := await on_page.looped_ms(graph)):
                    pass  # the page does not play yet
            return looped_ms

    inside, system = (
        on_page.median_ms(on_page.run(on_page.plain(audio=way, **LENGTH)))
        for way in (INJECTED, SYSTEM)
    )
    return system - inside - on_page.run(looped())


async def one_way_ms(name):
    """Return the median of the worst direction of a program, through real audio."""
    async with AsyncExitStack() as stack:
        graph = await stack.enter_async_context(audio_graph(PLAYERS, PERIOD))
        own = await measure_own_delay(graph)
        if name in PROGRAMS:
            await stack.enter_async_context(PROGRAMS[name][0](graph))
            await connected(graph)
        else:
            await stack.enter_async_context(on_page.pages(graph, name.lower()))
        await asyncio.sleep(SETTLES_S)
        found, _ = await measured(graph, own, 12.0)
    return max(
        1000 * statistics.median(each.delay_s for each in path if each.heard)
        for path in found.values()
    )


def programs():
    """Return a row per program that is installed, and the bar on jamlab's."""
    wanted = [name for name in PROGRAMS if name != "wires"] + ["Chromium", "Firefox"]
    taken = {}
    for name in wanted:
        if reason := _lacking(name):
            print(f"{name} is skipped: {reason}")
            continue
        print(f"mouth to ear, {name}", file=sys.stderr)
        taken[name] = on_page.run(one_way_ms(name))
    others = [ms for name, ms in taken.items() if name in ENCODING and name != "jamlab"]
    rows = [figure(f"mouth to ear, {name}", [ms], "ms") for name, ms in taken.items()]
    over = taken["jamlab"] / min(others)
    return [bar("mouth to ear, jamlab's over the next that encodes", [over], "×", "≤", 1), *rows]


def _lacking(name):
    """Return how to install a program that is missing; None where it is there."""
    if name not in PROGRAMS:
        return lacking(name.lower())
    needed = PROGRAMS[name][1]
    there = all(shutil.which(command) for command in needed)
    return None if there else f"apt-get install {' '.join(needed).lower()}"


def transports():
    """Return the rows of the reference client's transports, beside the plain page."""

    def p95(measure, *query, **options):
        system = {"audio": SYSTEM, "period_frames": PERIOD, **LENGTH, **options}
        return [on_page.p95_ms(on_page.run(measure(*query, **system))) for _ in range(RUNS)]

    plain, media = p95(on_page.plain), p95(on_page.reference)
    data = p95(on_page.reference, on_page.DATA)
    short = p95(on_page.reference, on_page.DATA, levers=("audio buffer 128",))
    over = statistics.median(media) / statistics.median(plain)
    return [
        bar("p95 mouth to ear, reference client over the plain page", [over], "×", "<", 1),
        figure("p95 mouth to ear, plain page", plain, "ms"),
        figure("p95 mouth to ear, reference client, media", media, "ms"),
        figure("p95 mouth to ear, reference client, data", data, "ms"),
        bar("the same, browser with --audio-buffer-size=128", short, "ms", "<", 50),
    ]


def mesh():
    """Return the rows of two pages and two of jamlab's participants together for a minute."""
    together = on_page.Mesh()
    found = on_page.run(together.measure(MESH_S))
    mixed = [ms for (a, b), ms in found.items() if a[0] != b[0]]  # a page and a native
    heard = [float(np.isfinite(ms).mean()) for ms in found.values()]
    again = [count - 3 for count in together.connections]
    return [
        bar(
            "page to jamlab or back, median of the slowest",
            [max(map(np.nanmedian, mixed))],
            "ms",
            "<",
            50,
        ),
        bar("mesh of 4, clicks heard on the worst path", [100 * min(heard)], "%", "≥", 95),
        bar("mesh of 4, connections made again by pages", again, "", "≤", 0),
        bar("mesh of 4, notices to jamlab's users", [len(together.notices)], "", "≤", 0),
    ]


def main():
    with tempfile.TemporaryDirectory() as folder:
        rows = dump.bars(Path(folder))
    if reason := lacking("chromium") or missing():
        print(f"bench-browser measures dumps alone: {reason}")
        publish(rows, Path("reports/bench-browser.json"))
        return
    print("the rig, against jack_iodelay", file=sys.stderr)
    rows.append(
        bar(
            "a wire, clicks less jack_iodelay",
            [on_page.run(wire()) for _ in range(RUNS)],
            "ms",
            "≤",
            0.1,
        )
    )
    moved = [on_page.run(through_chromium()) for _ in range(RUNS)]
    rows.append(bar("through Chromium, clicks less jack_iodelay", moved, "ms", "≤", 1))
    print("inside the page, against real audio", file=sys.stderr)
    differ = [abs(injected_against_system()) for _ in range(RUNS)]
    rows.append(bar("real audio less inside the page less the I/O", differ, "ms", "≤", 5))
    print("pages and jamlab together", file=sys.stderr)
    rows += mesh()
    rows += programs()
    print("transports of the reference client", file=sys.stderr)
    rows += transports()
    publish(rows, Path("reports/bench-browser.json"))


if __name__ == "__main__":
    main()
