"""What waits for its turn on a simulated loop: asyncio's handle, made and cancelled for less.

asyncio's own asks the loop each time whether it debugs, and tells it of every cancellation. A call
over the simulated internet makes a hundred handles, and is to cost a millisecond.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any


class Handle(asyncio.TimerHandle):
    """A callback for a time, or for the next round; parameters as of asyncio's.

    Which of the two it is says the queue it stands in.
    """

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None = None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = False

    def cancel(self) -> None:
        """Never call back, and let go what the callback held on to."""
        self._cancelled = True
        self._callback, self._args = None, ()
