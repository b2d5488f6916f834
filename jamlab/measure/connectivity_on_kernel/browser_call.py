"""A call between two browsers: each end is a page with a connection, and no application.

Signals go from page to page through this process. A browser sends its candidates as it finds them
(trickle ICE, RFC 8838), checks direct and relayed paths at once, and may change from the one to the
other soon after it has connected; so the path is the one of a moment later.
"""

import asyncio
import math
from asyncio import Queue
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED

SETTLE_S = 2.0
"""Time in which a connected call may still change from a relayed to a direct path."""
_PACE_S = 0.2
_SCRIPT = Path(__file__).with_suffix(".js")


@dataclass(frozen=True, slots=True)
class BrowserCall:
    """The result of one call; the fields are columns of a record."""

    result: str
    """``"direct"``, ``"relayed"`` or ``"failed"``."""
    caller_candidate: str
    """Type of the caller's selected candidate (RFC 8445 §5.1.1); empty without one."""
    callee_candidate: str
    time_to_connect_s: float
    """Time from the caller's first step until both ends are connected; NaN when they are not."""


class BrowserEnd:
    """One end of a call, in a page of its own."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._candidates: Queue[Mapping[str, Any] | None] = Queue()

    @classmethod
    async def opened(
        cls, context: Any, configuration: IceConfiguration, stack: AsyncExitStack
    ) -> "BrowserEnd":
        """Return an end in a new page of a browser, which is closed with the stack."""
        page = await context.new_page()
        stack.push_async_callback(page.close)
        end = cls(page)
        await page.expose_function("jamlabCandidate", end._candidates.put_nowait)
        script = _SCRIPT.read_text(encoding="utf-8").rstrip().removesuffix(";")
        await page.evaluate(script, configuration.page_configuration)
        return end

    async def call(self, step: str, argument: Any = None) -> Any:
        """Take a step of ``browser_call.js``."""
        return await self._page.evaluate(
            "([step, argument]) => window.jamlabEnd[step](argument)", [step, argument]
        )

    async def send_candidates(self, other: "BrowserEnd") -> None:
        """Send the candidates to the other end, which has our description, as they are found."""
        while True:
            await other.call("add", await self._candidates.get())


async def call_between(
    caller_at: Any, callee_at: Any, configuration: IceConfiguration, deadline_s: float
) -> BrowserCall:
    """Call from one browser to another; both are Playwright's contexts."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        caller = await BrowserEnd.opened(caller_at, configuration, stack)
        callee = await BrowserEnd.opened(callee_at, configuration, stack)
        began_s = loop.time()
        answer = await callee.call("answer", await caller.call("offer"))
        await caller.call("accept", answer)
        sending = [
            asyncio.create_task(one.send_candidates(other))
            for one, other in ((caller, callee), (callee, caller))
        ]
        try:
            if not await _connected(caller, callee, deadline_s):
                return BrowserCall(FAILED, "", "", math.nan)
            after_s = loop.time() - began_s
            return BrowserCall(*await _path(caller, callee), after_s)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)


async def _connected(caller: BrowserEnd, callee: BrowserEnd, deadline_s: float) -> bool:
    try:
        async with asyncio.timeout(deadline_s):
            return all(await asyncio.gather(caller.call("ended"), callee.call("ended")))
    except TimeoutError:
        return False


async def _path(caller: BrowserEnd, callee: BrowserEnd) -> tuple[str, str, str]:
    """Return result and candidate types, once the path is direct or has settled."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + SETTLE_S
    while True:
        near, far = await asyncio.gather(caller.call("types"), callee.call("types"))
        if "relay" not in (*near, *far) and near[0] and far[0]:
            return DIRECT, near[0], far[0]
        if loop.time() > end_s:
            return RELAYED, near[0], far[0]
        await asyncio.sleep(_PACE_S)
