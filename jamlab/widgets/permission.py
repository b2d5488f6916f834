"""Microphone permission in JupyterLab: the question, and an indicator of the answer.

The microphone is that of the machine the kernel runs on, so the question names that machine. The
answer is stored in a `MicrophoneAccess`, which the session's cards check; the widget only displays
it. Answers arrive as custom messages, because these are received while a cell awaits, on any thread
of the kernel, and are handled on the event loop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jamlab.audio.permission import REQUIRED, MicrophoneAccess, PermissionState
from jamlab.audio.portaudio import Device, DeviceError, device_named, devices, refresh
from jamlab.widgets.style import style

NO_INPUT = "this machine has no input device: plug one in, then look again"
IN_USE = "this program is using a sound card: leave its session, then look again"


class MicrophonePermission(anywidget.AnyWidget):
    """Asks for permission to use this machine's microphone, and shows the answer and problems.

    The answer is stored in `access`; give the same object to the card. `problem` says why there is
    no microphone despite the permission. While a card is open (`in_use`), the list of devices is
    not renewed, because that would stop it. Raises `RuntimeError` where no event loop runs.
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
        """Wait for the answer, and return it."""
        while self.access.state is PermissionState.PROMPT:
            self._answered.clear()
            await self._answered.wait()
        return self.access.state

    def on_answer(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Add a listener to answers, called on the event loop; return a function to remove it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Remove the widget from all pages."""
        if self._looking is not None:
            self._looking.cancel()
        super().close()

    # Messages of the front end

    def _hear(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        """Pass a message on to the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop may have been closed just now
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

    # Display

    @property
    def _keys(self) -> list[str]:
        return [shown["key"] for shown in self.inputs]

    def _show(self) -> None:
        self.state = self.access.state.value
        chosen = str(self.access.input_device or "")
        named = [each["key"] for each in self.inputs if chosen in (each["key"], each["name"])]
        self.chosen = named[0] if len(named) == 1 else chosen

    async def _look_again(self) -> None:
        try:
            with ThreadPoolExecutor(1) as thread:  # the restart takes too long for the loop
                looked = await self._loop.run_in_executor(thread, refresh)
            self._list()
            if not looked:
                self.listing = self.listing or IN_USE
        except DeviceError as error:
            self.inputs, self.listing = [], str(error)
        finally:
            self._looking = None

    def _list(self) -> None:
        """List the inputs, or the reason why there are none."""
        try:
            known = devices("input")
            default = device_named(None, "input") if known else None
        except DeviceError as error:
            self.inputs, self.listing = [], str(error)
            return
        self.inputs = [_shown(device, default) for device in known]
        self.listing = "" if known else NO_INPUT


def _shown(device: Device, default: Device | None) -> dict[str, object]:
    """Return a device for the front end; its key identifies it for `device_named`."""
    return {
        "key": device.title,
        "name": device.name,
        "host": device.title.removeprefix(f"{device.name}, "),
        "channels": device.channels,
        "default": device == default,
    }
