"""One attempt to connect two participants, on whatever network the running loop has.

The order of events is that of a call in the browser: the caller gathers candidates and sends an
offer; the callee gathers, answers and begins its checks at once; the caller begins when the answer
is there. So the two starts are apart by the time signalling takes, and a NAT sees that.

At the level ``"ice"`` two aioice connections do this, at the level ``"dtls"`` two whole
`RTCPeerConnection`; an attempt has succeeded when both ends say so. ICE may select another pair at
each end, and an end does not see that the other's address is a relay's; so what an end's candidate
was is asked of both ends, and the path is relayed when either says ``relay``.

Behind two NATs that open a new port for every destination and let everybody in (APDM/EIF), each
check comes from a new port, is answered by a check to it, and so on without end. An agent must stop
at a number of pairs (RFC 8445 §6.1.2.5 suggests 100), which aioice does not, so an attempt does.
"""

import asyncio
import contextlib
import json
import math
from asyncio import FIRST_EXCEPTION
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from aioice import Candidate, Connection
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from jamlab.media.rtc import ice_connection, pair_count, selected_pair
from jamlab.mesh.ice import IceConfiguration

Level: TypeAlias = Literal["ice", "dtls"]
DEADLINE_S = 30.0
"""Default time an attempt has: as long as a `WebRTCAudioService` waits for a connection."""

DIRECT, RELAYED, FAILED = "direct", "relayed", "failed"
GATHERING, CHECKS, DTLS, DEADLINE = "gathering", "checks", "DTLS", "deadline"
CALLER, CALLEE = "caller", "callee"

MOST_PAIRS = 100
"""Candidate pairs at an end beyond which an attempt has failed in its checks."""
_COUNT_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt; the fields are columns of a record."""

    result: str
    """``"direct"``, ``"relayed"`` or ``"failed"``."""
    caller_candidate: str
    """Type of the caller's selected candidate (RFC 8445 §5.1.1), empty when there is none."""
    callee_candidate: str
    """Type of the callee's."""
    relay_transport: str
    """Between client and TURN server, ``"udp"`` or ``"tcp"``; empty when not relayed."""
    start_skew_s: float
    """From the caller's first check to the callee's; NaN when one never began."""
    time_to_connect_s: float
    """From the caller's first step until both ends are connected; NaN when they are not."""
    observed_s: float
    """Until both were connected, or the attempt was over."""
    stage: str
    """Where it failed; ``"deadline"`` when the time ran out; empty when it did not fail."""
    states: str
    """JSON, ``[[time_s, "caller" or "callee", "ice" or "connection", state], …]``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as columns of a row."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass
class _Log:
    """When each end came into which state, in seconds since the attempt began."""

    began_s: float
    entries: list[tuple[float, str, str, str]] = field(default_factory=list)

    def note(self, side: str, kind: str, state: str) -> None:
        elapsed_s = asyncio.get_running_loop().time() - self.began_s
        self.entries.append((round(elapsed_s, 6), side, kind, state))

    def first(self, side: str, state: str) -> float:
        wanted = side, "ice", state
        return next((time_s for time_s, *what in self.entries if (*what,) == wanted), math.nan)


class _AttemptError(Exception):
    """An attempt that is over, with the stage it failed in."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class _End(Protocol):
    """One end of an attempt, at either level."""

    async def offer(self) -> Any: ...
    async def answer(self, offer: Any) -> Any: ...
    async def accept(self, answer: Any) -> None: ...
    def connecting(self) -> "asyncio.Future[None]": ...
    async def close(self) -> None: ...
    @property
    def ice(self) -> Connection: ...


