"""A call between two ends that send their candidates as they find them (trickle ICE, RFC 8838).

An end is the page of a browser or a process of jamlab. Signals go from the one to the other through
this process. Both kinds check direct and relayed paths at once, and may change from the one to the
other soon after they have connected; so the path is the one of a moment later.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED

SETTLE_S = 2.0
"""Time in which a connected call may still change from a relayed to a direct path."""
_PACE_S = 0.2


@dataclass(frozen=True, slots=True)
class TrickledCall:
    """The result of one call; the fields are columns of a record."""

    result: str
    """``"direct"``, ``"relayed"`` or ``"failed"``."""
    caller_candidate: str
    """Type of the caller's selected candidate (RFC 8445 §5.1.1); empty without one."""
    callee_candidate: str
    time_to_connect_s: float
    """Time from the caller's first step until both ends are connected; NaN when they are not."""


class TrickledEnd(Protocol):
    """One end of a call."""

    async def call(self, step: str, argument: Any = None) -> Any:
        """Take a step of ``browser_end.js``, and return its result."""
        ...

    async def candidate(self) -> Mapping[str, Any] | None:
        """Wait for the next candidate for the peer (``RTCIceCandidateInit``)."""
        ...


async def call_between(
    caller: TrickledEnd, callee: TrickledEnd, *, may_change: bool, deadline_s: float
) -> TrickledCall:
    """Call from one end to the other; `may_change` is whether a relayed path may become direct."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    answer = await callee.call("answer", await caller.call("offer"))
    await caller.call("accept", answer)
    sending = [
        asyncio.create_task(_send_candidates(one, other))
        for one, other in ((caller, callee), (callee, caller))
    ]
    try:
        if not await _connected(caller, callee, deadline_s):
            return TrickledCall(FAILED, "", "", math.nan)
        after_s = loop.time() - began_s
        settle_s = SETTLE_S if may_change else 0.0
        return TrickledCall(*await _path(caller, callee, settle_s), after_s)
    finally:
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


async def _send_candidates(one: TrickledEnd, other: TrickledEnd) -> None:
    """Send candidates to the other end, which has the description they belong to."""
    while True:
        await other.call("add", await one.candidate())


async def _connected(caller: TrickledEnd, callee: TrickledEnd, deadline_s: float) -> bool:
    try:
        async with asyncio.timeout(deadline_s):
            return all(await asyncio.gather(caller.call("ended"), callee.call("ended")))
    except TimeoutError:
        return False


async def _path(caller: TrickledEnd, callee: TrickledEnd, settle_s: float) -> tuple[str, str, str]:
    """Return result and candidate types, once the path is direct or has settled."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + settle_s
    while True:
        near, far = await asyncio.gather(caller.call("types"), callee.call("types"))
        if "relay" not in (*near, *far) and near[0] and far[0]:
            return DIRECT, near[0], far[0]
        if loop.time() >= end_s:
            return RELAYED, near[0], far[0]
        await asyncio.sleep(_PACE_S)
