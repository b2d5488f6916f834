"""The beginning of a session: programs are started, linked to their devices, and heard by all."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np

from jamlab.audio.levels import dbfs_of
from jamlab.audio_graph.graph import AudioGraph
from jamlab.audio_graph.plan import loudspeaker_inputs, mouths
from jamlab.audio_graph.ports import Port
from jamlab.audio_graph.tape import Recording
from jamlab.measure.latency.graph_clicks import Pair, click_latencies
from jamlab.measure.latency.plan import MAX_PEERS
from jamlab.measure.rig.commands import filled
from jamlab.measure.rig.listening import free_port, listened_at
from jamlab.measure.rig.patchbay import Patchbay
from jamlab.measure.rig.plan import MAX_LATENCY_S, RigPlan
from jamlab.measure.rig.programs import Programs, RigError
from jamlab.process.temporary_folder import temporary_folder

_LISTENS_S = MAX_LATENCY_S + 2.0
_LOOK_S = 0.05
_PATCH_S = 0.5
_OTHER_VOICES = MAX_PEERS  # so that a click from before the measurement is none of it
_PORT = "{port}"


@asynccontextmanager
async def joined(plan: RigPlan, graph: AudioGraph) -> AsyncIterator[Programs]:
    """Run all programs of a session while the context lasts; every player then hears every other.

    Raises `RigError` when a program cannot be started or ends, or a player is not heard in time.
    """
    with temporary_folder("rig") as folder:
        async with Programs(folder) as programs:
            await _start(plan, graph, programs)
            async with _meanwhile(_patch(plan, graph, programs)):
                await programs.unless_ended(_heard(plan, graph, programs))
            yield programs


async def _start(plan: RigPlan, graph: AudioGraph, programs: Programs) -> None:
    port = free_port()
    for number, command in enumerate(plan.before, start=1):
        name = f"before-{number}"
        await _start_one(plan, graph, programs, (name, plan.players[0], command), port)
        if _PORT in command:
            await programs.unless_ended(_listening(port, command, plan.join_timeout_s))
    for player, command in zip(plan.players, plan.commands, strict=True):
        await _start_one(plan, graph, programs, (player, player, command), port)


async def _start_one(
    plan: RigPlan, graph: AudioGraph, programs: Programs, which: tuple[str, str, str], port: int
) -> None:
    """Start a named program for a player."""
    name, player, command = which
    values = {
        "player": player,
        "number": plan.players.index(player) + 1,
        "peer": plan.peer(player),
        "period": plan.period_frames,
        "port": port,
        "own_port": free_port(),
        "folder": programs.folder(name),
    }
    title = f"{name}'s program" if name == player else "the program before the players'"
    await programs.start(name, title, filled(command, values), graph.environment(player))


async def _listening(port: int, command: str, seconds: float) -> None:
    """Wait until somebody listens at a port; raises `RigError` when nobody does in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not listened_at(port):  # noqa: ASYNC110 (told by no event)
                await asyncio.sleep(_LOOK_S)
            return
    raise RigError(f"nothing listens at the port {port} after {seconds:g} s, as {command} should")


@asynccontextmanager
async def _meanwhile(endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run an endless coroutine while the context lasts."""
    task = asyncio.create_task(endless)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _patch(plan: RigPlan, graph: AudioGraph, programs: Programs) -> None:
    """Link the programs' JACK ports, whenever there are new ones."""
    patchbay = Patchbay(plan.players)
    loop = asyncio.get_running_loop()
    while True:
        wanted = patchbay.rewiring(await graph.sound_ports(), programs.owner, loop.time())
        for link in wanted.removed:
            await graph.unlink_numbers(*link)
        for link in wanted.made:
            await graph.link_numbers(*link)
        await asyncio.sleep(_PATCH_S)


async def _heard(plan: RigPlan, graph: AudioGraph, programs: Programs) -> None:
    """Return when every player hears every other; raises `RigError` when that takes too long."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + plan.join_timeout_s
    metronomes = plan.metronomes(_OTHER_VOICES)
    while True:
        recording = await graph.record(metronomes, _LISTENS_S)
        found = await asyncio.to_thread(
            click_latencies, recording, metronomes, max_latency_s=MAX_LATENCY_S
        )
        unheard = [pair for pair, clicks in found.items() if not any(c.heard for c in clicks)]
        if not unheard:
            return
        if loop.time() >= deadline_s:
            ports = await graph.sound_ports()
            raise RigError(_unheard(plan, unheard[0], recording, ports, programs))


def _unheard(
    plan: RigPlan, pair: Pair, recording: Recording, ports: Sequence[Port], programs: Programs
) -> str:
    """Return the sentence on a player who is not heard by another, with the reason."""
    emitter, listener = pair
    why = obstacle(pair, recording, ports)
    said = [
        f"{name}'s program said last: {words}"
        for name in pair
        if (words := programs.last_words(name))
    ]
    return (
        f"no click of {emitter} was heard by {listener} in {plan.join_timeout_s:g} s: "
        f"{'; '.join([why, *said])}"
    )


def obstacle(pair: Pair, recording: Recording, ports: Sequence[Port]) -> str:
    """Return why no sound of a player reaches another, by the first link that is missing."""
    emitter, listener = pair
    used = {name for port in ports if port.pid for name in port.linked}
    if not used & set(mouths(emitter)):
        return f"nothing records {emitter}'s microphone"
    if not used & set(loudspeaker_inputs(listener)):
        return f"nothing plays to {listener}'s loudspeaker"
    peak = float(np.abs(recording.ears[listener]).max(initial=0.0))
    if peak == 0:
        return f"{listener}'s loudspeaker is played nothing but silence"
    return f"{listener}'s loudspeaker plays sound of up to {dbfs_of(peak):.0f} dBFS, no click in it"
