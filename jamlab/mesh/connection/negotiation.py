"""Offer/answer negotiation and candidates of one connection, one step at a time.

Each step runs in a task of its own, to its end, because aiortc leaks sockets when it is cancelled
or closed while it makes a description. A cancelled caller only stops waiting, and closing waits for
the current step.

The end of a peer's candidates is not passed on: aiortc would take none after it, and signalling may
bring them in another order. Candidates that our ICE agent cannot use, and those of sections that we
rejected, are left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from aiortc import RTCIceCandidate, RTCPeerConnection
from aiortc.exceptions import InvalidStateError

from jamlab.media.candidate_line import is_usable
from jamlab.media.quality import Quality
from jamlab.media.red import RedFormat
from jamlab.media.rtc import EncodedTrack, use_redundancy
from jamlab.media.sdp import trickling, with_opus_parameters, with_redundancy
from jamlab.mesh.connection.description import MAX_CANDIDATES, RemoteDescription
from jamlab.mesh.connection.errors import (
    MalformedCandidateError,
    MalformedDescriptionError,
    PeerClosedError,
    UnexpectedDescriptionError,
)

Result = TypeVar("Result")


class Negotiation:
    """The negotiation of one connection of one track, with redundant audio if the peer has it.

    Every step raises `PeerClosedError` when `close` is called before its end. The owner of the
    connection closes it, after `close`.
    """

    def __init__(
        self, peer_id: str, connection: RTCPeerConnection, track: EncodedTrack, quality: Quality
    ) -> None:
        self._peer_id = peer_id
        self._connection = connection
        self._track = track
        self._offered_red: RedFormat | None = None
        self._quality = quality
        self._remote: RemoteDescription | None = None
        self._early_candidates: list[RTCIceCandidate] = []
        self._known: set[tuple[str, str, int, str]] = set()
        self._turn = asyncio.Lock()
        self._steps: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def section(self) -> tuple[str | None, int]:
        """Media identification and index of our section, as candidates state them."""
        return self._remote.place.name if self._remote else ("0", 0)

    async def offer(self) -> dict[str, str]:
        """Begin to gather candidates, and return our offer with those known at once."""
        return await self._step(self._make_offer)

    async def answer(self, offer: RemoteDescription) -> dict[str, str]:
        """Take the peer's offer, begin to gather candidates, and return our answer.

        Raises `MalformedDescriptionError` when aiortc cannot use the offer; the connection must
        then be closed.
        """
        return await self._step(lambda: self._make_answer(offer))

    async def take_answer(self, answer: RemoteDescription) -> None:
        """Take the peer's answer.

        Raises `UnexpectedDescriptionError` when the connection does not wait for an answer, and
        `MalformedDescriptionError` when it does not match our offer: close the connection then.
        """
        await self._step(lambda: self._take_answer(answer))

    async def take_candidate(self, candidate: RTCIceCandidate) -> None:
        """Add a candidate, now or once the remote description is set.

        One that comes again, because a signal may have been lost, is ignored. Raises
        `MalformedCandidateError` when aiortc refuses the candidate, or there were too many.
        """
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
        offer = self._local_description()
        sdp, self._offered_red = with_redundancy(offer["sdp"])
        return {**offer, "sdp": sdp}

    async def _make_answer(self, offer: RemoteDescription) -> dict[str, str]:
        await self._apply(offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        answer = self._local_description()
        return {**answer, "sdp": offer.place.restored(answer["sdp"])}

    async def _take_answer(self, answer: RemoteDescription) -> None:
        if self._connection.signalingState != "have-local-offer":
            raise UnexpectedDescriptionError(
                f"answer from {self._peer_id!r} ignored: the connection's signalling state is "
                f"{self._connection.signalingState!r}, and it does not wait for an answer"
            )
        await self._apply(answer)

    async def _take_candidate(self, candidate: RTCIceCandidate) -> None:
        if self._remote is not None:
            await self._add_candidate(candidate, self._remote)
        elif candidate not in self._early_candidates:
            if len(self._early_candidates) >= MAX_CANDIDATES:
                raise self._too_many()
            self._early_candidates.append(candidate)

    async def _add_candidate(self, candidate: RTCIceCandidate, remote: RemoteDescription) -> None:
        if not is_usable(candidate) or not remote.place.has(candidate):
            return
        known = candidate.protocol, candidate.ip, candidate.port, candidate.type
        if known in self._known:
            return
        if len(self._known) >= MAX_CANDIDATES:
            raise self._too_many()
        self._known.add(known)
        ours = replace(candidate, sdpMid=remote.place.mid, sdpMLineIndex=0)
        try:
            await self._connection.addIceCandidate(ours)
        except (OSError, ValueError, InvalidStateError) as error:
            raise MalformedCandidateError(
                f"candidate from {self._peer_id!r} was refused: {error}"
            ) from error

    def _too_many(self) -> MalformedCandidateError:
        return MalformedCandidateError(
            f"candidate from {self._peer_id!r}: only the first {MAX_CANDIDATES} are taken"
        )

    async def _apply(self, description: RemoteDescription) -> None:
        try:
            await self._connection.setRemoteDescription(description)
        except Exception as error:  # aiortc passes on any exception of its parts
            raise MalformedDescriptionError(
                f"{description.type} from {self._peer_id!r} cannot be used: "
                f"{error or type(error).__name__}"
            ) from error
        self._remote = description
        red = description.place.red
        if red is not None and (description.type == "offer" or red == self._offered_red):
            use_redundancy(self._connection, self._track, red)
        for candidate in self._early_candidates:
            with suppress(MalformedCandidateError):  # the description stands
                await self._add_candidate(candidate, description)
        self._early_candidates.clear()

    def _local_description(self) -> dict[str, str]:
        description = self._connection.localDescription
        return {
            "type": description.type,
            "sdp": with_opus_parameters(trickling(description.sdp), self._quality),
        }
