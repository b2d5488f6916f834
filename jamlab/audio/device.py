"""A real sound card behind the mesh's interface, which goes on when the card does not.

PortAudio calls back on a thread of its own, where nothing is done but copying
(`jamlab.audio.thread_bridge`); the mesh's callback runs on the event loop, as it does for a virtual
card.

A session outlives its sound card. One that is unplugged, was never there, or is slow to start, is
stood in for by a virtual card with nothing before its microphone and nobody listening, so that
peers go on getting packets and their sound is taken from its buffers; every second the real one is
looked for again. What has become of it is told to `on_change`. Only JACK's server, once it has
ended, cannot be reached again by the same process: PortAudio crashes on the attempt.

The loop's thread runs in real time meanwhile, where the system allows it (`process/real_time`), and
the interpreter makes short pauses (`process/short_pauses`).

The signal is raw: PortAudio adds no echo cancellation, noise suppression or gain control. Systems
do: PulseAudio and PipeWire where their echo-cancel module is loaded, macOS in the microphone mode
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

import numpy as np

from jamlab.audio.card import (
    CardChange,
    CardCounters,
    DuplexCallback,
    MicrophoneUnavailableError,
    VirtualCard,
    tell_nobody,
)
from jamlab.audio.guard import guarded
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import (
    JACK,
    Device,
    DeviceError,
    abandon,
    block_sizes,
    close,
    device_named,
    explained,
    opened,
    pair_named,
    portaudio,
    refresh,
)
from jamlab.audio.thread_bridge import Relay
from jamlab.process.pauses import ShortPauses
from jamlab.process.real_time import RealTime

SILENT_FOR_S = 0.5
"""A card that has called back, and then not for so long, is gone."""
STARTS_IN_S = 5.0
"""One that has not called back at all so long after it was opened; PulseAudio's take two."""
LOOK_AGAIN_S = 1.0
LOOP_HAS_S = 0.002
"""Time the event loop has for a callback at least; short blocks have the slack to go with it.

Machines stand still for a block of 64 frames (1.3 ms) several times a minute, on which nobody can
play with less (`make bench-devices` prints how often).
"""
PATIENCE = 0.5
"""Share of a block for which the card's thread waits for the loop rather than play silence."""


