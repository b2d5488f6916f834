"""Tap on a service's sound, for level meters: the card's callback only stores references.

A tap has the sound as it is heard: of this participant the sound sent, so silence when muted; of a
peer the sound added to the mix, after its gain. A reader takes everything since its last reading.
A reader that stops costs the memory of the last `KEPT` blocks.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jamlab.audio.pcm import Block

KEPT = 512
"""Blocks kept between two readings: 0.7 s of 64 frames each."""


class Exchange(NamedTuple):
    """Sound of one callback of the card; read-only."""

    sent: Block
    heard: Mapping[str, Block]
    """Blocks of the same length by peer; peers that were not played are missing."""


class Tap:
    """The exchanges since the last reading; `on_close` is called with the tap as it closes."""

    def __init__(self, on_close: Callable[["Tap"], None]) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT)
        self._passed = asyncio.Event()
        self._on_close = on_close

    def note(self, exchange: Exchange) -> None:
        """Store an exchange; beyond `KEPT` the oldest is dropped."""
        self._exchanges.append(exchange)
        self._passed.set()

    def take(self) -> list[Exchange]:
        """Return the stored exchanges, and remove them."""
        taken = [*self._exchanges]
        self._exchanges.clear()
        return taken

    async def passed(self, within_s: float) -> None:
        """Wait for the next exchange, at most `within_s`.

        Right after an exchange the loop has the most time until the card's next callback.
        """
        self._passed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._passed.wait()

    def close(self) -> None:
        """Stop storing exchanges. Closing twice is harmless."""
        self._exchanges.clear()
        self._on_close(self)
