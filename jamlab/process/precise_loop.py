"""An event loop whose timers keep to microseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_precisely(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine like `asyncio.run`, on a loop whose timers keep to microseconds."""
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        return runner.run(main)
