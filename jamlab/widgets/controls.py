"""Controls of the session panel: join and leave, mute, gains, quality, warnings.

The widget has no session. Each user action is passed to one callback on the event loop, whichever
thread the kernel receives messages on; the displayed state is in traits.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jamlab.media.quality import QUALITIES
from jamlab.mesh.controls import MAX_GAIN_DB, MIN_GAIN_DB
from jamlab.widgets.style import style

TITLE = "Jam session"
"""Title of a panel outside of a session."""


class SessionControls(anywidget.AnyWidget):
    """Buttons, sliders and warnings of a session panel.

    `on_action` is called on the running event loop with a user action: a mapping with a ``kind``,
    not validated. Raises `RuntimeError` where no event loop runs.
    """

    _esm = Path(__file__).parent / "controls.js"
    _css = style("controls")

    title = traitlets.Unicode(TITLE).tag(sync=True)
    stage = traitlets.Enum(("out", "joining", "in", "leaving"), "out").tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    muted = traitlets.Bool().tag(sync=True)
    quality = traitlets.Unicode().tag(sync=True)
    qualities = traitlets.List([*QUALITIES], read_only=True).tag(sync=True)
    range_db = traitlets.List([MIN_GAIN_DB, MAX_GAIN_DB], read_only=True).tag(sync=True)
    peers = traitlets.List(traitlets.Dict()).tag(sync=True)
    warnings = traitlets.List(traitlets.Dict()).tag(sync=True)
    news = traitlets.Unicode().tag(sync=True)

    def __init__(self, on_action: Callable[[Mapping[str, Any]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_action = on_action
        super().__init__()
        self.on_msg(self._hear)

    def _hear(self, _widget: object, content: Any, _buffers: object) -> None:
        if isinstance(content, Mapping):
            with contextlib.suppress(RuntimeError):  # the loop may have been closed just now
                self._loop.call_soon_threadsafe(self._on_action, content)
