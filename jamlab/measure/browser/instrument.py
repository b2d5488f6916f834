"""The instrument in the pages under test: its script, and calls to it.

``page/*.js`` is what runs in the page. Every frame has an instrument, with a clock of its own.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jamlab.measure.browser.clocks import ContextClock, PageClock, context_clock, page_clock

_SOURCES = ("bytes", "clock", "connections", "microphone", "ear", "levers", "instrument")
_EXCHANGES = 40


def script(
    *,
    injected: bool,
    levers: Mapping[str, Any] = MappingProxyType({}),
    microphone_label: str = "",
) -> str:
    """Return the script that puts the instrument into a page; see ``page/instrument.js``."""
    folder = Path(__file__).parent / "page"
    sources = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SOURCES]
    options = {
        "injected": injected,
        "levers": dict(levers),
        "microphoneLabel": microphone_label,
    }
    call = f"instrument({json.dumps(options)});"
    return "\n".join(["(() => {", *sources, call, "})()"])


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

    def __init__(self, frame: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        self.frame = frame
        self._now_s = now_s
        self._readings: list[tuple[float, float, float]] = []

    async def _call(self, name: str, argument: Any = None) -> Any:
        return await self.frame.evaluate(
            "([name, argument]) => window.jamlabInstrument[name](argument)", [name, argument]
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

    async def play(self, track: NDArray[np.float32], *, loop: bool = False) -> int:
        """Play a mono track at 48 kHz into the microphone; return its first frame.

        With `loop` it is played again and again.
        """
        samples = base64.b64encode(track.tobytes()).decode()
        return int(await self._call("play", {"samples": samples, "loop": loop}))

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
                    np.frombuffer(base64.b64decode(tap["samples"]), dtype="<f4"),
                    context_clock(tap["readings"]),
                )
                for tap in taps
            ],
        )


async def instruments(page: Any, known: Iterable[FrameInstrument] = ()) -> list[FrameInstrument]:
    """Return the instruments of all frames of a page; those known already are kept."""
    kept = {each.frame: each for each in known}
    found = await asyncio.gather(
        *(frame.evaluate("() => Boolean(window.jamlabInstrument)") for frame in page.frames)
    )
    return [
        kept.get(frame) or FrameInstrument(frame)
        for frame, has in zip(page.frames, found, strict=True)
        if has
    ]
