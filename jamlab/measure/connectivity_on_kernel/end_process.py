"""The process of one end (caller or callee) of a connectivity attempt, or of a session's call.

The process first enters its place, such as a network namespace (`OnHost`), then takes the steps
that its parent requests (`serve_end`), and ends at the request to close or with its parent. A place
is pickled on its way into the process, so it holds little more than names.
"""

import asyncio
import json
import os
import socket
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.ends import AttemptError, End, Level, Log, end_here
from jamlab.measure.connectivity_on_kernel.end_messages import MOST_BYTES, line, packed, unpacked
from jamlab.measure.connectivity_on_kernel.session_end import SESSION, Session, SessionEnd
from jamlab.media.mapped_candidates import MapPort
from jamlab.networks.kernel.lab import KernelHost

Inside: TypeAlias = Callable[[], None]
"""Called in the new process before anything else, e.g. to enter a namespace; can be pickled."""


_StepsTaken: TypeAlias = Mapping[str, Callable[[Any], Awaitable[Any]]]


class _Closable(Protocol):
    async def close(self) -> None: ...


async def serve_end(
    connection: socket.socket,
    side: str,
    configuration: IceConfiguration,
    level: Level | Session,
    inside: Inside,
    outside: str = "",
) -> None:
    """Serve an end to the parent until the parent closes it; `inside` is called first.

    `outside` is the address at which the end's router has mapped the ports of an attempt, if it
    has.
    """
    reader, writer = await asyncio.open_connection(sock=connection, limit=MOST_BYTES)
    try:
        inside()
        end, steps = _made(side, configuration, level, writer, outside)
    except Exception as error:  # the parent waits for an answer, even after an unknown failure
        _send_broken(writer, error)
    else:
        writer.write(line("ready"))
        closing = await _Steps(steps, writer).take(reader)
        # after cancelled gathering, aioice sends on closed sockets
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        if closing is None:
            return  # the parent is gone
        await _close(end, closing, reader, writer)
    writer.close()
    await writer.wait_closed()


def _made(
    side: str,
    configuration: IceConfiguration,
    level: Level | Session,
    writer: StreamWriter,
    outside: str,
) -> tuple[_Closable, _StepsTaken]:
    if level == SESSION:
        session = SessionEnd(
            configuration, lambda candidate: writer.write(line("candidate", candidate))
        )
        return session, session.steps
    end = end_here(side, configuration, level, _ForwardingLog(writer), _mapped_at(outside))
    return end, _steps_of(end)


def _mapped_at(outside: str) -> MapPort:
    return lambda port: (outside, port) if outside else None


class _ForwardingLog(Log):
    """A log that sends its entries to the parent."""

    def __init__(self, writer: StreamWriter) -> None:
        super().__init__()
        self._writer = writer

    def add(self, time_s: float, side: str, kind: str, state: str) -> None:
        self._writer.write(line("state", time_s, kind, state))


class _Steps:
    """Steps of an end, taken as requested, several at a time."""

    def __init__(self, steps: _StepsTaken, writer: StreamWriter) -> None:
        self._steps = steps
        self._writer = writer
        self._under_way: set[Task[None]] = set()

    async def take(self, reader: StreamReader) -> int | None:
        """Take steps until the request to close; return its number, None if the parent is gone."""
        try:
            while request := await reader.readline():
                number, step, argument = json.loads(request)
                if step == "close":
                    return int(number)
                task = asyncio.create_task(self._take(number, step, argument))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            return None
        finally:
            await self._give_up()

    async def _take(self, number: int, step: str, argument: Any) -> None:
        try:
            self._writer.write(line("done", number, await self._steps[step](argument)))
        except AttemptError as failure:
            self._writer.write(line("over", number, failure.stage))
        except Exception as error:  # the parent waits for an answer, even after an unknown failure
            _send_broken(self._writer, error)

    async def _give_up(self) -> None:
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)


def _steps_of(end: End) -> _StepsTaken:
    """Return the steps of an attempt's end, whose arguments and results are JSON types."""

    async def offer(_: Any) -> Any:
        return packed(await end.offer())

    async def answer(offer: Any) -> Any:
        return packed(await end.answer(unpacked(offer)))

    async def accept(answer: Any) -> None:
        await end.accept(unpacked(answer))

    async def selected_pair(_: Any) -> list[str]:
        return [candidate.to_sdp() for candidate in await end.selected_pair()]

    return {
        "offer": offer,
        "answer": answer,
        "accept": accept,
        "connecting": lambda _: end.connecting(),
        "pair_count": lambda _: end.pair_count(),
        "selected_pair": selected_pair,
    }


async def _close(end: _Closable, number: int, reader: StreamReader, writer: StreamWriter) -> None:
    """Close the end; stop when the parent is gone before that is complete."""
    closing, gone = asyncio.create_task(end.close()), asyncio.create_task(reader.read())
    await asyncio.wait((closing, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    closing.cancel()
    await asyncio.wait((closing, gone))
    writer.write(line("done", number, None))


def _send_broken(writer: StreamWriter, error: Exception) -> None:
    writer.write(line("broken", f"{type(error).__name__}: {error}"))


TRUSTED_VARIABLE = "SSL_CERT_FILE"
"""OpenSSL's variable for the file of trusted certificates."""


def here() -> None:
    """Stay in the server's namespace."""


@dataclass(frozen=True)
class OnHost:
    """A place for an end: a host of a lab, with a certificate to trust."""

    host: KernelHost
    certificate_file: str

    def __call__(self) -> None:
        """Enter the host's namespace and trust the certificate."""
        os.environ[TRUSTED_VARIABLE] = self.certificate_file
        self.host.enter()
