"""An event loop whose timers keep to microseconds, and a garbage collector that can wait."""

import asyncio
import gc
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def run_precisely(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine like `asyncio.run`, on a loop whose timers keep to microseconds."""
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        return runner.run(main)


@contextmanager
def collector_paused(collect: bool = True) -> Iterator[None]:
    """Keep Python's garbage collector from running, then leave it as it was.

    It stops everything for milliseconds, and for a tenth of a second when it looks at all there is.
    Those pauses are this interpreter's; no path has them.

    Parameters
    ----------
    collect : bool
        Whether to look at all there is first: not when sound is on that is about to be measured.
    """
    enabled = gc.isenabled()
    if collect:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
