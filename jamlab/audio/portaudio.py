"""Which sound cards there are, by PortAudio, and why one cannot be used, in words.

PortAudio is loaded when it is first asked for: nothing else in jamlab needs it. What it says when
it cannot open a card is for programmers; `explained` turns it into a sentence for who owns the
card.

Four names of sounddevice's are private: `_initialized`, `_terminate` and `_initialize`, for
PortAudio looks for devices only when it starts, and sounddevice starts it once; and
`_exit_handler`, for its end may crash. sounddevice has no public way for either. So its minor
version is pinned in pyproject.toml, and `tests/test_project.py` fails loudly when a name moves.
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
"""The `Device.host` of JACK's."""

CLOSES_IN_S = 2.0
"""How long closing a stream is waited for."""
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
    """A sound card that cannot be used; says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound card in one direction."""

    index: int
    """By which PortAudio knows it, until devices come or go."""
    name: str
    direction: Direction
    channels: int
    """How many it has; of more than two the first two are used, a single one is both."""
    host: str
    """The system's interface it is reached by, e.g. ``"ALSA"`` or ``"Core Audio"``."""

    @property
    def used_channels(self) -> int:
        """Channels that are opened: 1 or 2."""
        return min(self.channels, 2)


def portaudio() -> ModuleType:
    """Return `sounddevice`.

    Raises
    ------
    DeviceError
        When PortAudio is not installed.
    """
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(f"PortAudio is not installed: {PORTAUDIO_REMEDY}") from error
    module: ModuleType = sounddevice
    return module


def devices(direction: Direction) -> list[Device]:
    """Return every device of a direction, in PortAudio's order.

    Raises
    ------
    DeviceError
        When PortAudio is not installed, or another thread has it look anew (`refresh`).
    """
    sounddevice = portaudio()
    try:
        hosts, known = sounddevice.query_hostapis(), sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio cannot list devices now: {error}; try again") from error
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
    """Return a device by its index or by a part of its name, the system's default without either.

    Parameters
    ----------
    wanted : str or int, optional
        An index, as a number or in digits, or a part of a name; upper and lower case are alike. A
        whole name wins over parts of others.
    direction : {"input", "output"}
        What it is for.

    Raises
    ------
    DeviceError
        When there is none, or several fit; names those there are.
    """
    known = devices(direction)
    if not known:
        raise DeviceError(f"this machine has no {direction} device: plug a sound card in")
    fitting = _default(known, direction) if wanted is None else _fitting(known, str(wanted))
    if len(fitting) == 1:
        return fitting[0]
    choice = "; ".join(f"{device.index} {device.name}" for device in fitting or known)
    problem = "several are called" if fitting else "there is none called"
    raise DeviceError(f"as {direction} device {problem} {wanted!r}: choose one of {choice}")


def pair_named(
    wanted_input: str | int | None, wanted_output: str | int | None
) -> tuple[Device, Device]:
    """Return an input and an output that can be opened together; raises as `device_named` does.

    PortAudio opens no pair across two of the system's interfaces, so where only one of the two is
    named, the other is the default of the same interface.

    Raises
    ------
    DeviceError
        Also when both are named, and belong to different interfaces.
    """
    source, output = device_named(wanted_input, "input"), device_named(wanted_output, "output")
    if source.host == output.host:
        return source, output
    if wanted_output is None and (other := _default_of(source.host, "output")):
        return source, other
    if wanted_input is None and (other := _default_of(output.host, "input")):
        return other, output
    raise DeviceError(
        f"the input {source.name!r} is {source.host}'s and the output {output.name!r} is "
        f"{output.host}'s, and PortAudio opens no such pair: choose both of one of them"
    )


def _default_of(host: str, direction: Direction) -> Device | None:
    """Return an interface's default, or its first device, if it has any."""
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
    """Return the system's default, or the first where it has none."""
    index = portaudio().default.device[direction]
    return [device for device in known if device.index == index] or known[:1]


def _fitting(known: list[Device], wanted: str) -> list[Device]:
    if wanted.isdecimal():
        return [device for device in known if device.index == int(wanted)]
    name = wanted.casefold()
    same = [device for device in known if device.name.casefold() == name]
    return same or [device for device in known if name in device.name.casefold()]


def block_sizes(host: str, block_frames: int) -> tuple[int, ...]:
    """Return the block sizes to open a stream of an interface with, the best first.

    0 leaves it to the driver. Asked for JACK's own period by number, PortAudio adapts it to itself,
    which costs a period; so what JACK hands over is looked at first, and asked for only if it is
    not what is wanted.

    Parameters
    ----------
    host : str
        The interface, as in `Device.host`.
    block_frames : int
        The block that is wanted.
    """
    return (0, block_frames) if host == JACK else (block_frames,)


def explained(error: Exception, what: str) -> DeviceError:
    """Return what PortAudio said, in words.

    Parameters
    ----------
    error : Exception
        A ``PortAudioError``.
    what : str
        Which device, as in ``"the input device 'USB Audio'"``.
    """
    text, code, *_ = (*error.args, "", 0)
    why = _EXPLANATIONS.get(int(code or 0), f"cannot be opened: {text}")
    return DeviceError(f"{what} {why}")


_looking = threading.Lock()
_streams: list[Any] = []  # that are open, whoever of this process opened them


def opened(make: Callable[[], Any]) -> Any:
    """Open a stream, after PortAudio has looked for devices if it is just looking.

    Parameters
    ----------
    make : callable
        Makes it; what it raises is passed on.
    """
    with _looking:
        stream = make()
        _streams.append(stream)
    return stream


def close(stream: Any) -> None:
    """Close a stream; a driver whose card has just gone may never come back from that."""
    closing = threading.Thread(target=_close, args=(stream,), daemon=True)
    closing.start()
    closing.join(CLOSES_IN_S)
    if closing.is_alive():
        abandon()


def _close(stream: Any) -> None:
    try:
        stream.close()  # without a word where the card has gone
    finally:
        with _looking:
            _streams[:] = [each for each in _streams if each is not stream]


def abandon() -> None:
    """Do not end PortAudio when the process ends.

    Where the JACK server has gone, PortAudio's own check of that ends the process with a crash.
    """
    sounddevice: Any = portaudio()
    atexit.unregister(sounddevice._exit_handler)


def refresh() -> bool:
    """Let PortAudio look for devices anew, which it does only when it starts.

    So it is ended first, and never under a stream that is open or still being closed: the devices
    that were known remain then.

    Returns
    -------
    bool
        Whether it has looked.

    Raises
    ------
    DeviceError
        When PortAudio is not installed, or does not start again.
    """
    sounddevice: Any = portaudio()
    with _looking:
        if _streams:
            return False
        try:
            if sounddevice._initialized:  # it is not after a start that failed
                sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not start again: {error}") from error
    return True
