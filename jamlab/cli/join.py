"""``jamlab join``: this machine as a participant of a session, until it is stopped."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.audio.device import DeviceCard
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import Device, DeviceError, Direction, device_named, devices
from jamlab.cli import microphone
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.ice.file import load_configuration
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.live_mesh.answer import answering
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.media.quality import LOW_LATENCY, QUALITIES, Quality, quality_named
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.notices import Notice
from jamlab.mesh.session import JamSession, Signaling
from jamlab.signaling.channel import NameTakenError, SignalingError
from jamlab.signaling.endpoint import KEY_VARIABLE, URL_VARIABLE
from jamlab.signaling.supabase.channel import SupabaseChannel

Say = Callable[[str], None]
"""Receives a line for the user."""


class JoinError(RuntimeError):
    """Raised when the options do not allow to take part."""


@dataclass(frozen=True)
class DeviceChoice:
    """A sound card of this machine, as for `jamlab.audio.device.DeviceCard`."""

    input_device: str | None = None
    output_device: str | None = None
    block_frames: int = 128
    access: MicrophoneAccess = field(default_factory=MicrophoneAccess)


@dataclass(frozen=True)
class Part:
    """Parameters of a participant.

    With `echo`, it plays everything it hears into its microphone, as the far end of a round trip;
    two such participants in a room echo each other. By default it takes part until stopped.
    """

    room: str
    name: str
    quality: Quality = LOW_LATENCY
    ice: IceConfiguration = HOST_ONLY
    echo: bool = False
    duration_s: float | None = None
    card: DeviceChoice | None = None
    """The sound card; None for a virtual one."""


async def take_part(part: Part, signaling: Signaling, say: Say) -> None:
    """Take part until the time is over or the process gets SIGINT or SIGTERM.

    `say` receives a line about each peer that joins or leaves, each measurement, and each notice.
    """
    with _told_to_stop() as stopped:
        async with AsyncExitStack() as stack:
            try:
                with _ended_by(stopped):
                    session = await stack.enter_async_context(_in_session(part, signaling, say))
            except _StoppedError:
                return say(f"{part.name} was stopped before {part.room} was joined")
            say(f"{part.name} has joined {part.room}")
            for peer_id in sorted(session.members):
                say(f"{peer_id} has joined")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(part.duration_s):
                    await stopped.wait()
        say(f"{part.name} has left {part.room}")


class _StoppedError(Exception):
    """The user stopped what was under way."""


@contextmanager
def _ended_by(stopped: asyncio.Event) -> Iterator[None]:
    """Cancel the code in the context when an event is set; it then raises `_StoppedError`."""
    task = asyncio.current_task()
    assert task
    watch = asyncio.ensure_future(stopped.wait())
    watch.add_done_callback(lambda done: done.cancelled() or task.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not stopped.is_set() or task.uncancel():
            raise
        raise _StoppedError from None
    finally:
        watch.cancel()


def _in_session(
    part: Part, signaling: Signaling, say: Say
) -> AbstractAsyncContextManager[JamSession]:
    if part.card is None:
        return _measured(part, signaling, say)
    return _heard(part, part.card, signaling, say)


@asynccontextmanager
async def _measured(part: Part, signaling: Signaling, say: Say) -> AsyncIterator[JamSession]:
    """Join the session with a virtual card, and answer measurements."""
    plan = LatencyPlan(quality=part.quality.name)
    me = measuring_participant(
        part.room, part.name, signaling, plan=plan, ice=part.ice, keep_s=KEEP_S
    )
    if part.echo:
        me.echo()
    reports = _tell(me.session, say)
    async with me.session, answering(me, say):
        with reports:
            yield me.session


@asynccontextmanager
async def _heard(
    part: Part, choice: DeviceChoice, signaling: Signaling, say: Say
) -> AsyncIterator[JamSession]:
    """Join the session with a real card, whose frames have no known times for a measurement."""
    card = DeviceCard(
        choice.input_device,
        choice.output_device,
        block_frames=choice.block_frames,
        access=choice.access,
    )
    session = JamSession(
        part.room,
        part.name,
        signaling=signaling,
        card=card,
        quality=part.quality,
        ice=part.ice,
    )
    reports = _tell(session, say)
    try:
        async with session:
            with reports:
                yield session
    finally:
        lost = card.counters
        say(
            f"the sound card: {lost.underruns} underruns, {lost.overruns} overruns, "
            f"{lost.xruns} xruns of its driver, in {lost.blocks} blocks"
        )


def _tell(session: JamSession, say: Say) -> ExitStack:
    """Report events to the user until the returned stack is closed, before we leave ourselves."""
    stack = ExitStack()
    stack.callback(session.on_notice(lambda notice: say(_sentence(notice))))
    stack.callback(session.service.on_connection_state_change(lambda change: _follow(change, say)))
    stack.callback(session.on_departure(lambda peer_id: say(f"{peer_id} has left")))
    return stack


def _sentence(notice: Notice) -> str:
    return f"{notice.sentence}: {notice.hint}" if notice.hint else notice.sentence


def _follow(change: ConnectionStateChange, say: Say) -> None:
    if change.state is ConnectionState.CONNECTED:
        say(f"{change.peer_id} is heard")


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT and SIGTERM set."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    signals = signal.SIGINT, signal.SIGTERM
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


# In a process of its own


@asynccontextmanager
async def companion(room: str, name: str, hub: str, key: str, *options: str) -> AsyncIterator[None]:
    """Run ``jamlab join`` in a process of its own while the context lasts.

    The hub's key is passed in the environment, which the list of processes does not show; `options`
    are further ones of the command, e.g. ``--echo``.
    """
    command = (sys.executable, "-m", "jamlab", "join", room, "--name", name, "--hub", hub)
    process = await asyncio.create_subprocess_exec(
        *command, *options, env={**os.environ, KEY_VARIABLE: key}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab join``."""
    qualities = ", ".join(name.replace(" ", "-") for name in QUALITIES)
    parser.add_argument("room", help="name of the room")
    parser.add_argument(
        "--name", default=os.uname().nodename, help="our name in the room (default: %(default)s)"
    )
    parser.add_argument("--hub", help=f"URL of a hub or of Supabase (default: ${URL_VARIABLE})")
    parser.add_argument("--key", help=f"its key (default: ${KEY_VARIABLE})")
    parser.add_argument("--echo", action="store_true", help="send back everything that we hear")
    parser.add_argument(
        "--sound-card", action="store_true", help="play through this machine's sound card"
    )
    parser.add_argument("--input", help="the card's input, index or name (default: the system's)")
    parser.add_argument("--output", help="the card's output, index or name (default: the system's)")
    parser.add_argument("--block-frames", type=int, help="the card's block size (default: 128)")
    microphone.add_argument(parser)
    parser.add_argument(
        "--quality", default=LOW_LATENCY.name, help=f"{qualities} (default: %(default)s)"
    )
    parser.add_argument("--ice", type=Path, help="TOML file of ICE configurations (default: none)")
    parser.add_argument("--configuration", help="which of them (default: the first)")
    parser.add_argument("--duration", type=float, help="seconds (default: until stopped)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab join`` and return its exit status.

    Raises `JoinError` when the options do not allow to take part, `DeviceError` when there are
    devices, but not the named one, and `MicrophoneError` without an answer about the microphone.
    """
    if options.duration is not None and not options.duration > 0:
        raise JoinError(f"--duration is {options.duration:g}: give more than 0 seconds")
    quality, ice = quality_named(options.quality), _ice(options.ice, options.configuration)
    part = Part(
        options.room, options.name, quality, ice, options.echo, options.duration, _card(options)
    )
    signaling = partial(SupabaseChannel, url=options.hub, key=options.key)
    try:
        asyncio.run(take_part(part, signaling, partial(print, flush=True)))
    except (NameTakenError, SignalingError, ValueError) as error:
        raise JoinError(str(error)) from error
    return 0


def _card(options: argparse.Namespace) -> DeviceChoice | None:
    """Return the requested sound card; an option about one requests it. None for a virtual one."""
    about_it = options.input, options.output, options.block_frames, options.microphone
    if not options.sound_card and about_it == (None,) * len(about_it):
        return None
    if options.echo:
        raise JoinError("--echo needs the virtual card: leave out --sound-card and its options")
    given = options.block_frames
    block_frames = DeviceChoice.block_frames if given is None else given
    if not LEAST_BLOCK_FRAMES <= block_frames <= MOST_BLOCK_FRAMES:
        limits = f"{LEAST_BLOCK_FRAMES} to {MOST_BLOCK_FRAMES}"
        raise JoinError(f"--block-frames is {given}: choose {limits}")
    named: dict[Direction, str | None] = {"input": options.input, "output": options.output}
    for direction, wanted in named.items():
        _check_name(wanted, direction)
    access = microphone.microphone_access(options.microphone, options.input)
    return DeviceChoice(options.input, options.output, block_frames, access)


def _check_name(wanted: str | None, direction: Direction) -> None:
    """Check that a device has this name; without any device, one may still be plugged in."""
    known: list[Device] = []
    with contextlib.suppress(DeviceError):
        known = devices(direction)
    if wanted is not None and known:
        device_named(wanted, direction)


def _ice(path: Path | None, name: str | None) -> IceConfiguration:
    if path is None:
        if name is not None:
            raise JoinError(f"--configuration {name} needs a file: name it with --ice FILE")
        return HOST_ONLY
    return load_configuration(path, name, os.environ)
