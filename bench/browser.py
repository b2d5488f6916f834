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
from scipy import signal

from bench import browsers as on_page
from bench import dump
from bench.bars import bar, figure, publish
from bench.on_graph import PLAYERS, PROGRAMS, SETTLES_S, connected, measured
from jamlab.audio_graph.graph import audio_graph, missing
from jamlab.audio_graph.plan import ears, microphone_inputs
from jamlab.browsers.launch import lacking
from jamlab.measure.browser.plan import SYSTEM
from jamlab.measure.latency.graph_clicks import OwnDelay, measure_own_delay
from jamlab.media.playout.delay import DelayBounds
from jamlab.mesh.notices import NoticeKind
from tests.audio_graph.on_graph import iodelay
from tests.measure.latency.test_graph_clicks import reading_of_clicks, reading_of_iodelay

PERIOD = 128
RUNS = 3
LENGTH = {"sessions": 1, "duration_s": 10.0, "settle_s": 8.0}
MESH_S = 60.0
PATIENT = DelayBounds(most_delay_s=0.3)
"""Playout of jamlab in the mesh of 4: two cores let pages wait for longer than the usual 30 ms."""
HELD_MS = 200
TONES_READ, TONES_BEGIN_S, TONES_S = 20, 3.0, 4.0
"""Number of readings of ``jack_iodelay``, two a second, and when its tones are recorded."""
NO_DELAY = OwnDelay(0.0, 0.0, 0, None)
LATENCY_NOTICES = (NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY)
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

    Chromium's delay moves while its jitter buffer adapts, so that is held at a length above the one
    it would choose; the clicks are read before and after, and the nearer reading counts.
    ``jack_iodelay`` may read whole cycles of its own, by the order in which PipeWire wakes it and
    the devices. How many, its own tones tell, recorded at mouth and ear meanwhile.
    """
    ada, ben = PLAYERS
    levers = {"jitterBufferTargetMs": HELD_MS}
    async with (
        audio_graph(PLAYERS, PERIOD) as graph,
        on_page.pages(graph, "chromium", levers=levers),
    ):
        await asyncio.sleep(2 * SETTLES_S)
        before = await reading_of_pages(graph)
        read, recorded = await asyncio.gather(
            iodelay(graph, microphone_inputs(ada), ears(ben)[0], readings=TONES_READ),
            recording_of_tones(graph),
        )
        after = await reading_of_pages(graph)
    cycles = round((read - delay_frames(recorded.mouths[ada], recorded.ears[ben])) / PERIOD)
    print(f"jack_iodelay reads {cycles} cycles of its own", file=sys.stderr)
    theirs = (read - cycles * PERIOD) / 48
    return min(abs(theirs - before), abs(theirs - after))


async def recording_of_tones(graph):
    """Return a recording from a moment on at which ``jack_iodelay`` plays."""
    await asyncio.sleep(TONES_BEGIN_S)
    return await graph.record({}, TONES_S)


def delay_frames(sound, later):
    """Return the delay between two recordings of the same tones, to whole frames."""
    alike = signal.correlate(later, sound, method="fft")
    return int(np.argmax(alike)) - (len(sound) - 1)


async def reading_of_pages(graph):
    """Return the median from the first player to the second, in ms."""
    found, _ = await measured(graph, NO_DELAY, 6.0)
    return 1000 * statistics.median(each.delay_s for each in found[PLAYERS] if each.heard)


async def inside_against_real_audio():
    """Return mouth to ear less page to page less input and output, in one call, in ms."""
    async with audio_graph(PLAYERS, PERIOD) as graph:
        own = await measure_own_delay(graph)
        async with on_page.pages(graph, "chromium", on_page.LOOP) as players:
            await asyncio.sleep(SETTLES_S)
            whole, inside, looped = await on_page.taken_apart(graph, players, own.delay_s)
    print(
        f"mouth to ear {1000 * whole:.1f} ms, page to page {1000 * inside:.1f} ms, "
        f"input and output {1000 * looped:.1f} ms",
        file=sys.stderr,
    )
    return 1000 * (whole - inside - looped)


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
    for name in wanted:
        if reason := _lacking(name):
            print(f"{name} is skipped: {reason}")
    there = [name for name in wanted if not _lacking(name)]
    taken = {name: [] for name in there}
    for name in there * RUNS:
        print(f"mouth to ear, {name}", file=sys.stderr)
        taken[name].append(on_page.run(one_way_ms(name)))
    medians = {name: statistics.median(taken[name]) for name in there if name in ENCODING}
    over = medians.pop("jamlab") / min(medians.values())
    rows = [figure(f"mouth to ear, {name}", each, "ms") for name, each in taken.items()]
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


def meshes():
    """Return the rows of a page with one of jamlab's participants, and of two each for a minute."""
    pair, together = on_page.Mesh(1, 1), on_page.Mesh(2, 2, PATIENT)
    both = [on_page.run(pair.measure(LENGTH["duration_s"])) for _ in range(RUNS)]
    to_page = [float(np.nanmedian(ms["native 1", "page 1"])) for ms in both]
    to_native = [float(np.nanmedian(ms["page 1", "native 1"])) for ms in both]
    found = on_page.run(together.measure(MESH_S))
    heard = [float(np.isfinite(ms).mean()) for ms in found.values()]
    silent_s = max(longest_silence_s(ms) for ms in found.values())
    again = [count - 3 for count in together.connections]
    lost = [each for each in together.told if each.kind not in LATENCY_NOTICES]
    rows = [
        figure(f"mesh of 4, {a} to {b}, median", [float(np.nanmedian(ms))], "ms")
        for (a, b), ms in found.items()
        if a[0] != b[0]
    ]
    return [
        bar("page to jamlab, median", to_native, "ms", "<", 50),
        bar("jamlab to page, median", to_page, "ms", "<", 50),
        bar("mesh of 4, longest time in which one does not hear another", [silent_s], "s", "≤", 1),
        bar("mesh of 4, clicks heard on the worst path", [100 * min(heard)], "%", "≥", 95),
        figure("mesh of 4, late blocks of jamlab's cards", [100 * max(together.late)], "%"),
        bar("mesh of 4, connections made again by pages", again, "", "≤", 0),
        bar("mesh of 4, notices of connections or sound lost", [len(lost)], "", "≤", 0),
        figure("mesh of 4, notices of latency", [len(together.told) - len(lost)], ""),
        *rows,
    ]


def longest_silence_s(latencies_ms):
    """Return the longest time without a click on a path, from the latencies of `MESH_S`."""
    heard = np.flatnonzero(np.isfinite(latencies_ms))
    missing = np.diff(heard, prepend=-1, append=len(latencies_ms)) - 1
    return MESH_S / len(latencies_ms) * int(missing.max())


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
    differ = [abs(on_page.run(inside_against_real_audio())) for _ in range(RUNS)]
    rows.append(bar("one call: mouth to ear less page to page less I/O", differ, "ms", "≤", 5))
    print("pages and jamlab together", file=sys.stderr)
    rows += meshes()
    rows += programs()
    print("transports of the reference client", file=sys.stderr)
    rows += transports()
    publish(rows, Path("reports/bench-browser.json"))


if __name__ == "__main__":
    main()
