"""A private audio graph with a virtual microphone and loudspeaker for each player.

Programs started with a player's environment use that player's devices, whether they speak to
PulseAudio, to ALSA (through its pulse plug-in) or to JACK; a JACK program's ports are linked by
hand (`AudioGraph.link`). All devices are on one clock, so the sound of any two can be compared
frame by frame. That is why it is PipeWire: each null sink of PulseAudio has a clock of its own, and
is recorded on its own.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.configuration import ALSA, PIPEWIRE_SOCKET, PULSE_SOCKET
from jamlab.audio_graph.plan import (
    AudioGraphError,
    GraphPlan,
    ears,
    loudspeaker,
    loudspeaker_inputs,
    microphone,
    microphone_inputs,
    mouths,
)
from jamlab.audio_graph.ports import Port, objects_in, ports_in
from jamlab.audio_graph.tape import BLOCKS, CYCLES, Recording, placed, punctuality
from jamlab.process.child import ChildError, Within, child_process
from jamlab.process.temporary_folder import temporary_folder

INSTALL = "apt-get install pipewire pipewire-pulse pipewire-jack wireplumber libjack-jackd2-0"
MOST_SECONDS = 1800.0
"""Longest recording, in memory at once: 4.1 GB of six players."""
_PROGRAMS = (
    *("pipewire", "pipewire-pulse", "wireplumber"),
    *("pw-link", "pw-dump", "pw-metadata", "pw-jack"),
)
_LONGEST_SOCKET_PATH = 107  # bytes, by unix(7)
_PATIENCE_S = 20.0
_LOOK_S = 0.05


def missing() -> str | None:
    """Return why there can be no audio graph here, and how to get it; None where there can be."""
    lacking = [program for program in (*_PROGRAMS, "setpriv") if not shutil.which(program)]
    if not lacking:
        return None
    pulse = " (PulseAudio alone is no help: its virtual devices have no common clock)"
    return (
        f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not installed, so there "
        f"is no private audio graph{pulse if shutil.which('pulseaudio') else ''}: {INSTALL}"
    )


@asynccontextmanager
async def audio_graph(
    players: Sequence[str], period_frames: int = 128
) -> AsyncIterator["AudioGraph"]:
    """Run a private audio graph while the context lasts; nothing of it is left afterwards.

    Parameters
    ----------
    players : sequence of str
        Names of 1 to 6 players; each gets a microphone and a loudspeaker.
    period_frames : int
        Frames of a cycle of the graph, 64 to 1024; see `jamlab.audio_graph.plan.PERIODS`.

    Raises
    ------
    AudioGraphError
        When a program is missing, a parameter is invalid, or the server does not start.
    """
    plan = GraphPlan(tuple(players), period_frames)
    if (reason := missing()) is not None:
        raise AudioGraphError(reason)
    with temporary_folder("graph") as folder:
        _check_sockets(folder)
        task = {"plan": asdict(plan), "folder": str(folder)}
        async with child_process("the audio graph", "jamlab.audio_graph.server", task) as server:
            try:
                await server.receive()
            except ChildError as error:
                raise AudioGraphError(str(error)) from error
            try:
                yield AudioGraph(plan, folder)
            finally:
                with suppress(ChildError):  # it has ended already
                    await server.finish()


def _check_sockets(folder: Path) -> None:
    """Raise `AudioGraphError` for a folder in which the server's sockets cannot be."""
    longest = max(len(os.fsencode(folder / name)) for name in (PIPEWIRE_SOCKET, PULSE_SOCKET))
    if longest > _LONGEST_SOCKET_PATH:
        raise AudioGraphError(
            f"the folder for temporary files, {folder.parent}, has too long a name for the sockets "
            "of an audio server: set TMPDIR to a shorter one, such as /tmp"
        )


