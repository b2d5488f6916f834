"""An event loop with timers accurate to microseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_precisely(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine like `asyncio.run`, on a loop with timers accurate to microseconds.

    asyncio's default selector on Linux, epoll, rounds every timeout up to a millisecond.
    """
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        return runner.run(main)
