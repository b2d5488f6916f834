"""The instrument in the pages under test: its script, and calls to it.

``page/*.js`` is what runs in the page. Every frame has an instrument, with a clock of its own.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from jamlab.browsers.installed import BrowserError
from jamlab.measure.browser.clocks import ContextClock, PageClock, context_clock, page_clock

_SOURCES = (
    *("bytes", "clock", "connections", "microphone", "ear", "contexts", "levers"),
    "instrument",
)
_EXCHANGES = 40
_ANSWER_S = 60.0  # generous: a recording is long, and a machine may be busy


def script(
    *,
    injected: bool,
    recorded: bool,
    levers: Mapping[str, Any] = MappingProxyType({}),
    microphone_label: str = "",
) -> str:
    """Return the script that puts the instrument into a page; see ``page/instrument.js``."""
    folder = Path(__file__).parent / "page"
    sources = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SOURCES]
    options = {
        "injected": injected,
        "recorded": recorded,
        "levers": dict(levers),
        "microphoneLabel": microphone_label,
    }
    call = f"instrument({json.dumps(options)});"
    return "\n".join(["(() => {", *sources, call, "})()"])


@dataclass(frozen=True)
class Track:
    """Sounds that a page plays into its microphone, in turn, each at its onset.

    `sounds` has a row for each of them, mono at 48 kHz; after the last one comes the first again.
    None lasts beyond the track's `length`, in frames. A page gets each sound once: the samples of a
    whole track take it long to read on a busy machine.
    """

    sounds: NDArray[np.float32]
    onsets: Sequence[int]
    length: int

    def message(self) -> dict[str, Any]:
        """Return the track as a page reads it."""
        return {
            "samples": base64.b64encode(self.sounds.tobytes()).decode(),
            "count": len(self.sounds),
            "onsets": [*self.onsets],
            "length": self.length,
        }


@dataclass(frozen=True)
class TapRecording:
    """The sound that one audio context of a page played.

    `samples` is mono, at `rate_hz`; `first` is the context's frame at which it begins.
    """

    kind: str
    rate_hz: float
    first: int
    samples: NDArray[np.float32]
    clock: ContextClock


@dataclass(frozen=True)
class Taken:
    """What a frame emitted and played: the clock of its microphone and its recordings."""

    emitted: ContextClock | None
    taps: list[TapRecording]


class FrameInstrument:
    """The instrument in one frame of a page."""

    def __init__(
        self, frame: Any, born: float = 0.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.frame = frame
        self.born = born
        self._now_s = now_s
        self._readings: list[tuple[float, float, float]] = []

    async def _call(self, name: str, argument: Any = None) -> Any:
        return await _evaluate(
            self.frame,
            "([name, argument]) => window.jamlabInstrument[name](argument)",
            [name, argument],
        )

    async def read_clock(self) -> None:
        """Exchange readings of both clocks, for `clock`."""
        for _ in range(_EXCHANGES):
            before = self._now_s()
            page_ms = await self._call("now")
            self._readings.append((before, page_ms / 1000, self._now_s()))

    @property
    def clock(self) -> PageClock:
        """The page's clock, from all readings so far; raises `ClockError`."""
        return page_clock(self._readings)

    async def stats(self) -> list[dict[str, Any]]:
        """Return the statistics of every connection, in the order they were made."""
        return list(await self._call("stats"))

    async def asked(self) -> list[Any]:
        """Return the audio constraints with which the page asked for a microphone."""
        return list(await self._call("asked"))

    async def secure(self) -> bool:
        """Return whether the browser would give the page a microphone."""
        return bool(await self._call("secure"))

    async def contexts(self) -> list[dict[str, Any]]:
        """Return the audio contexts that the page made; see `context_remarks`."""
        return list(await self._call("contexts"))

    async def play(self, track: Track, *, loop: bool = False) -> int:
        """Play a track into the microphone; return its first frame.

        With `loop` it is played again and again.
        """
        return int(await self._call("play", {**track.message(), "loop": loop}))

    async def record(self, *, on: bool) -> list[dict[str, str]]:
        """Start or end the recording of what the page plays; return its taps and their states."""
        return list(await self._call("record", on))

    async def taken(self) -> Taken:
        """Return the recordings of all taps that heard something, and the microphone's clock."""
        taken = await self._call("taken")
        taps = [tap for tap in taken["taps"] if tap["first"] is not None]
        return Taken(
            context_clock(taken["emitted"]) if taken["emitted"] else None,
            [
                TapRecording(
                    tap["kind"],
                    tap["rate"],
                    tap["first"],
                    samples_of(tap["samples"]),
                    context_clock(tap["readings"]),
                )
                for tap in taps
            ],
        )


def samples_of(text: str) -> NDArray[np.float32]:
    """Return the samples of a page's base64 text."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


async def instruments(
    pages: Iterable[Any], known: Iterable[FrameInstrument] = ()
) -> list[FrameInstrument]:
    """Return the instruments of all frames of pages; those known already are kept.

    A frame that loads another page gets another instrument.
    """
    kept = {(each.frame, each.born): each for each in known}
    frames = [frame for page in pages for frame in page.frames]
    born = await asyncio.gather(*(_born(frame) for frame in frames))
    return [
        kept.get((frame, when)) or FrameInstrument(frame, when)
        for frame, when in zip(frames, born, strict=True)
        if when is not None
    ]


async def _born(frame: Any) -> float | None:
    """Return when the page in a frame was loaded; None when it has no instrument."""
    from playwright.async_api import Error

    try:
        return cast(
            "float | None", await _evaluate(frame, "() => window.jamlabInstrument?.born ?? null")
        )
    except Error:  # the frame is about to load another page, or is gone
        return None


async def _evaluate(frame: Any, expression: str, argument: Any = None) -> Any:
    """Return what an expression evaluates to; raises `BrowserError` when the page is stuck."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await frame.evaluate(expression, argument)
    except TimeoutError as error:
        raise BrowserError(
            f"the page {frame.url} has not answered for {_ANSWER_S:g} s: a script of its own keeps "
            "it busy"
        ) from error
