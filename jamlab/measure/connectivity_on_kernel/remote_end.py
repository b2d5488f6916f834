"""An end of an attempt whose agent is in another process, seen from the process of the attempt.

What is said goes over a socket pair (`jamlab.measure.connectivity_on_kernel.end_messages`). When
the process ends too early, or says what makes no sense, whoever waits for it is told why.
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
"""How long a process has to end by itself: a TURN server may be slow to free an allocation."""


class RemoteEnd:
    """An `End` in another process; made by `opened`.

    Its process ends with it: by `close`, and when this process is gone.
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
        """Return the end at the other end of a connection, as soon as it is ready.

        Parameters
        ----------
        connection : socket
            Belongs to the end from now on.
        side : str
            ``"caller"`` or ``"callee"``.
        log : Log
            Told the end's states.

        Raises
        ------
        jamlab.process.child.ChildError
            When it cannot be made.
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
        """Gather candidates and describe this end."""
        return self._checked(unpacked, await self._ask("offer"))

    async def answer(self, offer: Any) -> Any:
        """Gather candidates, describe this end and begin the checks."""
        return self._checked(unpacked, await self._ask("answer", packed(offer)))

    async def accept(self, answer: Any) -> None:
        """Begin the checks."""
        await self._ask("accept", packed(answer))

    def connecting(self) -> "asyncio.Future[None]":
        """Return what is done when this end is connected; fails with `AttemptError`."""
        return asyncio.ensure_future(self._ask("connecting"))

    async def pair_count(self) -> int:
        """Return how many candidate pairs there are (RFC 8445 §6.1.2)."""
        return self._checked(partial(read, kind=int), await self._ask("pair_count"))

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        """Return the local and the remote candidate, once connected."""
        return self._checked(pair, await self._ask("selected_pair"))

    async def close(self) -> None:
        """End the process; whoever still waits for it is told that it has ended."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._ask("close")
                await asyncio.wait((self._listening,))
        except (ChildError, TimeoutError):
            pass  # it ends when it sees that we are gone
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
                while said := await reader.readline():
                    self._hear(said)
        except ValueError as error:
            fault = f"made no sense: {error}"
        finally:  # also when it is cancelled: nobody is to wait for what is not listened to
            self._lose(self._fault or fault)

    def _hear(self, said: bytes) -> None:
        match message(said):
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
            self._fault = f"made no sense: {error}"
            raise self._error() from None

    def _error(self) -> ChildError:
        return ChildError(f"the {self._side}'s end", self._fault)


def _settle(waiting: "Future[Any] | None", result: Any) -> None:
    """Give a future its result or its exception, unless nobody waits for it any more."""
    if waiting is None or waiting.done():
        return
    if isinstance(result, Exception):
        waiting.set_exception(result)
    else:
        waiting.set_result(result)
