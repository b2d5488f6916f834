"""A tap on a service's sound, for meters: the card's callback leaves references, nothing more.

What is tapped is what is heard: of us what is sent, so nothing of who is muted; of a peer what is
added to the mix, after its gain. Who looks takes everything since it looked last. Who stops looking
costs no more than the last `KEPT` blocks.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jamlab.audio.pcm import Block

KEPT = 512
"""Blocks kept for who does not look: 0.7 s of 64 frames each."""


class Exchange(NamedTuple):
    """What went past in one callback of the card; nobody may write into it."""

    sent: Block
    heard: Mapping[str, Block]
    """By peer, of the same length; nothing of who was not played."""


class Tap:
    """Exchanges since they were taken last.

    Parameters
    ----------
    on_close : callable
        Is given the tap when it is closed.
    """

    def __init__(self, on_close: Callable[["Tap"], None]) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT)
        self._passed = asyncio.Event()
        self._on_close = on_close

    def note(self, exchange: Exchange) -> None:
        """Keep an exchange; the oldest goes when there are too many."""
        self._exchanges.append(exchange)
        self._passed.set()

    def take(self) -> list[Exchange]:
        """Return what was kept, and keep it no longer."""
        taken = [*self._exchanges]
        self._exchanges.clear()
        return taken

    async def passed(self, within_s: float) -> None:
        """Wait for the next exchange, at most so long.

        Right after one, the card leaves the loop alone for a block.
        """
        self._passed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._passed.wait()

    def close(self) -> None:
        """Keep nothing any more. Closing twice is harmless."""
        self._exchanges.clear()
        self._on_close(self)
