"""Sound cards known to PortAudio, and its errors as sentences for the user.

PortAudio is loaded on first use, because nothing else in jamlab needs it. Its own error messages
are for programmers; `explained` turns them into sentences for the owner of the card.

A device is identified by its `title`, its name and its host interface, because PortAudio's numbers
shift when devices, or other programs on the same sound system, come and go.

Five names of sounddevice's are private: `_initialized`, `_terminate` and `_initialize`, because
PortAudio looks for devices only at its start, and sounddevice starts it once; `_exit_handler`,
because the end of PortAudio may crash; and `_ffi_string`, because sounddevice lists and opens
nothing while one device's name is not UTF-8. sounddevice has no public name for these. So its minor
version is pinned in pyproject.toml, and `tests/test_project.py` fails when a name changes.
"""

from __future__ import annotations

import atexit
import locale
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from jamlab.audio.pcm import SAMPLE_RATE

Direction: TypeAlias = Literal["input", "output"]

JACK, ALSA = "JACK Audio Connection Kit", "ALSA"
"""`Device.host` of devices of JACK and of ALSA."""

_LOW_LATENCY = "ASIO", "Windows WASAPI", "Windows WDM-KS"
_BETTER = {
    ALSA: (JACK,),
    "OSS": (JACK,),
    "PulseAudio": (JACK,),
    "MME": _LOW_LATENCY,
    "Windows DirectSound": _LOW_LATENCY,
    "Windows WASAPI": ("ASIO",),
}
"""Host interfaces with a lower latency than another, the best first."""

_LEAST_RATE, _MOST_RATE = 8_000, 768_000

CLOSES_IN_S = 2.0
"""Time limit for closing a stream."""
PORTAUDIO_REMEDY = (
    "apt-get install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora), "
    "brew install portaudio (macOS)"
)

