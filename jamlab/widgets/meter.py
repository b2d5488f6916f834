"""Level meters in JupyterLab: a row for everybody in a session, and what they sound like now.

A meter shows what is heard: of a peer the sound after its gain and before the mix, of us what is
sent. How the levels move is `jamlab.audio.ballistics`; they are worked out here, once per update
and for all rows together, never in the card's callback. An update goes to the front end as one
message: names, and the levels of each as 32-bit floats. Everybody's state and figures are a trait,
which changes about once a second.
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
"""Updates a second."""

BALLISTICS = (
    f"dBFS (AES17) · peak IEC 60268-18, falls 20 dB in 1.7 s, held {HOLD_S:g} s · "
    f"RMS IEC 61672-1 F, 125 ms · clip: {CLIP_FRAMES} samples in a row at full scale"
)
"""What the meters say of themselves."""

_UNHEARD_UPDATES = 10
"""So many updates without a block mean that the card has stopped, and silence is what is heard."""


class LevelMeters(anywidget.AnyWidget):
    """Level meters of everybody in a session, or of test signals.

    Parameters
    ----------
    session : JamSession, optional
        Whose participants. It is listened to and nothing else: no card is opened or closed.
    signals : mapping of str to Source, optional
        Named test signals instead. Put one in and its row appears, take one out and it goes.
    spectrum : str
        Whose spectrum is shown below the meters; nobody's by default.

    Raises
    ------
    ValueError
        When it is given neither a session nor signals, or both.

    Attributes
    ----------
    levels : Levels
        What the meters showed last, in the order of `names`.
    history : LevelHistory
        The levels so far, a line a second.
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
        """Whose meters there are, in their order."""
        return self._meters.names

    def start(self) -> None:
        """Begin to move, on the running event loop. Starting twice is harmless.

        Raises
        ------
        RuntimeError
            Where no event loop runs.
        """
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._feed.start()
            self._task = loop.create_task(self._run())

    def stop(self) -> None:
        """Stay as they are. Stopping twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._feed.stop()

    def close(self) -> None:
        """Stop, and take the widget off every page it is on."""
        self.stop()
        super().close()

    def reset(self, name: str | None = None) -> None:
        """Forget the held peaks and clips, of one participant or of all."""
        self._meters.reset(name)

    def update(self) -> None:
        """Show what was heard since the last update; after `start` this happens by itself."""
        for _ in self._steps():
            pass

    # Inside

    def _steps(self) -> Iterator[None]:
        """Update in steps, between which the card is served: each takes a fraction of a block."""
        yield  # so that the first, too, begins right after a callback
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
            log.exception("the meters stop")

    def _note_rows(self) -> None:
        rows = self._feed.rows()
        if rows == self._known:
            return
        self._known = rows
        self._meters.follow([row.name for row in rows])
        self.rows = [asdict(row) for row in rows]

    def _heard(self) -> Sound:
        """Return the sound since the last update; silence when there has been none for a while."""
        sound = self._feed.take(self.names)
        self._unheard = 0 if sound.shape[1] else self._unheard + 1
        if self._unheard <= _UNHEARD_UPDATES:
            return sound
        return np.zeros((len(self.names), SAMPLE_RATE // UPDATE_HZ, CHANNELS), dtype=np.float32)

    def _show(self, sound: Sound) -> None:
        """Tell the front end, unless it knows: nothing is drawn while nothing moves."""
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
        """Do what the front end asks for."""
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
    raise ValueError("level meters need a session or signals: give one of them")


def _packed(levels: Levels) -> bytes:
    """Return peak, RMS, hold and clip of every channel, row by row, as 32-bit floats."""
    parts = levels.peak_dbfs, levels.rms_dbfs, levels.hold_dbfs, levels.clipped
    return np.stack(parts, axis=-1).astype("<f4").tobytes()
