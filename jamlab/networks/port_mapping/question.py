"""A question to a router over UDP, asked again until it is answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from jamlab.networks.port_mapping.mapping import Address, NoAnswerError

T = TypeVar("T")

WAITS_S = (0.25, 0.5, 1.0, 2.0)
"""Waits for an answer before the question is asked again; they double (RFC 6886 §3.1)."""


async def ask(
    router: Address,
    own: str,
    request: bytes,
    read: Callable[[bytes], T | None],
    waits_s: Sequence[float] = WAITS_S,
) -> T:
    """Return the first answer that `read` understands.

    The socket is connected, so the system drops datagrams from anybody but the router's port.
    Raises `NoAnswerError` when none comes in time, when nobody listens there, or the address `own`
    is gone.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T | None] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Answers(read, answered), local_addr=(own, 0), remote_addr=router
        )
    except OSError as error:
        raise NoAnswerError(f"{router[0]} cannot be asked: {error.strerror}") from error
    try:
        for wait_s in waits_s:
            transport.sendto(request)
            done, _ = await asyncio.wait({answered}, timeout=wait_s)
            if done:
                break
    finally:
        transport.close()
    answer = answered.result() if answered.done() else None
    if answer is None:
        raise NoAnswerError(f"{router[0]} does not answer at port {router[1]}")
    return answer


class _Answers(asyncio.DatagramProtocol, Generic[T]):
    """Sets a future to the first answer that can be read, or to None when nobody listens."""

    def __init__(
        self, read: Callable[[bytes], T | None], answered: "asyncio.Future[T | None]"
    ) -> None:
        self._read = read
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        """Take a datagram (asyncio calls this)."""
        answer = self._read(data)
        if answer is not None:
            self._set(answer)

    def error_received(self, exc: Exception) -> None:
        """Take the news that nobody listens (asyncio calls this)."""
        if isinstance(exc, ConnectionRefusedError):
            self._set(None)

    def _set(self, answer: T | None) -> None:
        if not self._answered.done():
            self._answered.set_result(answer)
