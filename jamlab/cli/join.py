"""``jamlab join``: this machine as a participant of a session, until it is stopped."""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jamlab.audio.device import DeviceCard
from jamlab.audio.portaudio import (
    leave_open,
)
from jamlab.cli import arguments
from jamlab.cli.machine import microphone
from jamlab.cli.machine.sound_card import ChoiceError, DeviceChoice, device_choice
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.ice.file import load_configuration
from jamlab.measure.ensemble.heard import HeardAfter
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.live_mesh.answer import answering
from jamlab.measure.live_mesh.packet_file import recorded
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.media.playout.delay import DEFAULT_BOUNDS, DelayBounds
from jamlab.media.quality import LOW_LATENCY, QUALITIES, Quality, quality_named
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.notices import Notice
from jamlab.mesh.session import JamSession, Signaling
from jamlab.networks.port_mapping.mapper import PortMapper
from jamlab.networks.port_mapping.mapping import Mapper
from jamlab.process.signals import ENDING, on_signals
from jamlab.signaling.channel import NameTakenError, SignalingError
from jamlab.signaling.endpoint import KEY_VARIABLE, URL_VARIABLE
from jamlab.signaling.supabase.channel import SupabaseChannel
from jamlab.terminal import say

Say = Callable[[str], None]
"""Receives a line for the user."""


class JoinError(RuntimeError):
    """Raised when the options do not allow to take part."""


@dataclass(frozen=True)
class Part:
    """Parameters of a participant.

    With `echo`, it plays everything it hears into its microphone, as the far end of a round trip;
    two such participants in a room echo each other. By default it takes part until stopped, does
    not ask the router for port mappings, and writes no file of packets.
    """

    room: str
    name: str
    quality: Quality = LOW_LATENCY
    ice: IceConfiguration = HOST_ONLY
    echo: bool = False
    duration_s: float | None = None
    card: DeviceChoice | None = None
    """The sound card; None for a virtual one."""
    port_mapping: bool = False
    packets: Path | None = None
    delay_bounds: DelayBounds = DEFAULT_BOUNDS
    equal_latency: bool = False


async def take_part(
    part: Part, signaling: Signaling, say: Say, leaving: Callable[[], None] = lambda: None
) -> None:
    """Take part until the time is over or the process gets SIGINT, SIGTERM or SIGHUP.

    `say` receives a line about each peer that joins or leaves, each measurement, and each notice;
    `leaving` is called before a real sound card is closed at the end.
    """
    with _told_to_stop() as stopped:
        async with AsyncExitStack() as stack:
            try:
                with _ended_by(stopped):
                    mapper = await stack.enter_async_context(PortMapper())
                    asked = mapper if part.port_mapping else None
                    session = await stack.enter_async_context(
                        _in_session(part, signaling, say, asked, leaving)
                    )
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
    part: Part,
    signaling: Signaling,
    say: Say,
    mapper: Mapper | None,
    leaving: Callable[[], None],
) -> AbstractAsyncContextManager[JamSession]:
    if part.card is None:
        return _measured(part, signaling, say, mapper)
    return _heard(part, part.card, signaling, say, mapper, leaving)


@asynccontextmanager
async def _measured(
    part: Part, signaling: Signaling, say: Say, mapper: Mapper | None
) -> AsyncIterator[JamSession]:
    """Join the session with a virtual card, and answer measurements."""
    plan = LatencyPlan(
        quality=part.quality.name,
        accepted_percent=100 * part.delay_bounds.accepted_share,
        most_delay_ms=1000 * part.delay_bounds.most_delay_s,
        equal_latency=part.equal_latency,
    )
    me = measuring_participant(
        part.room, part.name, signaling, plan=plan, ice=part.ice, keep_s=KEEP_S, mapper=mapper
    )
    if part.echo:
        me.echo()
    reports = _tell(me.session, part, say)
    async with me.session, answering(me, say):
        with reports:
            yield me.session


@asynccontextmanager
async def _heard(
    part: Part,
    choice: DeviceChoice,
    signaling: Signaling,
    say: Say,
    mapper: Mapper | None,
    leaving: Callable[[], None],
) -> AsyncIterator[JamSession]:
    """Join the session with a real card, whose frames have no known times for a measurement."""
    card = DeviceCard(
        choice.input_device,
        choice.output_device,
        block_frames=choice.block_frames,
        access=choice.access,
        input_channels=choice.input_channels,
        output_channels=choice.output_channels,
    )
    session = JamSession(
        part.room,
        part.name,
        signaling=signaling,
        card=card,
        quality=part.quality,
        ice=part.ice,
        delay_bounds=part.delay_bounds,
        equal_latency=part.equal_latency,
        mapper=mapper,
    )
    reports = _tell(session, part, say)
    try:
        async with session:
            if described := card.description:
                say(f"the sound card: {described}")
            try:
                with reports:
                    yield session
            finally:
                leaving()
    finally:
        say(_losses(card))


def _losses(card: DeviceCard) -> str:
    """Return how many blocks a card has lost, in words."""
    lost = card.counters
    return (
        f"the sound card: {lost.underruns} underruns, {lost.overruns} overruns, "
        f"{lost.xruns} xruns of its driver, in {lost.blocks} blocks"
    )


