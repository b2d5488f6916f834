"""Level meters in JupyterLab: a row of meters for each participant of a session.

A peer's meter shows its sound after the gain and before the mix, the participant's own meter the
sound sent. The ballistics are in `jamlab.audio.ballistics`; levels are computed here, once per
update for all rows together, never in the card's callback. An update is one message to the front
end: names, and their levels as 32-bit floats. States and figures are a trait, which changes about
once a second.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from jamlab.audio.analyser import Analyser
from jamlab.audio.ballistics import CLIP_FRAMES, HOLD_S, Ballistics, Levels, Sound
from jamlab.audio.card import Source
from jamlab.audio.level_history import LevelHistory
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE
from jamlab.mesh.session import JamSession
from jamlab.widgets.feeds import Feed, MeterRow, SessionFeed, SignalFeed
from jamlab.widgets.style import style

log = logging.getLogger(__name__)

UPDATE_HZ = 30

BALLISTICS = (
    f"dBFS (AES17) · peak IEC 60268-18, falls 20 dB in 1.7 s, held {HOLD_S:g} s · "
    f"RMS IEC 61672-1 F, 125 ms · clip: {CLIP_FRAMES} samples in a row at full scale"
)
"""Description of the ballistics below the meters."""

_UNHEARD_UPDATES = 10
"""Updates without a block after which the card counts as stopped, and the meters show silence."""


class LevelMeters(anywidget.AnyWidget):
    """Level meters of all participants of a session, or of test signals.

    A session is only observed: no card is opened or closed. Signals, by name, may be added and
    removed at any time. `spectrum` is the name of the participant whose spectrum is shown below the
    meters. `levels` is in the order of `names`, `history` has one line per second. Raises
    `ValueError` when neither a session nor signals are given, or both.
    """

    _esm = Path(__file__).parent / "meter.js"
    _css = style("meter")

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    spectrum = traitlets.Unicode().tag(sync=True)
    ballistics = traitlets.Unicode(BALLISTICS, read_only=True).tag(sync=True)

    def __init__(
        self,
        session: JamSession | None = None,
        *,
        signals: Mapping[str, Source] | None = None,
        spectrum: str = "",
    ) -> None:
        self._task: asyncio.Task[None] | None = None
        self._feed = _feed_of(session, signals)
        self._meters = Ballistics()
        self._analyser = Analyser()
        self._known: list[MeterRow] | None = None
        self._unheard = 0
        self._shown: tuple[object, ...] = ()
        self.history = LevelHistory()
        self.levels = self._meters.read(np.zeros((0, 0, CHANNELS), dtype=np.float32))
        super().__init__(spectrum=spectrum)
        self.on_msg(self._hear)
        self._note_rows()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows, in order."""
        return self._meters.names

    def start(self) -> None:
        """Start updates, unless started; raises `RuntimeError` where no event loop runs."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._feed.start()
            self._task = loop.create_task(self._run())

    def stop(self) -> None:
        """Stop updates; the display stays. Stopping twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._feed.stop()

    def close(self) -> None:
        """Stop updates, and remove the widget from all pages."""
        self.stop()
        super().close()

    def reset(self, name: str | None = None) -> None:
        """Reset the held peaks and clips of one participant, or of all."""
        self._meters.reset(name)

    def update(self) -> None:
        """Show the levels since the last update; after `start` this is automatic."""
        for _ in self._steps():
            pass

    # Inside

    def _steps(self) -> Iterator[None]:
        """Update in steps, each shorter than a block, with callbacks of the card in between."""
        yield  # so that the first step, too, begins right after a callback
        self._note_rows()
        yield
        sound = self._heard()
        yield
        self.levels = self._meters.read(sound)
        yield
        self.history.note(self.names, self._meters.last)
        self._show(sound)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        try:
            while True:
                for _ in self._steps():
                    await self._feed.pause()
                due_s = max(due_s + 1 / UPDATE_HZ, loop.time())
                await asyncio.sleep(due_s - loop.time())
        except Exception:
            log.exception("the level meters have stopped after an error")

    def _note_rows(self) -> None:
        rows = self._feed.rows()
        if rows == self._known:
            return
        self._known = rows
        self._meters.follow([row.name for row in rows])
        self.rows = [asdict(row) for row in rows]

    def _heard(self) -> Sound:
        """Return the sound since the last update; silence after several updates without sound."""
        sound = self._feed.take(self.names)
        self._unheard = 0 if sound.shape[1] else self._unheard + 1
        if self._unheard <= _UNHEARD_UPDATES:
            return sound
        return np.zeros((len(self.names), SAMPLE_RATE // UPDATE_HZ, CHANNELS), dtype=np.float32)

    def _show(self, sound: Sound) -> None:
        """Send the levels to the front end if they have changed."""
        parts = [_packed(self.levels)]
        if self.spectrum in self.names:
            heard = sound[self.names.index(self.spectrum)]
            parts.append(self._analyser.read(heard).astype(np.float32).tobytes())
        if (self.names, *parts) != self._shown:
            self._shown = self.names, *parts
            self.send({"kind": "levels", "names": self.names}, parts)

    @traitlets.observe("spectrum")
    def _begin_spectrum(self, _change: object) -> None:
        self._analyser = Analyser()

    def _hear(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        """Handle a message of the front end."""
        match content:
            case {"kind": "ready"}:
                self._shown = ()
            case {"kind": "reset", "name": str(name)}:
                self.reset(name or None)
            case {"kind": "spectrum", "name": str(name)}:
                self.spectrum = name


def _feed_of(session: JamSession | None, signals: Mapping[str, Source] | None) -> Feed:
    if session is not None and signals is None:
        return SessionFeed(session)
    if signals is not None and session is None:
        return SignalFeed(signals)
    raise ValueError("level meters need either a session or signals: give one of them")


def _packed(levels: Levels) -> bytes:
    """Return peak, RMS, hold and clip of each channel as 32-bit floats, row by row."""
    parts = levels.peak_dbfs, levels.rms_dbfs, levels.hold_dbfs, levels.clipped
    return np.stack(parts, axis=-1).astype("<f4").tobytes()