_INVALID_RATE, _INVALID_DEVICE, _UNAVAILABLE = -9997, -9996, -9985
_EXPLANATIONS = {
    _INVALID_RATE: f"runs neither at {SAMPLE_RATE} Hz nor at its own rate: set it to 48 kHz in the "
    "system's settings",
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
    """PortAudio's host API, the host interface, e.g. ``"ALSA"`` or ``"Core Audio"``."""
    number: int = 0
    """Place among the devices with this name on this host interface; 0 for the only one."""
    rate: float = SAMPLE_RATE
    """Its default rate, in frames per second."""

    @property
    def title(self) -> str:
        """Name and host interface, by which `device_named` finds the device again."""
        return f"{self.name}, {self.host}" + (f" #{self.number}" if self.number else "")

    @property
    def is_plug_in(self) -> bool:
        """Whether it is a plug-in of ALSA's, e.g. for PulseAudio, and not a card: "(hw:0,0)"."""
        return self.host == ALSA and "(hw:" not in self.name

    @property
    def used_channels(self) -> int:
        """Number of channels that are opened: 1 or 2."""
        return min(self.channels, 2)


def portaudio() -> ModuleType:
    """Return `sounddevice`; raises `DeviceError` when PortAudio is not installed, or fails."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(f"PortAudio is not installed: {PORTAUDIO_REMEDY}") from error
    except Exception as error:
        raise DeviceError(
            f"PortAudio does not start ({error}): check that the sound system runs"
        ) from error
    module: ModuleType = sounddevice
    if (read_bytes := getattr(module, "_ffi_string", None)) not in (None, _utf8):
        _read_bytes.append(read_bytes)
        vars(module)["_ffi_string"] = _utf8
    return module


_read_bytes: list[Callable[[Any], bytes]] = []  # sounddevice's own function, once it is replaced


def _utf8(text: Any) -> bytes:
    """Return a text of PortAudio's as UTF-8, whatever its encoding."""
    return in_utf8(_read_bytes[-1](text))


def in_utf8(raw: bytes) -> bytes:
    """Return UTF-8 as it is, and other bytes in the locale's encoding, or else as escapes."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode(locale.getencoding(), "backslashreplace").encode()
    return raw


def devices(direction: Direction) -> list[Device]:
    """Return every device of a direction, in PortAudio's order.

    Raises `DeviceError` when PortAudio is not installed or cannot list them, as while another
    thread is in `refresh`.
    """
    sounddevice = portaudio()
    with _listing():
        hosts = [host["name"] for host in sounddevice.query_hostapis()]
        known = [
            Device(
                found["index"],
                found["name"],
                direction,
                found[f"max_{direction}_channels"],
                hosts[found["hostapi"]],
                rate=found.get("default_samplerate", SAMPLE_RATE),
            )
            for found in sounddevice.query_devices()
        ]
    return _numbered([device for device in known if device.channels > 0])


@contextmanager
def _listing() -> Iterator[None]:
    """Turn any error into `DeviceError`: PortAudio's own, and of what it read from drivers."""
    try:
        yield
    except DeviceError:
        raise
    except Exception as error:
        raise DeviceError(f"PortAudio cannot list devices now ({error}): try again") from error


def _numbered(known: list[Device]) -> list[Device]:
    """Return the devices, with numbers where several have the same title."""
    titles = Counter(device.title.casefold() for device in known)
    met: Counter[str] = Counter()
    for at, device in enumerate(known):
        title = device.title.casefold()
        if titles[title] > 1:
            met[title] += 1
            known[at] = replace(device, number=met[title])
    return known


def device_named(wanted: str | int | None, direction: Direction) -> Device:
    """Return a device by its name, title or index; by default the system's default device.

    Case does not matter, parts of a name or title suffice, and a whole one takes precedence over
    parts of others. An index may be in digits. Raises `DeviceError`, with a list of the devices'
    titles, when not exactly one matches.
    """
    known = devices(direction)
    if not known:
        raise DeviceError(f"this machine has no {direction} device: plug a sound card in")
    fitting = _default(known, direction) if wanted is None else _fitting(known, str(wanted))
    if len(fitting) == 1:
        return fitting[0]
    choice = "; ".join(device.title for device in fitting or known)
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
    with _listing():
        hosts = portaudio().query_hostapis()
    defaults = [found[f"default_{direction}_device"] for found in hosts if found["name"] == host]
    return next(
        (device for device in of_host if device.index in defaults), next(iter(of_host), None)
    )


def _default(known: list[Device], direction: Direction) -> list[Device]:
    """Return the system's default device, or else the first."""
    with _listing():
        index = portaudio().default.device[direction]
    return [device for device in known if device.index == index] or known[:1]


def _fitting(known: list[Device], wanted: str) -> list[Device]:
    if wanted.isdecimal():
        return [device for device in known if str(device.index) == wanted]
    text = wanted.casefold()
    names = {device: device.name.casefold() for device in known}
    titles = {device: device.title.casefold() for device in known}
    return (
        [device for device in known if titles[device] == text]
        or [device for device in known if names[device] == text]
        or [device for device in known if text in names[device]]
        or [device for device in known if text in titles[device]]
    )


def better_host(device: Device) -> str | None:
    """Return the host interface of this machine that has a lower latency than a device's, if any.

    A card of ALSA's is as fast as JACK; its plug-ins for sound servers are not.
    """
    if device.host == ALSA and not device.is_plug_in:
        return None
    try:
        there = {other.host for other in devices(device.direction)}
    except DeviceError:
        return None
    return next((host for host in _BETTER.get(device.host, ()) if host in there), None)


def block_sizes(host: str, block_frames: int) -> tuple[int, ...]:
    """Return the block sizes to open a stream with, the best first.

    0 leaves the size to the driver. When JACK's own period is requested as a number, PortAudio
    still buffers it, which costs a period. So a stream of JACK's is first opened with 0, and with a
    number only if JACK's period differs from the wanted block.
    """
    return (0, block_frames) if host == JACK else (block_frames,)


def explained(error: Exception, what: str) -> DeviceError:
    """Return an error of PortAudio's as a sentence on `what`, e.g. ``"the input device 'USB'"``."""
    code = code_of(error)
    text = error.args[0] if code else error
    return DeviceError(f"{what} {_EXPLANATIONS.get(code, f'cannot be opened: {text}')}")


def code_of(error: Exception) -> int:
    """Return PortAudio's number of an error; 0 without any."""
    code = error.args[1] if len(error.args) > 1 else 0
    return code if isinstance(code, int) else 0


def rates_of(*known: Device) -> list[float]:
    """Return the rates to open devices at together, the best first; no driver's 0 or infinity."""
    stated = [device.rate for device in known if _LEAST_RATE <= device.rate <= _MOST_RATE]
    return list(dict.fromkeys([SAMPLE_RATE, *stated, 44_100]))


def at_first_rate(rates: list[float], attempt: Callable[[float], Any]) -> Any:
    """Return what `attempt` returns at the first rate that the device runs at."""
    for rate in rates[:-1]:
        try:
            return attempt(rate)
        except Exception as error:
            if code_of(error) != _INVALID_RATE:
                raise
    return attempt(rates[-1])


_looking = threading.Lock()
_streams: list[Any] = []  # all open streams of this process
_leaving = threading.Event()


def opened(make: Callable[[], Any]) -> Any:
    """Open a stream by calling `make`, after any `refresh` under way."""
    with _looking:
        stream = make()
        _streams.append(stream)
    return stream


def close(stream: Any, host: str) -> None:
    """Close a stream of a host interface, unless that may abort the process.

    Closing has a time limit, because the driver of a card just unplugged may never return.
    """
    if _leaving.is_set() or (host == JACK and _is_pipewires()):
        return abandon()  # an assertion of PortAudio's fails there while it unregisters ports
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


def leave_open() -> None:
    """Close no stream from now on, because the process ends soon and closing may abort it."""
    _leaving.set()


def _is_pipewires(maps: Path = Path("/proc/self/maps")) -> bool:
    """Return whether JACK's library in this process is PipeWire's, as with ``pw-jack``."""
    try:
        lines = maps.read_text(errors="replace").splitlines()
    except OSError:  # no Linux
        return False
    return any("libjack" in line and "pipewire" in line for line in lines)


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
        except Exception as error:  # its own, and of the text of its own
            raise DeviceError(f"PortAudio does not start again: {error}") from error
    return True