def _tell(session: JamSession, part: Part, say: Say) -> ExitStack:
    """Report events to the user until the returned stack is closed, before we leave ourselves."""
    stack = ExitStack()
    stack.enter_context(recorded(session, part.packets, say))
    stack.callback(session.on_notice(lambda notice: say(_sentence(notice))))
    stack.callback(session.service.on_connection_state_change(lambda change: _follow(change, say)))
    stack.callback(session.on_departure(lambda peer_id: say(f"{peer_id} has left")))
    stack.callback(session.on_figures(HeardAfter(say).note))
    return stack


def _sentence(notice: Notice) -> str:
    return f"{notice.sentence}: {notice.hint}" if notice.hint else notice.sentence


def _follow(change: ConnectionStateChange, say: Say) -> None:
    if change.state is ConnectionState.CONNECTED:
        say(f"{change.peer_id} is heard")


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT, SIGTERM and SIGHUP set."""
    stopped = asyncio.Event()
    with on_signals((signal.SIGINT, *ENDING), stopped.set):
        yield stopped


# In a process of its own


@asynccontextmanager
async def companion(room: str, name: str, hub: str, key: str, *options: str) -> AsyncIterator[None]:
    """Run ``jamlab join`` in a process of its own while the context lasts.

    The hub's key is passed in the environment, which the list of processes does not show; `options`
    are further ones of the command, e.g. ``--echo``. The router is left alone.
    """
    command = (sys.executable, "-m", "jamlab", "join", room, "--name", name, "--hub", hub)
    options = ("--no-port-mapping", *options)
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
        "--name", default=socket.gethostname(), help="our name in the room (default: %(default)s)"
    )
    parser.add_argument("--hub", help=f"URL of a hub or of Supabase (default: ${URL_VARIABLE})")
    parser.add_argument("--key", help=f"its key (default: ${KEY_VARIABLE})")
    parser.add_argument("--echo", action="store_true", help="send back everything that we hear")
    parser.add_argument(
        "--sound-card", action="store_true", help="play through this machine's sound card"
    )
    parser.add_argument("--input", help="name of the card's input (default: the system's)")
    parser.add_argument("--output", help="name of the card's output (default: the system's)")
    parser.add_argument(
        "--input-channels",
        metavar="N[,M]",
        help="input channel for both sides, or left and right (default: 1,2)",
    )
    parser.add_argument(
        "--output-channels",
        metavar="N[,M]",
        help="output channel for both sides, or left and right (default: 1,2)",
    )
    parser.add_argument("--block-frames", type=int, help="the card's block size (default: 128)")
    microphone.add_argument(parser)
    parser.add_argument(
        "--quality", default=LOW_LATENCY.name, help=f"{qualities} (default: %(default)s)"
    )
    arguments.add_delay_bounds(parser)
    parser.add_argument("--ice", type=Path, help="TOML file of ICE configurations (default: none)")
    parser.add_argument("--configuration", help="which of them (default: the first)")
    parser.add_argument(
        "--no-port-mapping",
        action="store_true",
        help="do not ask the router to map our ports (default: by PCP, NAT-PMP or UPnP)",
    )
    parser.add_argument("--duration", type=float, help="seconds (default: until stopped)")
    parser.add_argument("--packets", type=arguments.page, help="Parquet file of arrivals to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab join`` and return its exit status.

    Raises `JoinError` when the options do not allow to take part, `DeviceError` when there are
    devices, but not the named one, and `MicrophoneError` without an answer about the microphone.
    """
    if options.duration is not None and not options.duration > 0:
        raise JoinError(f"--duration is {options.duration:g}: give more than 0 seconds")
    part = Part(
        options.room,
        options.name,
        quality_named(options.quality),
        _ice(options.ice, options.configuration),
        options.echo,
        options.duration,
        _card(options),
        port_mapping=not options.no_port_mapping,
        packets=options.packets,
        delay_bounds=_delay_bounds(options),
        equal_latency=options.equal_latency,
    )
    signaling = partial(SupabaseChannel, url=options.hub, key=options.key)
    try:
        # The process ends after this, and may be aborted by a driver whose card is closed.
        asyncio.run(take_part(part, signaling, say, leave_open))
    except (NameTakenError, SignalingError, ValueError) as error:
        raise JoinError(str(error)) from error
    return 0


def _delay_bounds(options: argparse.Namespace) -> DelayBounds:
    try:
        return arguments.delay_bounds(options)
    except ValueError as error:
        raise JoinError(str(error)) from error


def _card(options: argparse.Namespace) -> DeviceChoice | None:
    try:
        return device_choice(options)
    except ChoiceError as error:
        raise JoinError(str(error)) from error


def _ice(path: Path | None, name: str | None) -> IceConfiguration:
    if path is None:
        if name is not None:
            raise JoinError(f"--configuration {name} needs a file: name it with --ice FILE")
        return HOST_ONLY
    return load_configuration(path, name, os.environ)
