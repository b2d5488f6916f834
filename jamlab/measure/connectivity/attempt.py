"""One attempt to connect two participants, on the running loop's network.

Events are in the order of a call in the browser: the caller gathers candidates and sends an offer;
the callee gathers, answers and begins its checks at once; the caller begins its checks when the
answer arrives. So the two starts differ by the signalling time, which matters to NATs.

At the level ``"ice"`` the ends are aioice connections, at the level ``"dtls"`` whole
`RTCPeerConnection` objects; an attempt succeeds when both ends are connected. ICE may select
different pairs at the two ends, and an end does not see that its peer's address is a relay's; so
both ends report the type of each candidate, and the path is relayed when either reports ``relay``.

Behind two NATs with address and port-dependent mapping and endpoint-independent filtering
(APDM/EIF), each check comes from a new port, is answered by a check to it, and so on without end.
An agent must limit the number of pairs (RFC 8445 §6.1.2.5 suggests 100); aioice does not, so an
attempt does.
"""

import asyncio
import contextlib
import json
import math
from asyncio import FIRST_EXCEPTION
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from aioice import Candidate

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.ends import (
    CALLEE,
    CALLER,
    CHECKS,
    DEADLINE,
    AttemptError,
    End,
    Level,
    Log,
    end_here,
)
from jamlab.media.mapped_candidates import MapPort

DEADLINE_S = 30.0
"""Default deadline of an attempt: as long as a `WebRTCAudioService` waits for a connection."""

DIRECT, RELAYED, FAILED = "direct", "relayed", "failed"

MOST_PAIRS = 100
"""Limit of candidate pairs at an end; with more, the attempt has failed in its checks."""
_COUNT_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Result of one attempt; the fields are columns of a record."""

    result: str
    """``"direct"``, ``"relayed"`` or ``"failed"``."""
    caller_candidate: str
    """Type of the caller's selected candidate (RFC 8445 §5.1.1); empty without one."""
    callee_candidate: str
    relay_transport: str
    """Transport between client and TURN server, ``"udp"`` or ``"tcp"``; empty when not relayed."""
    start_skew_s: float
    """Time from the caller's first check to the callee's; NaN when an end never began."""
    time_to_connect_s: float
    """Time from the caller's first step until both ends are connected; NaN when they are not."""
    observed_s: float
    """Time until both ends were connected or the attempt had failed."""
    stage: str
    """The stage in which it failed; ``"deadline"`` at the deadline; empty when it succeeded."""
    states: str
    """JSON, ``[[time_s, "caller" or "callee", "ice" or "connection", state], …]``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as columns of a row."""
        return {name: getattr(self, name) for name in self.__slots__}


Where: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Returns the context to run an end in, e.g. a simulated host; `contextlib.nullcontext` is here."""


async def attempt(
    configuration: IceConfiguration,
    *,
    level: Level = "ice",
    signalling_s: float = 0.05,
    deadline_s: float = DEADLINE_S,
    caller_at: Where = contextlib.nullcontext,
    callee_at: Where = contextlib.nullcontext,
    caller_maps: MapPort = lambda _: None,
    callee_maps: MapPort = lambda _: None,
) -> Attempt:
    """Try once to connect two participants, both in this process.

    The signalling time is the delay of an offer or an answer. `caller_maps` and `callee_maps` ask
    the routers of the two for mappings; by default there are none to ask.
    """
    log = Log()
    sides = (CALLER, caller_at, caller_maps), (CALLEE, callee_at, callee_maps)
    async with AsyncExitStack() as stack:
        ends: list[End] = []
        for side, where, map_port in sides:
            with where():
                end = end_here(side, configuration, level, log, map_port)
            stack.push_async_callback(end.close)
            ends.append(end)
        return await attempt_between(
            *ends,
            configuration=configuration,
            log=log,
            signalling_s=signalling_s,
            deadline_s=deadline_s,
            caller_at=caller_at,
            callee_at=callee_at,
        )


async def attempt_between(
    caller: End,
    callee: End,
    *,
    configuration: IceConfiguration,
    log: Log,
    signalling_s: float,
    deadline_s: float,
    caller_at: Where = contextlib.nullcontext,
    callee_at: Where = contextlib.nullcontext,
) -> Attempt:
    """Try to connect two existing ends, in this process or in others, without closing them.

    Both note their states in the log; states noted before now count as the attempt's beginning.
    Other parameters are those of `attempt`.
    """
    loop = asyncio.get_running_loop()
    log.began_s = loop.time()
    call = _call(caller, callee, caller_at, callee_at, signalling_s)
    stage = await _stage_of_failure(call, deadline_s)
    now_s = loop.time()
    types = ("", "") if stage else await _candidate_types(caller, callee)
    return _attempt(log, configuration, types, stage, now_s)


async def _stage_of_failure(call: Awaitable[None], deadline_s: float) -> str:
    try:
        async with asyncio.timeout(deadline_s):
            await call
    except AttemptError as failure:
        return failure.stage
    except TimeoutError:
        return DEADLINE
    return ""


async def _call(
    caller: End, callee: End, caller_at: Where, callee_at: Where, signalling_s: float
) -> None:
    """Exchange descriptions and wait until both ends are connected."""
    offer = await _at(caller_at, caller.offer())
    await asyncio.sleep(signalling_s)
    answer = await _at(callee_at, callee.answer(offer))
    await asyncio.sleep(signalling_s)
    await _at(caller_at, caller.accept(answer))
    await _both_connected((caller, callee))


async def _both_connected(ends: Sequence[End]) -> None:
    waiting = [end.connecting() for end in ends]
    try:
        while not all(one.done() for one in waiting):
            done, _ = await asyncio.wait(
                waiting, timeout=_COUNT_EVERY_S, return_when=FIRST_EXCEPTION
            )
            for one in done:
                one.result()
            if len(done) < len(waiting):
                await _limit_pairs(ends)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        for one in waiting:
            one.cancelled() or one.exception()


async def _limit_pairs(ends: Sequence[End]) -> None:
    for end in ends:
        if await end.pair_count() > MOST_PAIRS:
            raise AttemptError(CHECKS)


async def _at(where: Where, step: Awaitable[Any]) -> Any:
    with where():
        return await step


def _attempt(
    log: Log,
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
        states=json.dumps(log.elapsed),
    )


async def _candidate_types(caller: End, callee: End) -> tuple[str, str]:
    """Return the types of the caller's and the callee's selected candidates."""
    at_caller, at_callee = await caller.selected_pair(), await callee.selected_pair()
    return _type(at_caller[0], at_callee[1]), _type(at_callee[0], at_caller[1])


def _type(own: Candidate, seen: Candidate) -> str:
    """Return a candidate's type: its end knows a relay, the other end sees a reflexive address."""
    return "relay" if "relay" in (own.type, seen.type) else str(seen.type)