class AudioGraph:
    """A running audio graph; made by `audio_graph`."""

    def __init__(self, plan: GraphPlan, folder: Path) -> None:
        self.plan = plan
        self._folder = folder

    def environment(self, player: str) -> dict[str, str]:
        """Return variables for the environment of a program that is to use a player's devices.

        Raises `AudioGraphError` when there is no such player.
        """
        self.plan.check_player(player)
        return {
            **self._reaching,
            "PULSE_SOURCE": microphone(player),
            "PULSE_SINK": loudspeaker(player),
        }

    @cached_property
    def _reaching(self) -> dict[str, str]:
        """Variables with which programs reach this graph by any door."""
        folder = str(self._folder)
        return {
            "PIPEWIRE_RUNTIME_DIR": folder,
            "PULSE_SERVER": f"unix:{self._folder / PULSE_SOCKET}",
            "PULSE_RUNTIME_PATH": folder,
            "PULSE_COOKIE": str(self._folder / "cookie"),
            "ALSA_CONFIG_PATH": str(self._folder / ALSA),
            "JACK_NO_START_SERVER": "1",
            "LD_LIBRARY_PATH": _jack_library_path(),
        }

    async def link(self, source: str, sink: str) -> None:
        """Link an output port to an input port, each ``node:port``, as soon as both are there.

        Raises `AudioGraphError` when one of them does not come up.
        """
        async with self._patience(f"the ports {source} and {sink}"):
            while not {source, sink} <= await self.ports():  # noqa: ASYNC110 (told by no event)
                await asyncio.sleep(_LOOK_S)
        if "File exists" not in (said := await self._pw_link(source, sink)) and said:
            raise AudioGraphError(f"{source} cannot be linked to {sink}: {said}")

    async def unlink(self, source: str, sink: str) -> None:
        """Remove the link of an output port to an input port, if there is one."""
        await self._pw_link("--disconnect", source, sink)

    async def ports(self) -> set[str]:
        """Return the names of all ports, each ``node:port``."""
        lines = (await self._pw_link("--output", "--input")).splitlines()
        return {line.strip() for line in lines}

    async def sound_ports(self) -> list[Port]:
        """Return all ports for sound, with their programs and links."""
        told = await self._told("pw-dump")
        try:
            return ports_in(objects_in(told))
        except ValueError:
            raise AudioGraphError(f"pw-dump does not list the ports: {told[:80]!r}") from None

    async def link_numbers(self, source: int, sink: int) -> None:
        """Link two ports by their numbers; nothing happens when one is gone, or they are linked."""
        await self._pw_link(str(source), str(sink))

    async def unlink_numbers(self, source: int, sink: int) -> None:
        """Remove the link of two ports by their numbers, if there is one."""
        await self._pw_link("--disconnect", str(source), str(sink))

    @asynccontextmanager
    async def wired(self, pairs: Mapping[str, str]) -> AsyncIterator[None]:
        """Link microphones straight to loudspeakers while the context lasts, by player.

        It is the path without any application: its delay is the rig's own.
        """
        links = [
            link
            for emitter, listener in pairs.items()
            for link in zip(mouths(emitter), loudspeaker_inputs(listener), strict=True)
        ]
        try:
            for link in links:
                await self.link(*link)
            yield
        finally:
            for link in links:
                await self.unlink(*link)

    async def record(self, metronomes: Mapping[str, Metronome], duration_s: float) -> Recording:
        """Play a metronome into each of some microphones; record all devices meanwhile.

        Frame 0 of the recording is frame 0 of every metronome. Raises `AudioGraphError` when the
        server ends, stands still, or has its period changed by a program, and when a player is
        unknown or the duration is not positive.
        """
        for player in metronomes:
            self.plan.check_player(player)
        if not 0 < duration_s <= MOST_SECONDS:
            raise AudioGraphError(
                f"the duration is {duration_s:g} s: choose more than 0, up to {MOST_SECONDS:g}"
            )
        frames = round(duration_s * SAMPLE_RATE)
        with TemporaryDirectory(prefix="take-", dir=self._folder) as take:
            task = {
                "folder": take,
                "frames": frames,
                "period_frames": self.plan.period_frames,
                "metronomes": [asdict(metronome) for metronome in metronomes.values()],
                "played_into": [microphone_inputs(player) for player in metronomes],
                "recorded": [
                    ports(player)[0] for ports in (mouths, ears) for player in self.plan.players
                ],
            }
            xruns = await self._recorded(task)
            with ThreadPoolExecutor(1) as thread:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(thread, self._read, Path(take), frames, xruns)

    async def _recorded(self, task: dict[str, object]) -> int:
        try:
            async with child_process(
                "the recorder", "jamlab.audio_graph.recorder", task, self._inside
            ) as recorder:
                xruns = int((await recorder.receive())["xruns"])
                await recorder.receive()
                return xruns
        except ChildError as error:
            raise AudioGraphError(str(error)) from error

    @property
    def _inside(self) -> Within:
        variables = [f"{name}={text}" for name, text in self._reaching.items()]
        return lambda *command: ("env", *variables, *command)

    def _read(self, take: Path, frames: int, xruns: int) -> Recording:
        players = self.plan.players
        period = self.plan.period_frames
        positions, called_ns = np.fromfile(take / CYCLES, dtype=np.int64).reshape(-1, 2).T
        blocks = np.fromfile(take / BLOCKS, dtype=np.float32)
        blocks = blocks.reshape(len(positions), 2 * len(players), period)
        sound = placed(blocks, positions, frames)
        return Recording(
            mouths=dict(zip(players, sound[: len(players)], strict=True)),
            ears=dict(zip(players, sound[len(players) :], strict=True)),
            punctuality=punctuality(positions, called_ns, period, frames, xruns),
        )

    async def _pw_link(self, *arguments: str) -> str:
        """Run ``pw-link``; return what it says."""
        return await self._told("pw-link", *arguments)

    async def _told(self, program: str, *arguments: str) -> str:
        """Run one of PipeWire's tools; return what it says."""
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env={**os.environ, **self._reaching},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        return said.decode(errors="replace").strip()

    @asynccontextmanager
    async def _patience(self, wanted: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                yield
        except TimeoutError:
            raise AudioGraphError(f"{wanted} did not both come up in {_PATIENCE_S:g} s") from None


def _jack_library_path() -> str:
    """Return the library path with PipeWire's JACK library, as ``pw-jack`` sets it."""
    told = subprocess.run(
        ["pw-jack", "printenv", "LD_LIBRARY_PATH"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip()
