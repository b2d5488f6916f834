"""The question for the microphone, in JupyterLab, and what it has come to.

It is the microphone of the machine the kernel runs on that is asked for, so that machine is named.
What is answered goes into a `MicrophoneAccess`, which the session's cards ask; the widget only
shows it. Answers come as custom messages, which get through while a cell awaits, on whatever thread
the kernel takes them, and are acted on in the event loop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jamlab.audio.permission import REQUIRED, MicrophoneAccess, PermissionState
from jamlab.audio.portaudio import Device, DeviceError, device_named, devices, refresh
from jamlab.widgets.style import style

NO_INPUT = "this machine has no input device: plug one in, then look again"
IN_USE = "a sound card is at work in this program: leave its session, then look again"


class MicrophonePermission(anywidget.AnyWidget):
    """Asks whether this machine's microphone may be used, and shows when there is none.

    Parameters
    ----------
    access : MicrophoneAccess, optional
        Where the answer is kept; give the same one to the card.

    Raises
    ------
    RuntimeError
        Where no event loop runs.

    Attributes
    ----------
    problem : str
        Why there is no microphone although it was allowed; empty when there is one.
    in_use : bool
        Whether a card is at work: devices are not looked for anew then, which would stop it.
    """

    _esm = Path(__file__).parent / "permission.js"
    _css = style("permission")

    sentence = traitlets.Unicode(REQUIRED, read_only=True).tag(sync=True)
    machine = traitlets.Unicode(read_only=True).tag(sync=True)
    state = traitlets.Unicode(PermissionState.PROMPT).tag(sync=True)
    inputs = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True)
    listing = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    in_use = traitlets.Bool().tag(sync=True)

    def __init__(self, access: MicrophoneAccess | None = None) -> None:
        self._looking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.access = access or MicrophoneAccess()
        self._answered = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        super().__init__()
        self.set_trait("machine", socket.gethostname())
        self.on_msg(self._hear)
        self._list()
        self._show()

    async def asked(self) -> PermissionState:
        """Wait until it is answered; returns at once when it was."""
        while self.access.state is PermissionState.PROMPT:
            self._answered.clear()
            await self._answered.wait()
        return self.access.state

    def on_answer(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` on the event loop after each answer; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Ask no more, and take the widget off every page it is on."""
        if self._looking is not None:
            self._looking.cancel()
        super().close()

    # What the front end asks for

    def _hear(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        """Pass a message on to the event loop, from whatever thread."""
        with contextlib.suppress(RuntimeError):  # the loop may just be closed
            self._loop.call_soon_threadsafe(self._do, content)

    def _do(self, content: Mapping[str, Any]) -> None:
        match content:
            case {"kind": "allow", "input": str(key)} if key in ("", *self._keys):
                self.access.allow(key or None)
            case {"kind": "deny"}:
                self.access.deny()
            case {"kind": "listen only"}:
                self.access.listen_only()
            case {"kind": "look again"} if not self.in_use and self._looking is None:
                self._looking = self._loop.create_task(self._look_again())
                return
            case _:
                return
        self._answer()

    def _answer(self) -> None:
        self.problem = ""
        self._show()
        self._answered.set()
        for listener in [*self._listeners]:
            listener()

    # What it shows

    @property
    def _keys(self) -> list[str]:
        return [shown["key"] for shown in self.inputs]

    def _show(self) -> None:
        self.state = self.access.state.value
        self.chosen = str(self.access.input_device or "")

    async def _look_again(self) -> None:
        try:
            with ThreadPoolExecutor(1) as thread:  # PortAudio takes its time to look
                looked = await self._loop.run_in_executor(thread, refresh)
            self._list()
            if not looked:
                self.listing = self.listing or IN_USE
        except DeviceError as error:
            self.inputs, self.listing = [], str(error)
        finally:
            self._looking = None

    def _list(self) -> None:
        """List the inputs, or say why there is none."""
        try:
            known = devices("input")
            default = device_named(None, "input") if known else None
        except DeviceError as error:
            self.inputs, self.listing = [], str(error)
            return
        self.inputs = [_shown(device, known, default) for device in known]
        self.listing = "" if known else NO_INPUT


def _shown(device: Device, known: Sequence[Device], default: Device | None) -> dict[str, object]:
    """Return a device as the front end shows it; its key is what finds it again."""
    alike = [other for other in known if other.name.casefold() == device.name.casefold()]
    by_name = len(alike) == 1 and not device.name.isdecimal()
    return {
        "key": device.name if by_name else str(device.index),
        "name": device.name,
        "host": device.host,
        "channels": device.channels,
        "default": device == default,
    }