Where: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Makes the context in which an end runs, e.g. ``with host:``; `contextlib.nullcontext` is here."""


async def attempt(
    configuration: IceConfiguration,
    *,
    level: Level = "ice",
    signalling_s: float = 0.05,
    deadline_s: float = DEADLINE_S,
    caller_at: Where = contextlib.nullcontext,
    callee_at: Where = contextlib.nullcontext,
) -> Attempt:
    """Try to connect two participants once.

    Parameters
    ----------
    configuration : IceConfiguration
        Servers and policy of both ends.
    level : {"ice", "dtls"}
        What has to come about.
    signalling_s : float
        How long an offer or an answer is on its way.
    deadline_s : float
        When the attempt is given up.
    caller_at, callee_at : callable
        Make the context each end runs in.
    """
    loop = asyncio.get_running_loop()
    log = _Log(loop.time())
    make: Callable[..., _End] = _IceEnd if level == "ice" else _PeerEnd
    async with AsyncExitStack() as stack:
        ends: list[_End] = []
        for side, where in ((CALLER, caller_at), (CALLEE, callee_at)):
            with where():
                end = make(side, configuration, log)
            stack.push_async_callback(end.close)
            ends.append(end)
        caller, callee = ends
        stage = await _stage_of_failure(
            _call(caller, callee, caller_at, callee_at, signalling_s), deadline_s
        )
        types = ("", "") if stage else _candidate_types(caller, callee)
        return _attempt(log, configuration, types, stage, loop.time())


async def _stage_of_failure(call: Awaitable[None], deadline_s: float) -> str:
    try:
        async with asyncio.timeout(deadline_s):
            await call
    except _AttemptError as failure:
        return failure.stage
    except TimeoutError:
        return DEADLINE
    return ""


async def _call(
    caller: _End, callee: _End, caller_at: Where, callee_at: Where, signalling_s: float
) -> None:
    """Exchange descriptions and wait until both ends are connected."""
    offer = await _at(caller_at, caller.offer())
    await asyncio.sleep(signalling_s)
    answer = await _at(callee_at, callee.answer(offer))
    await asyncio.sleep(signalling_s)
    await _at(caller_at, caller.accept(answer))
    await _both_connected((caller, callee))


async def _both_connected(ends: Sequence[_End]) -> None:
    waiting = [end.connecting() for end in ends]
    try:
        while not all(one.done() for one in waiting):
            done, _ = await asyncio.wait(
                waiting, timeout=_COUNT_EVERY_S, return_when=FIRST_EXCEPTION
            )
            for one in done:
                one.result()
            if len(done) < len(waiting) and any(pair_count(end.ice) > MOST_PAIRS for end in ends):
                raise _AttemptError(CHECKS)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        for one in waiting:
            one.cancelled() or one.exception()


async def _at(where: Where, step: Awaitable[Any]) -> Any:
    with where():
        return await step


def _attempt(
    log: _Log,
    configuration: IceConfiguration,
    types: tuple[str, str],
    stage: str,
    now_s: float,
) -> Attempt:
    result = FAILED if stage else RELAYED if "relay" in types else DIRECT
    observed_s = round(now_s - log.began_s, 6)
    transport = configuration.connection_arguments().get("turn_transport", "")
    return Attempt(
        result=result,
        caller_candidate=types[0],
        callee_candidate=types[1],
        relay_transport=str(transport) if result == RELAYED else "",
        start_skew_s=round(log.first(CALLEE, "checking") - log.first(CALLER, "checking"), 6),
        time_to_connect_s=math.nan if stage else observed_s,
        observed_s=observed_s,
        stage=stage,
        states=json.dumps(log.entries),
    )


def _candidate_types(caller: _End, callee: _End) -> tuple[str, str]:
    """Return the types of the caller's and of the callee's selected candidate."""
    at_caller, at_callee = selected_pair(caller.ice), selected_pair(callee.ice)
    assert at_caller is not None
    assert at_callee is not None
    return _type(at_caller[0], at_callee[1]), _type(at_callee[0], at_caller[1])


def _type(own: Candidate, seen: Candidate) -> str:
    """Return a type: an end knows its relay, the other end saw what its address became."""
    return "relay" if "relay" in (own.type, seen.type) else str(seen.type)


class _IceEnd:
    """One aioice connection."""

    def __init__(self, side: str, configuration: IceConfiguration, log: _Log) -> None:
        self._side = side
        self._log = log
        self._connecting: asyncio.Task[None] | None = None
        self.ice = Connection(side == CALLER, **configuration.connection_arguments())
        log.note(side, "ice", "new")

    async def offer(self) -> Any:
        await self.ice.gather_candidates()
        ice = self.ice
        return ice.local_candidates, ice.local_username, ice.local_password

    async def answer(self, offer: Any) -> Any:
        answer = await self.offer()
        await self.accept(offer)
        return answer

    async def accept(self, answer: Any) -> None:
        candidates, self.ice.remote_username, self.ice.remote_password = answer
        for candidate in (*candidates, None):
            await self.ice.add_remote_candidate(candidate)
        if not (candidates and self.ice.local_candidates):
            raise _AttemptError(GATHERING)
        self._log.note(self._side, "ice", "checking")
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self.ice.connect()
        except ConnectionError:
            self._log.note(self._side, "ice", "failed")
            raise _AttemptError(CHECKS) from None
        self._log.note(self._side, "ice", "completed")

    def connecting(self) -> "asyncio.Future[None]":
        assert self._connecting is not None
        return self._connecting

    async def close(self) -> None:
        await self.ice.close()
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        self._log.note(self._side, "ice", "closed")


class _PeerEnd:
    """One aiortc peer connection, with a data channel to have something to connect for."""

    def __init__(self, side: str, configuration: IceConfiguration, log: _Log) -> None:
        self._settled = asyncio.Event()
        self._peer = RTCPeerConnection(
            RTCConfiguration(
                iceServers=configuration.ice_servers,
                iceTransportPolicy=RTCIceTransportPolicy(configuration.policy),
            )
        )
        self._peer.on("iceconnectionstatechange", lambda: self._note("ice"))
        self._peer.on("connectionstatechange", lambda: self._note("connection"))
        self._side = side
        self._log = log
        log.note(side, "ice", "new")
        log.note(side, "connection", "new")

    @property
    def ice(self) -> Connection:
        return ice_connection(self._peer)

    async def offer(self) -> Any:
        self._peer.createDataChannel("attempt")
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._peer.localDescription

    async def answer(self, offer: Any) -> Any:
        await self._peer.setRemoteDescription(offer)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return self._peer.localDescription

    async def accept(self, answer: Any) -> None:
        await self._peer.setRemoteDescription(answer)
        if not (self.ice.local_candidates and self.ice.remote_candidates):
            raise _AttemptError(GATHERING)

    def connecting(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._connected())

    async def _connected(self) -> None:
        while self._peer.connectionState != "connected":
            if self._peer.connectionState in ("failed", "closed"):
                raise _AttemptError(CHECKS if self._peer.iceConnectionState == "failed" else DTLS)
            self._settled.clear()
            await self._settled.wait()

    async def close(self) -> None:
        await self._peer.close()

    def _note(self, kind: str) -> None:
        state = self._peer.iceConnectionState if kind == "ice" else self._peer.connectionState
        self._log.note(self._side, kind, state)
        self._settled.set()
