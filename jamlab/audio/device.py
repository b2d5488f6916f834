"""A real sound card, through PortAudio, that survives the loss of its device.

PortAudio calls back on a thread of its own, which only copies blocks
(`jamlab.audio.thread_bridge`); the mesh's callback runs on the event loop, as with a virtual card.

A session outlives its sound card. While the device is unplugged, missing or slow to start, a
virtual card with a silent microphone takes its place, so that peers still get packets and their
playout buffers are emptied. Every second the card tries to open the real device again. `on_change`
reports the loss and the return. The exception is a JACK server that has ended: PortAudio crashes
when the same process connects again.

While the card runs, the event loop's thread has real-time priority where the system allows it
(`process/real_time`), and the interpreter makes short pauses (`process/short_pauses`).

The signal is raw: PortAudio adds no echo cancellation, noise suppression or gain control. Systems
may: PulseAudio and PipeWire where their echo-cancel module is loaded, macOS in the microphone mode
"Voice Isolation", Windows under "audio enhancements" of the device. Turn it off there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from jamlab.audio.card import (
    CardChange,
    CardCounters,
    DuplexCallback,
    MicrophoneUnavailableError,
    VirtualCard,
    ignore_change,
)
from jamlab.audio.conversion.channels import (
    Channels,
    Samples,
    channels_or_default,
    checked,
    fault_of,
    placed,
    stereo,
)
from jamlab.audio.duplex_stream import DuplexStream, Terms
from jamlab.audio.guard import guarded
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import (
    JACK,
    Device,
    DeviceError,
    abandon,
    at_first_rate,
    better_host,
    device_named,
    explained,
    pair_named,
    portaudio,
    rates_of,
    refresh,
)
from jamlab.audio.thread_bridge import ThreadBridge
from jamlab.process.pauses import ShortPauses
from jamlab.process.real_time import RealTime

SILENT_FOR_S = 0.5
"""Time without a callback after which a running card counts as lost."""
STARTS_IN_S = 5.0
"""Time from opening to the first callback after which a card is lost; PulseAudio takes 2 s."""
LOOK_AGAIN_S = 1.0
"""Time between attempts to open a lost card."""
LOOP_HAS_S = 0.002
"""Least time the event loop has for a callback; short blocks get as much slack as that needs.

Machines stand still for a block of 64 frames (1.3 ms) several times a minute, so with less slack
such a block cannot be played (`make bench-devices` prints how often).
"""
PATIENCE = 0.5
"""Fraction of a block for which the card's thread waits for the loop before it plays silence."""


