"""The sound card that a command's options choose."""

import argparse
import contextlib
from dataclasses import dataclass, field

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.audio.conversion.channels import Channels, channels_of
from jamlab.audio.device import channels_in_use
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import (
    Device,
    DeviceError,
    Direction,
    device_named,
    devices,
)
from jamlab.cli.machine import microphone


class ChoiceError(RuntimeError):
    """Raised when options choose no sound card that there can be."""


@dataclass(frozen=True)
class DeviceChoice:
    """A sound card of this machine, as for `jamlab.audio.device.DeviceCard`."""

    input_device: str | None = None
    output_device: str | None = None
    block_frames: int = 128
    access: MicrophoneAccess = field(default_factory=MicrophoneAccess)
    input_channels: Channels | None = None
    output_channels: Channels | None = None


def device_choice(options: argparse.Namespace) -> DeviceChoice | None:
    """Return the requested sound card; an option about one requests it. None for a virtual one.

    Raises `ChoiceError` for options that contradict each other, and errors of the devices.
    """
    about_it = (
        options.input,
        options.output,
        options.block_frames,
        options.microphone,
        options.input_channels,
        options.output_channels,
    )
    if not options.sound_card and about_it == (None,) * len(about_it):
        return None
    if options.echo:
        raise ChoiceError("--echo needs the virtual card: leave out --sound-card and its options")
    given = options.block_frames
    block_frames = DeviceChoice.block_frames if given is None else given
    if not LEAST_BLOCK_FRAMES <= block_frames <= MOST_BLOCK_FRAMES:
        limits = f"{LEAST_BLOCK_FRAMES} to {MOST_BLOCK_FRAMES}"
        raise ChoiceError(f"--block-frames is {given}: choose {limits}")
    used = _channels("input", options.input_channels), _channels("output", options.output_channels)
    source = _title(options.input, "input", used[0])
    output = _title(options.output, "output", used[1])
    access = microphone.microphone_access(options.microphone, source)
    return DeviceChoice(source, output, block_frames, access, *used)


def _channels(direction: Direction, text: str | None) -> Channels | None:
    try:
        return None if text is None else channels_of(text)
    except ValueError as error:
        raise ChoiceError(f"--{direction}-channels: {error}") from error


def _title(wanted: str | None, direction: Direction, used: Channels | None) -> str | None:
    """Return the title of the wanted device, which is kept, and check that it has such channels.

    Without any device, one may still be plugged in.
    """
    known: list[Device] = []
    with contextlib.suppress(DeviceError):
        known = devices(direction)
    if not known or (wanted is None and used is None):
        return wanted
    device = device_named(wanted, direction)
    channels_in_use(device, used)
    return wanted if wanted is None else device.title