class DeviceCard:
    """A sound card of this machine; a `jamlab.audio.card.SoundCard`.

    Parameters
    ----------
    input_device, output_device : str or int, optional
        Index or name, as `jamlab.audio.portaudio.device_named` takes it; the system's default.
    block_frames : int
        Length of a block.
    latency : str or float
        PortAudio's *suggested latency*: ``"low"``, ``"high"``, or seconds.
    slack : int, optional
        Blocks the event loop has for a callback; by default as many as last `LOOP_HAS_S`.
    access : MicrophoneAccess, optional
        Whether its microphone may be used, and which; without one it may not.
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
    ) -> None:
        self.block_frames = block_frames
        self._slack = slack_of(block_frames) if slack is None else slack
        self.round_trip_frames = (1 + self._slack) * block_frames
        """From captured to played, in blocks; what the card adds is measured, not known."""
        self.counters = CardCounters()
        self.on_change: Callable[[CardChange], None] = tell_nobody
        self._wanted = input_device, output_device
        self._latency = latency
        self._access = access or MicrophoneAccess()
        self._callback: DuplexCallback | None = None
        self._capture = True
        self._relay = self._new_relay()
        self._stream: Any = None
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
        """During a callback: whether what it returns can no longer be heard."""
        return self._relay.too_late if self._stand_in is None else True

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Begin to call back on the running event loop, with the card or without.

        Raises
        ------
        MicrophoneUnavailableError
            When it is to capture and cannot, or may not; it has not begun then.
        RuntimeError
            When it has been started and not stopped.
        """
        if self._callback is not None:
            raise RuntimeError("this sound card is started already: stop it first")
        if capture:
            self._access.check()
            _check_microphone(self._input)
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
        """Call back no more. Stopping twice is harmless."""
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
        """The input that was allowed, our own choice where nobody chose."""
        chosen = self._access.input_device
        return self._wanted[0] if chosen is None else chosen

    def _new_relay(self) -> Relay:
        return Relay(
            self.block_frames,
            self._slack,
            counters=self.counters,
            patience_s=PATIENCE * self.block_frames / SAMPLE_RATE,
        )

    def _open(self) -> None:
        """Open and start the card; raises `DeviceError`."""
        source: Device | None = None
        if self._capture:
            source, output = pair_named(self._input, self._wanted[1])
        else:
            output = device_named(self._wanted[1], "output")
        self._host, self._opened_s = output.host, self._loop.time()
        self._relay = self._new_relay()
        try:
            self._stream = opened(partial(self._new_stream, source, output, self._relay))
            self._stream.start()
        except portaudio().PortAudioError as error:
            self._close()
            which = f"the output device {output.name!r}"
            if source is not None:
                which = f"the pair of {source.name!r} and {output.name!r}"
            raise explained(error, which) from error

    def _new_stream(self, source: Device | None, output: Device, relay: Relay) -> Any:
        sizes = block_sizes(output.host, self.block_frames)
        common = {
            "samplerate": SAMPLE_RATE,
            "blocksize": sizes[-1 if self._adapting else 0],
            "dtype": "float32",
            "latency": self._latency,
        }
        if source is None:
            return portaudio().OutputStream(
                device=output.index,
                channels=output.used_channels,
                callback=lambda *block: self._swap(relay, None, *block),
                **common,
            )
        return portaudio().Stream(
            device=(source.index, output.index),
            channels=(source.used_channels, output.used_channels),
            callback=lambda *block: self._swap(relay, *block),
            **common,
        )

    def _swap(
        self, relay: Relay, captured: Any, played: Any, frames: int, _time: Any, status: Any
    ) -> None:
        """Copy both ways: PortAudio's callback, on its thread."""
        if status:
            self.counters.xruns += 1
        fits = frames == relay.block_frames
        if fits:
            played[:] = fitted(relay.swap(stereo(captured, frames)), played.shape[1])
        else:
            played[:] = 0
        with contextlib.suppress(RuntimeError):  # the loop may just be closed
            self._loop.call_soon_threadsafe(self._run if fits else self._adapt, relay)

    def _run(self, relay: Relay) -> None:
        if self._callback is None or relay is not self._relay or self._stream is None:
            return
        if self._stand_in is not None:
            self._take_over()
        relay.run(self._callback)

    def _adapt(self, relay: Relay) -> None:
        """Let PortAudio make blocks of our length: the driver's own are of another."""
        if self._callback is None or relay is not self._relay or self._stream is None:
            return
        self._adapting = True
        self._close()
        try:
            self._open()
        except DeviceError as error:
            self._go_without(str(error))

    def _close(self) -> None:
        """Close the card, if it is open."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            close(stream)

    # Without it

    async def _watch(self) -> None:
        """Notice that the card is gone, and look for it again; until cancelled."""
        while True:
            if self._stream is None:
                await asyncio.sleep(LOOK_AGAIN_S)
                await self._look_again()
            elif await self._is_silent() and self._lose():
                return

    async def _is_silent(self) -> bool:
        relay, before = self._relay, self._relay.swapped
        await asyncio.sleep(SILENT_FOR_S)
        if relay.swapped > before or relay is not self._relay:
            return False
        return before > 0 or self._loop.time() - self._opened_s > STARTS_IN_S

    def _lose(self) -> bool:
        """Go on without a card that has stopped; returns whether for good."""
        if self._host == JACK:
            self._stream = None  # not closed: that waits for the server, which has ended
            abandon()
            self._go_without("the JACK server has ended: start it again, and then this program")
            return True
        self._close()
        self._go_without("the sound card has stopped: it was unplugged or switched off")
        return False

    async def _look_again(self) -> None:
        with contextlib.suppress(DeviceError):
            with ThreadPoolExecutor(1) as thread:  # PortAudio takes its time to look
                await self._loop.run_in_executor(thread, refresh)
            self._open()

    def _go_without(self, reason: str) -> None:
        if self._stand_in is None:
            self._stand_in = self._new_stand_in()
        if not self._gone:
            self._gone = True
            self.on_change(CardChange(False, reason, self._loop.time()))

    def _take_over(self) -> None:
        """Let the card do what was done for it: it calls back."""
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


def _check_microphone(wanted: str | int | None) -> None:
    """Check that there is an input, and that it opens; raises `MicrophoneUnavailableError`."""
    try:
        device = device_named(wanted, "input")
        sounddevice = portaudio()
        try:
            sounddevice.check_input_settings(
                device.index, device.used_channels, "float32", samplerate=SAMPLE_RATE
            )
        except sounddevice.PortAudioError as error:
            raise explained(error, f"the input device {device.name!r}") from error
    except DeviceError as error:
        raise MicrophoneUnavailableError(str(error)) from error


def slack_of(block_frames: int) -> int:
    """Return how many blocks last `LOOP_HAS_S`, or the least that last longer."""
    return math.ceil(LOOP_HAS_S * SAMPLE_RATE / block_frames)


def stereo(captured: Any, frames: int) -> Block:
    """Return a copy of what was captured as two channels; silence where nothing was.

    Parameters
    ----------
    captured : ndarray, shape (frames, channels), or None
        One channel is used for both; of more than two, the first two.
    frames : int
        Length of the block.
    """
    block: Block = np.zeros((frames, CHANNELS), dtype=np.float32)
    if captured is not None:
        block[:] = captured[:, :CHANNELS]
    return block


def fitted(block: Block, channels: int) -> Block:
    """Return a stereo block for a card of one channel, the mean of both, or of two, as it is."""
    return block if channels == CHANNELS else block.mean(axis=1, keepdims=True)
