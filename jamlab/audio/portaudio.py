"""Sound cards known to PortAudio, and its errors as sentences for the user.

PortAudio is loaded on first use, because nothing else in jamlab needs it. Its own error messages
are for programmers; `explained` turns them into sentences for the owner of the card.

Four names of sounddevice's are private: `_initialized`, `_terminate` and `_initialize`, because
PortAudio looks for devices only at its start, and sounddevice starts it once; and `_exit_handler`,
because the end of PortAudio may crash. sounddevice has no public name for either. So its minor
version is pinned in pyproject.toml, and `tests/test_project.py` fails when a name changes.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeAlias

from jamlab.audio.pcm import SAMPLE_RATE

Direction: TypeAlias = Literal["input", "output"]

JACK = "JACK Audio Connection Kit"
"""`Device.host` of JACK's devices."""

CLOSES_IN_S = 2.0
"""Time limit for closing a stream."""
PORTAUDIO_REMEDY = (
    "apt-get install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora), "
    "brew install portaudio (macOS)"
)

_INVALID_RATE, _INVALID_DEVICE, _UNAVAILABLE = -9997, -9996, -9985
_EXPLANATIONS = {
    _INVALID_RATE: f"does not run at {SAMPLE_RATE} Hz: set it to 48 kHz in the system's settings",
    _INVALID_DEVICE: "is no longer there: plug it in, or choose another",
    _UNAVAILABLE: "is in use by another program: close that one, or choose another device",
}


class DeviceError(OSError):
    """A sound card cannot be used; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound card in one direction."""

    index: int
    """PortAudio's index, valid until devices are added or removed."""
    name: str
    direction: Direction
    channels: int
    """Number of channels; of more than two the first two are used, one is used as both."""
    host: str
    """PortAudio's host API, e.g. ``"ALSA"`` or ``"Core Audio"``."""

    @property
    def used_channels(self) -> int:
        """Number of channels that are opened: 1 or 2."""
        return min(self.channels, 2)


def portaudio() -> ModuleType:
    """Return `sounddevice`; raises `DeviceError` when PortAudio is not installed."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(f"PortAudio is not installed: {PORTAUDIO_REMEDY}") from error
    module: ModuleType = sounddevice
    return module


def devices(direction: Direction) -> list[Device]:
    """Return every device of a direction, in PortAudio's order.

    Raises `DeviceError` when PortAudio is not installed, or another thread is in `refresh`.
    """
    sounddevice = portaudio()
    try:
        hosts, known = sounddevice.query_hostapis(), sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio cannot list devices now ({error}): try again") from error
    return [
        Device(
            found["index"],
            found["name"],
            direction,
            found[f"max_{direction}_channels"],
            hosts[found["hostapi"]]["name"],
        )
        for found in known
        if found[f"max_{direction}_channels"] > 0
    ]


def device_named(wanted: str | int | None, direction: Direction) -> Device:
    """Return a device by its index or a part of its name; by default the system's default device.

    An index may be in digits; case does not matter, and a whole name takes precedence over parts of
    others. Raises `DeviceError`, with a list of the devices, when not exactly one matches.
    """
    known = devices(direction)
    if not known:
        raise DeviceError(f"this machine has no {direction} device: plug a sound card in")
    fitting = _default(known, direction) if wanted is None else _fitting(known, str(wanted))
    if len(fitting) == 1:
        return fitting[0]
    choice = "; ".join(f"{device.index} {device.name}" for device in fitting or known)
    problem = "more than one" if fitting else "no"
    raise DeviceError(f"{problem} {direction} device matches {wanted!r}: choose one of {choice}")


def pair_named(
    wanted_input: str | int | None, wanted_output: str | int | None
) -> tuple[Device, Device]:
    """Return an input and an output that can be opened together.

    PortAudio cannot open a pair across two host APIs, so where only one device is named, the other
    is the default of the same host API. Raises `DeviceError` as `device_named`, and when both are
    named and belong to different host APIs.
    """
    source, output = device_named(wanted_input, "input"), device_named(wanted_output, "output")
    if source.host == output.host:
        return source, output
    if wanted_output is None and (other := _default_of(source.host, "output")):
        return source, other
    if wanted_input is None and (other := _default_of(output.host, "input")):
        return other, output
    raise DeviceError(
        f"the input {source.name!r} belongs to {source.host} and the output {output.name!r} to "
        f"{output.host}, and PortAudio cannot open such a pair: choose two devices of one of them"
    )


def _default_of(host: str, direction: Direction) -> Device | None:
    """Return a host API's default device, or else its first; None when it has no device."""
    of_host = [device for device in devices(direction) if device.host == host]
    defaults = [
        found[f"default_{direction}_device"]
        for found in portaudio().query_hostapis()
        if found["name"] == host
    ]
    return next(
        (device for device in of_host if device.index in defaults), next(iter(of_host), None)
    )


def _default(known: list[Device], direction: Direction) -> list[Device]:
    """Return the system's default device, or else the first."""
    index = portaudio().default.device[direction]
    return [device for device in known if device.index == index] or known[:1]


def _fitting(known: list[Device], wanted: str) -> list[Device]:
    if wanted.isdecimal():
        return [device for device in known if device.index == int(wanted)]
    name = wanted.casefold()
    same = [device for device in known if device.name.casefold() == name]
    return same or [device for device in known if name in device.name.casefold()]


def block_sizes(host: str, block_frames: int) -> tuple[int, ...]:
    """Return the block sizes to open a stream with, the best first.

    0 leaves the size to the driver. When JACK's own period is requested as a number, PortAudio
    still buffers it, which costs a period. So a stream of JACK's is first opened with 0, and with a
    number only if JACK's period differs from the wanted block.
    """
    return (0, block_frames) if host == JACK else (block_frames,)


def explained(error: Exception, what: str) -> DeviceError:
    """Return a `PortAudioError` as a sentence on `what`, e.g. ``"the input device 'USB'"``."""
    text, code, *_ = (*error.args, "", 0)
    why = _EXPLANATIONS.get(int(code or 0), f"cannot be opened: {text}")
    return DeviceError(f"{what} {why}")


_looking = threading.Lock()
_streams: list[Any] = []  # all open streams of this process


def opened(make: Callable[[], Any]) -> Any:
    """Open a stream by calling `make`, after any `refresh` under way."""
    with _looking:
        stream = make()
        _streams.append(stream)
    return stream


def close(stream: Any) -> None:
    """Close a stream, within a time limit: the driver of a card just unplugged may never return."""
    closing = threading.Thread(target=_close, args=(stream,), daemon=True)
    closing.start()
    closing.join(CLOSES_IN_S)
    if closing.is_alive():
        abandon()


def _close(stream: Any) -> None:
    try:
        stream.close()  # raises nothing for a card that is gone
    finally:
        with _looking:
            _streams[:] = [each for each in _streams if each is not stream]


def abandon() -> None:
    """Leave PortAudio initialised when the process ends.

    After the JACK server has ended, terminating PortAudio crashes the process.
    """
    sounddevice: Any = portaudio()
    atexit.unregister(sounddevice._exit_handler)


def refresh() -> bool:
    """Restart PortAudio, so that it looks for devices again; return whether it was restarted.

    It looks only at its start, and is not restarted while a stream is open or closing. Raises
    `DeviceError` when PortAudio is not installed, or does not start again.
    """
    sounddevice: Any = portaudio()
    with _looking:
        if _streams:
            return False
        try:
            if sounddevice._initialized:  # false after a start that failed
                sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not start again: {error}") from error
    return True
