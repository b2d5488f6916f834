"""A proxy of an end (caller or callee) in another process.

Messages go over a socket pair (`jamlab.measure.connectivity_on_kernel.end_messages`). When the
process ends too early or sends an invalid message, all pending calls raise the reason.
"""

import asyncio
import contextlib
import itertools
import socket
from asyncio import Future, Queue, StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from jamlab.measure.connectivity.ends import AttemptError, Log
from jamlab.measure.connectivity_on_kernel.end_messages import (
    MOST_BYTES,
    Broken,
    Done,
    Found,
    Over,
    Ready,
    State,
    line,
    message,
)
from jamlab.process.child import ChildError

T = TypeVar("T")

CLOSING_S = 10.0
"""Time for a process to end by itself: a TURN server may be slow to free an allocation."""


class RemoteProcess:
    """The process of an end, which takes steps on request; made by `opened`.

    That process ends at `close`, and with this process.
    """

    def __init__(self, side: str, log: Log, reader: StreamReader, writer: StreamWriter) -> None:
        self._side = side
        self._log = log
        self._writer = writer
        self._ready: Future[None] = asyncio.get_running_loop().create_future()
        self._asked: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._candidates: Queue[Mapping[str, Any] | None] = Queue()
        self._fault = ""
        self._listening = asyncio.create_task(self._listen(reader))

    @classmethod
    async def opened(cls, connection: socket.socket, side: str, log: Log) -> Self:
        """Return the end behind a connection, once it is ready; it owns the connection from now on.

        `side` is ``"caller"`` or ``"callee"``. Raises `ChildError` when the end cannot be made.
        """
        reader, writer = await asyncio.open_connection(sock=connection, limit=MOST_BYTES)
        end = cls(side, log, reader, writer)
        try:
            await end._ready
        except BaseException:
            await end.close()
            raise
        return end

    async def call(self, step: str, argument: Any = None) -> Any:
        """Take a step, and return its result; raises `AttemptError` or `ChildError`."""
        if self._fault:
            raise self._error()
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._writer.write(line(number, step, argument))
        try:
            return await answer
        finally:
            del self._asked[number]

    async def candidate(self) -> Mapping[str, Any] | None:
        """Wait for the next candidate for the peer (``RTCIceCandidateInit``)."""
        return await self._candidates.get()

    async def close(self) -> None:
        """End the process; pending calls raise `ChildError`."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await self.call("close")
                await asyncio.wait((self._listening,))
        except (ChildError, TimeoutError):
            pass  # it ends once the connection is closed
        finally:
            self._writer.close()
            await asyncio.wait((self._listening,))

    async def _listen(self, reader: StreamReader) -> None:
        fault = "ended in the middle of an attempt"
        try:
            with contextlib.suppress(ConnectionError):
                while received := await reader.readline():
                    self._take(received)
        except ValueError as error:
            fault = f"sent an invalid message: {error}"
        finally:  # also after cancelling: a pending call would wait for ever
            self._lose(self._fault or fault)

    def _take(self, received: bytes) -> None:
        match message(received):
            case Ready():
                _settle(self._ready, None)
            case State(time_s, kind, state):
                self._log.add(time_s, self._side, kind, state)
            case Found(candidate):
                self._candidates.put_nowait(candidate)
            case Done(number, result):
                _settle(self._asked.get(number), result)
            case Over(number, stage):
                _settle(self._asked.get(number), AttemptError(stage))
            case Broken(reason):
                self._lose(f"failed: {reason}")

    def _lose(self, fault: str) -> None:
        self._fault = fault
        for waiting in (self._ready, *self._asked.values()):
            _settle(waiting, self._error())

    def checked(self, reader: Callable[[Any], T], result: Any) -> T:
        """Return a result that was read; if the reader refuses it, the process is at fault."""
        try:
            return reader(result)
        except ValueError as error:
            self._fault = f"sent an invalid message: {error}"
            raise self._error() from None

    def _error(self) -> ChildError:
        return ChildError(f"the {self._side}'s end", self._fault)


def _settle(waiting: "Future[Any] | None", result: Any) -> None:
    """Set a future's result or exception, unless it is done or no longer pending."""
    if waiting is None or waiting.done():
        return
    if isinstance(result, Exception):
        waiting.set_exception(result)
    else:
        waiting.set_result(result)
