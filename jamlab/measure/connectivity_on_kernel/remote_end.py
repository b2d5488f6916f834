"""A proxy of an attempt's end (caller or callee) whose ICE agent is in another process.

Messages go over a socket pair (`jamlab.measure.connectivity_on_kernel.end_messages`). When the
process ends too early or sends an invalid message, all pending calls raise the reason.
"""

import asyncio
import contextlib
import itertools
import socket
from asyncio import Future, StreamReader, StreamWriter
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aioice import Candidate

from jamlab.fields import read
from jamlab.measure.connectivity.ends import AttemptError, Log
from jamlab.measure.connectivity_on_kernel.end_messages import (
    MOST_BYTES,
    Broken,
    Done,
    Over,
    Ready,
    State,
    line,
    message,
    packed,
    pair,
    unpacked,
)
from jamlab.process.child import ChildError

T = TypeVar("T")

CLOSING_S = 10.0
"""Time for a process to end by itself: a TURN server may be slow to free an allocation."""


class RemoteEnd:
    """An `End` in another process; made by `opened`.

    That process ends at `close`, and with this process.
    """

    def __init__(self, side: str, log: Log, reader: StreamReader, writer: StreamWriter) -> None:
        self._side = side
        self._log = log
        self._writer = writer
        self._ready: Future[None] = asyncio.get_running_loop().create_future()
        self._asked: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._fault = ""
        self._listening = asyncio.create_task(self._listen(reader))

    @classmethod
    async def opened(cls, connection: socket.socket, side: str, log: Log) -> "RemoteEnd":
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

    async def offer(self) -> Any:
        """Gather candidates and return the offer."""
        return self._checked(unpacked, await self._ask("offer"))

    async def answer(self, offer: Any) -> Any:
        """Gather candidates, begin the connectivity checks and return the answer."""
        return self._checked(unpacked, await self._ask("answer", packed(offer)))

    async def accept(self, answer: Any) -> None:
        """Take the answer and begin the connectivity checks."""
        await self._ask("accept", packed(answer))

    def connecting(self) -> "asyncio.Future[None]":
        """Return a future that is done once this end is connected, or fails with `AttemptError`."""
        return asyncio.ensure_future(self._ask("connecting"))

    async def pair_count(self) -> int:
        """Return the number of candidate pairs in the checklist (RFC 8445 §6.1.2)."""
        return self._checked(partial(read, kind=int), await self._ask("pair_count"))

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        """Return the selected pair, local and remote, once connected."""
        return self._checked(pair, await self._ask("selected_pair"))

    async def close(self) -> None:
        """End the process; pending calls raise `ChildError`."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._ask("close")
                await asyncio.wait((self._listening,))
        except (ChildError, TimeoutError):
            pass  # it ends once the connection is closed
        finally:
            self._writer.close()
            await asyncio.wait((self._listening,))

    async def _ask(self, step: str, argument: Any = None) -> Any:
        if self._fault:
            raise self._error()
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._writer.write(line(number, step, argument))
        try:
            return await answer
        finally:
            del self._asked[number]

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

    def _checked(self, reader: Callable[[Any], T], result: Any) -> T:
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