class DeviceCard:
    """A sound card of this machine; a `jamlab.audio.card.SoundCard`.

    Parameters
    ----------
    input_device, output_device : str or int, optional
        Name or index (see `jamlab.audio.portaudio.device_named`); by default the system's default.
        The device is kept by its name and host interface, because indices shift.
    input_channels, output_channels : tuple of int, optional
        One channel for both sides, or left and right, counted from 1; by default the first two, or
        the only one (see `jamlab.audio.conversion.channels`).
    latency : str or float
        PortAudio's *suggested latency*: ``"low"``, ``"high"``, or seconds.
    slack : int, optional
        Time the event loop has for a callback, in blocks; by default at least `LOOP_HAS_S`.
    access : MicrophoneAccess, optional
        Permission to use a microphone, and the chosen one; by default it may not be used.
    """

    def __init__(
        self,
        input_device: str | int | None = None,
        output_device: str | int | None = None,
        *,
        block_frames: int = 128,
        latency: str | float = "low",
        slack: int | None = None,
        access: MicrophoneAccess | None = None,
        input_channels: Channels | None = None,
        output_channels: Channels | None = None,
    ) -> None:
        for chosen in filter(None, (input_channels, output_channels)):
            checked(chosen)
        self.block_frames = block_frames
        self._slack = slack_of(block_frames) if slack is None else slack
        self.round_trip_frames = (1 + self._slack) * block_frames
        """Latency of the bridge's buffers; that of the hardware is measured, not known."""
        self.counters = CardCounters()
        self.on_change: Callable[[CardChange], None] = ignore_change
        self._wanted = input_device, output_device
        self._titles: dict[str | int, str] = {}  # of the devices that indices had at first
        self._channels = input_channels, output_channels
        self._latency = latency
        self._access = access or MicrophoneAccess()
        self._callback: DuplexCallback | None = None
        self._capture = True
        self._bridge = self._new_bridge()
        self._stream: DuplexStream | None = None
        self._host = ""
        self._adapting = False
        self._opened_s = 0.0
        self._stand_in: VirtualCard | None = None
        self._gone = False
        self._realtime = RealTime()
        self._pauses = ShortPauses()
        self._watching: asyncio.Task[None] | None = None

    @property
    def too_late(self) -> bool:
        """Whether the current callback comes too late for its block to be played."""
        return self._bridge.too_late if self._stand_in is None else True

    @property
    def description(self) -> str:
        """Devices, host interface, rate and stated latency of the open card; "" without one."""
        if self._stream is None:
            return ""
        terms = self._stream.terms
        names = [f"output {terms.output.name!r}"]
        if terms.source is not None:
            names.insert(0, f"input {terms.source.name!r}")
        parts = [f"{', '.join(names)} by {terms.output.host}"]
        if (stated_s := self._stream.stated_latency_s) is not None:
            parts.append(f"its driver states {1000 * stated_s:.1f} ms")
        if added_s := self._stream.conversion_s:
            parts.append(
                f"{self._stream.rate:g} Hz, converted to {SAMPLE_RATE} Hz, which adds "
                f"{1000 * added_s:.1f} ms"
            )
        if better := better_host(terms.output):
            parts.append(f"{better} is here too and faster: choose a device of it")
        return "; ".join(parts)

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Start the callbacks on the running event loop, whether the device opens or not.

        Raises `MicrophoneUnavailableError` when capture is asked for, and impossible or not
        permitted (the card is not started then), and `RuntimeError` when it is already started.
        """
        if self._callback is not None:
            raise RuntimeError("this sound card is already started: stop it first")
        if capture:
            self._access.check()
            _check_microphone(self._input, self._channels[0])
        self._loop = asyncio.get_running_loop()
        self._callback, self._capture, self._gone = guarded(callback), capture, False
        self._stand_in = self._new_stand_in()
        self._pauses.ask()
        self._realtime.ask()
        try:
            self._open()
        except DeviceError as error:
            self._go_without(str(error))
        except BaseException:
            self.stop()
            raise
        self._watching = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Stop the callbacks. Stopping twice is harmless."""
        self._callback = None
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        self._close()
        self._dismiss()
        self._realtime.give_back()
        self._pauses.give_back()

    # The card

    @property
    def _input(self) -> str | int | None:
        """The input chosen with the permission, or else that of the constructor."""
        chosen = self._access.input_device
        return self._wanted[0] if chosen is None else chosen

    def _new_bridge(self) -> ThreadBridge:
        return ThreadBridge(
            self.block_frames,
            self._slack,
            counters=self.counters,
            patience_s=PATIENCE * self.block_frames / SAMPLE_RATE,
        )

    def _open(self) -> None:
        """Open and start the card; raises `DeviceError`."""
        terms = self._terms()
        self._host, self._opened_s = terms.output.host, self._loop.time()
        bridge = self._bridge = self._new_bridge()
        self._stream = DuplexStream(
            terms,
            partial(self._swap, bridge, terms),
            misfit=partial(self._ask_loop, self._adapt, bridge),
            after=partial(self._after_block, bridge),
        )

    def _terms(self) -> Terms:
        """Return what to open; raises `DeviceError`."""
        wanted = self._kept(self._input), self._kept(self._wanted[1])
        source: Device | None = None
        if self._capture:
            source, output = pair_named(*wanted)
            self._keep(self._input, source)
        else:
            output = device_named(wanted[1], "output")
        self._keep(self._wanted[1], output)
        return Terms(
            source,
            output,
            0 if source is None else max(channels_in_use(source, self._channels[0])),
            max(channels_in_use(output, self._channels[1])),
            self.block_frames,
            self._latency,
            self._adapting,
        )

    def _kept(self, wanted: str | int | None) -> str | int | None:
        """Return the title of the device that an index had when it was first opened."""
        return None if wanted is None else self._titles.get(wanted, wanted)

    def _keep(self, wanted: str | int | None, device: Device) -> None:
        if wanted is not None and str(wanted).isdecimal():
            self._titles.setdefault(wanted, device.title)

    def _swap(self, bridge: ThreadBridge, terms: Terms, captured: Samples) -> Samples:
        """Exchange a block with the loop, on PortAudio's thread."""
        if terms.source is None:
            block = stereo(None, len(captured))
        else:
            chosen = channels_or_default(self._channels[0], terms.source.channels)
            block = stereo(captured, len(captured), chosen)
        output = channels_or_default(self._channels[1], terms.output.channels)
        return placed(bridge.swap(block), terms.played_channels, output)

    def _after_block(self, bridge: ThreadBridge, status: Any) -> None:
        if status:
            self.counters.xruns += 1
        self._ask_loop(self._run, bridge)

    def _ask_loop(self, call: Callable[[ThreadBridge], None], bridge: ThreadBridge) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have been closed just now
            self._loop.call_soon_threadsafe(call, bridge)

    def _run(self, bridge: ThreadBridge) -> None:
        if self._callback is None or bridge is not self._bridge or self._stream is None:
            return
        if self._stand_in is not None:
            self._take_over()
        bridge.run(self._callback)

    def _adapt(self, bridge: ThreadBridge) -> None:
        """Open the card again with our own block length, because the driver's differs."""
        if self._callback is None or bridge is not self._bridge or self._stream is None:
            return
        self._adapting = True
        self._close()
        try:
            self._open()
        except DeviceError as error:
            self._go_without(str(error))

    def _close(self) -> None:
        """Close the device, if it is open."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # Loss and return

    async def _watch(self) -> None:
        """Detect the loss of the card and try to open it again, until cancelled."""
        while True:
            if self._stream is None:
                await asyncio.sleep(LOOK_AGAIN_S)
                await self._look_again()
            elif await self._is_silent() and self._lose():
                return

    async def _is_silent(self) -> bool:
        bridge, before = self._bridge, self._bridge.swapped
        await asyncio.sleep(SILENT_FOR_S)
        if bridge.swapped > before or bridge is not self._bridge:
            return False
        return before > 0 or self._loop.time() - self._opened_s > STARTS_IN_S

    def _lose(self) -> bool:
        """Go on without a card that has stopped; return whether the loss is final."""
        if self._host == JACK:
            self._stream = None  # not closed, because that waits for the server, which has ended
            abandon()
            self._go_without("the JACK server has ended: restart it, and then this program")
            return True
        self._close()
        self._go_without("the sound card has stopped: it was unplugged or switched off")
        return False

    async def _look_again(self) -> None:
        with contextlib.suppress(DeviceError):
            with ThreadPoolExecutor(1) as thread:  # the restart takes too long for the loop
                await self._loop.run_in_executor(thread, refresh)
            self._open()

    def _go_without(self, reason: str) -> None:
        if self._stand_in is None:
            self._stand_in = self._new_stand_in()
        if not self._gone:
            self._gone = True
            self.on_change(CardChange(False, reason, self._loop.time()))

    def _take_over(self) -> None:
        """Replace the virtual card by the real one, which calls back."""
        self._dismiss()
        if self._gone:
            self._gone = False
            self.on_change(CardChange(True, "the sound card is back", self._loop.time()))

    def _new_stand_in(self) -> VirtualCard:
        assert self._callback is not None
        stand_in = VirtualCard(block_frames=self.block_frames)
        stand_in.start(self._callback)
        return stand_in

    def _dismiss(self) -> None:
        if self._stand_in is not None:
            self._stand_in.stop()
            self._stand_in = None


def channels_in_use(device: Device, chosen: Channels | None) -> Channels:
    """Return the channels to use; raises `DeviceError` when the device has fewer."""
    channels = channels_or_default(chosen, device.channels)
    if fault := fault_of(channels, device.channels):
        raise DeviceError(f"the {device.direction} device {device.name!r} {fault}")
    return channels


def _check_microphone(wanted: str | int | None, channels: Channels | None) -> None:
    """Check that an input exists and opens; raises `MicrophoneUnavailableError`."""
    try:
        device = device_named(wanted, "input")
        count = max(channels_in_use(device, channels))
        check = partial(_check_input, device, count)
        try:
            at_first_rate(rates_of(device), check)
        except Exception as error:  # PortAudio's own, and of what it read from drivers
            raise explained(error, f"the input device {device.name!r}") from error
    except DeviceError as error:
        raise MicrophoneUnavailableError(str(error)) from error


def _check_input(device: Device, channels: int, rate: float) -> None:
    portaudio().check_input_settings(device.index, channels, "float32", samplerate=rate)


def slack_of(block_frames: int) -> int:
    """Return the smallest number of blocks that last at least `LOOP_HAS_S`."""
    return math.ceil(LOOP_HAS_S * SAMPLE_RATE / block_frames)
