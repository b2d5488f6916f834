"""Offer/answer negotiation and candidates of one connection, one step at a time.

Each step runs in a task of its own, to its end, because aiortc leaks sockets when it is cancelled
or closed while it gathers candidates. A cancelled caller only stops waiting, and closing waits for
the current step.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiortc import RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError

from jamlab.media.quality import Quality
from jamlab.media.sdp import with_opus_parameters
from jamlab.mesh.connection.description import MAX_CANDIDATES
from jamlab.mesh.connection.errors import (
    MalformedCandidateError,
    MalformedDescriptionError,
    PeerClosedError,
    UnexpectedDescriptionError,
)

Result = TypeVar("Result")


class Negotiation:
    """The negotiation of one connection.

    Every step raises `PeerClosedError` when `close` is called before its end. The owner of the
    connection closes it, after `close`.
    """

    def __init__(self, peer_id: str, connection: RTCPeerConnection, quality: Quality) -> None:
        self._peer_id = peer_id
        self._connection = connection
        self._quality = quality
        self._early_candidates: list[RTCIceCandidate | None] = []
        self._candidates = 0
        self._turn = asyncio.Lock()
        self._steps: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def offer(self) -> dict[str, str]:
        """Gather candidates and return our offer."""
        return await self._step(self._make_offer)

    async def answer(self, offer: RTCSessionDescription) -> dict[str, str]:
        """Take the peer's offer, gather candidates and return our answer.

        Raises `MalformedDescriptionError` when aiortc cannot use the offer; the connection must
        then be closed.
        """
        return await self._step(lambda: self._make_answer(offer))

    async def take_answer(self, answer: RTCSessionDescription) -> None:
        """Take the peer's answer.

        Raises `UnexpectedDescriptionError` when the connection does not wait for an answer, and
        `MalformedDescriptionError` when it does not match our offer: close the connection then.
        """
        await self._step(lambda: self._take_answer(answer))

    async def take_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Add a candidate, now or once the remote description is set; None ends the candidates.

        Raises `MalformedCandidateError` when aiortc refuses the candidate, or there were too many.
        """
        if self._candidates >= MAX_CANDIDATES:
            raise MalformedCandidateError(
                f"candidate from {self._peer_id!r}: only the first {MAX_CANDIDATES} are taken"
            )
        self._candidates += 1
        await self._step(lambda: self._take_candidate(candidate))

    async def close(self) -> None:
        """Refuse further steps, and wait for the end of those begun."""
        self._closed = True
        await asyncio.gather(*self._steps, return_exceptions=True)

    # One at a time

    async def _step(self, work: Callable[[], Awaitable[Result]]) -> Result:
        step = asyncio.create_task(self._in_turn(work))
        self._steps.add(step)
        step.add_done_callback(self._steps.discard)
        result = await asyncio.shield(step)
        self._check_open()
        return result

    async def _in_turn(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async with self._turn:
            self._check_open()
            return await work()

    def _check_open(self) -> None:
        if self._closed:
            raise PeerClosedError(f"the connection to {self._peer_id!r} has been closed")

    # The steps

    async def _make_offer(self) -> dict[str, str]:
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._local_description()

    async def _make_answer(self, offer: RTCSessionDescription) -> dict[str, str]:
        await self._apply(offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return self._local_description()

    async def _take_answer(self, answer: RTCSessionDescription) -> None:
        if self._connection.signalingState != "have-local-offer":
            raise UnexpectedDescriptionError(
                f"answer from {self._peer_id!r} ignored: the connection's signalling state is "
                f"{self._connection.signalingState!r}, and it does not wait for an answer"
            )
        await self._apply(answer)

    async def _take_candidate(self, candidate: RTCIceCandidate | None) -> None:
        if self._connection.remoteDescription is None:
            self._early_candidates.append(candidate)
            return
        try:
            await self._connection.addIceCandidate(candidate)
        except (OSError, ValueError, InvalidStateError) as error:
            raise MalformedCandidateError(
                f"candidate from {self._peer_id!r} was refused: {error}"
            ) from error

    async def _apply(self, description: RTCSessionDescription) -> None:
        try:
            await self._connection.setRemoteDescription(description)
            for candidate in self._early_candidates:
                await self._connection.addIceCandidate(candidate)
        except Exception as error:  # aiortc passes on any exception of its parts
            raise MalformedDescriptionError(
                f"{description.type} from {self._peer_id!r} cannot be used: "
                f"{error or type(error).__name__}"
            ) from error
        self._early_candidates.clear()

    def _local_description(self) -> dict[str, str]:
        description = self._connection.localDescription
        return {
            "type": description.type,
            "sdp": with_opus_parameters(description.sdp, self._quality),
        }
