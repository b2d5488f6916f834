"""Calls on this machine's kernel between players: browsers, and sessions of jamlab.

Each place has two browsers, one for its callers and one for its callees, in the namespaces of
`jamlab.measure.connectivity_on_kernel.network`; every call has a page of its own in both. A session
has a process of its own there. All calls are driven alike, so their times compare.
"""

import asyncio
import itertools
from asyncio import Semaphore
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import BrowserError, installed
from jamlab.browsers.launch import browsers
from jamlab.browsers.steps import words
from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import FAILED
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.ends import CALLEE, CALLER
from jamlab.measure.connectivity_on_kernel.agreement import (
    DEADLINE_S,
    agreement_calls,
    agreement_configurations,
    expected_result,
)
from jamlab.measure.connectivity_on_kernel.browser_end import BrowserEnd
from jamlab.measure.connectivity_on_kernel.network import KernelNetwork
from jamlab.measure.connectivity_on_kernel.trickled_call import (
    TrickledCall,
    TrickledEnd,
    call_between,
)
from jamlab.measure.processes import Progress
from jamlab.networks.model.place import Place

Player: TypeAlias = Literal["browser", "jamlab"]
BROWSER: Player = "browser"
JAMLAB: Player = "jamlab"

BETWEEN_BROWSERS = (BROWSER, BROWSER)
PAIRINGS = (BETWEEN_BROWSERS, (BROWSER, JAMLAB), (JAMLAB, BROWSER), (JAMLAB, JAMLAB))
"""Players of caller and callee."""

ARGUMENTS = ("--ignore-certificate-errors",)
AT_ONCE = 6
"""Largest number of calls under way."""


@dataclass(frozen=True)
class PlayersTask:
    """A call to make: a cell of the agreement, and the players of caller and callee."""

    call: Call
    configuration: IceConfiguration
    players: tuple[Player, Player] = BETWEEN_BROWSERS


def cells_of(types: Sequence[Place]) -> list[PlayersTask]:
    """Return a call of browsers in every cell of the agreement between places."""
    return [
        PlayersTask(call, configuration)
        for call in agreement_calls(types)
        for configuration in agreement_configurations()
    ]


def sample_of(
    types: Sequence[Place], pairings: Iterable[tuple[Player, Player]] = PAIRINGS
) -> list[PlayersTask]:
    """Return calls of all pairings in cells that connect.

    Every two places call each other with TURN over UDP, or else, where that does not connect, with
    TURN over TCP and over TLS.
    """
    by_name = {each.name: each for each in agreement_configurations()}
    first, *others = (by_name[f"STUN+TURN/{transport}"] for transport in ("UDP", "TCP", "TLS"))
    cells = []
    for call in agreement_calls(types):
        connects = expected_result(call.caller, call.callee, first) != FAILED
        cells += [(call, each) for each in ([first] if connects else others)]
    return [
        PlayersTask(call, configuration, players)
        for players, (call, configuration) in itertools.product(pairings, cells)
    ]


def call_on_kernel(
    tasks: Sequence[PlayersTask], setting: Setting, progress: Progress = lambda *_: None
) -> list[TrickledCall]:
    """Make the calls, with coturn in place of the configurations' servers; results in their order.

    The kernel has to be able to build the places. Raises `BrowserError`, `KernelLabError`,
    `CoturnError`, `ProofError` or `ChildError`.
    """
    places = dict.fromkeys(
        place for task in tasks for place in (task.call.caller, task.call.callee)
    )
    with KernelNetwork(places) as network:
        progress(0.0, "proving the NATs")
        network.prove()
        return asyncio.run(_Calls(network, progress).make(tasks, setting))


def setting_of(browser: str = "") -> Setting:
    """Return how the browser of a name, by default the first one installed, is started."""
    return Setting(installed(browser), arguments=ARGUMENTS)


class _Calls:
    def __init__(self, network: KernelNetwork, progress: Progress) -> None:
        self._network = network
        self._progress = progress
        self._done = 0

    async def make(self, tasks: Sequence[PlayersTask], setting: Setting) -> list[TrickledCall]:
        self._progress(0.0, "starting browsers")
        at_once = Semaphore(AT_ONCE)
        within = {
            _home(side, place): self._network.host(side, place).command
            for task in tasks
            for player, side, place in _ends(task)
            if player == BROWSER
        }
        environments = {home: dict[str, str]() for home in within}
        inside = replace(setting, within=within)
        async with browsers(inside, environments, lambda _: "void 0") as started:
            contexts = {each.player: each.page.context for each in started}

            async def made(task: PlayersTask) -> TrickledCall:
                async with at_once:
                    call = await self._call(task, contexts)
                self._done += 1
                self._progress(self._done / len(tasks), "players call")
                return call

            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(made(task)) for task in tasks]
            except ExceptionGroup as failed:
                fault = words(failed.exceptions[0])
                raise BrowserError(f"{setting.browser.title} does not go on: {fault}") from failed
        return [each.result() for each in running]

    async def _call(self, task: PlayersTask, contexts: Mapping[str, Any]) -> TrickledCall:
        configuration = self._network.stand_in(task.configuration, "player")
        async with AsyncExitStack() as stack:
            ends = [await self._open(*end, configuration, contexts, stack) for end in _ends(task)]
            may_change = configuration.policy == "all"
            return await call_between(*ends, may_change=may_change, deadline_s=DEADLINE_S)

    async def _open(
        self,
        player: Player,
        side: str,
        place: Place,
        configuration: IceConfiguration,
        contexts: Mapping[str, Any],
        stack: AsyncExitStack,
    ) -> TrickledEnd:
        if player == BROWSER:
            return await BrowserEnd.opened(contexts[_home(side, place)], configuration, stack)
        end = await self._network.open_session(side, place, configuration)
        stack.push_async_callback(end.close)
        return end


def _ends(task: PlayersTask) -> list[tuple[Player, str, Place]]:
    """Return player, side and place of both ends."""
    sides, places = (CALLER, CALLEE), (task.call.caller, task.call.callee)
    return [*zip(task.players, sides, places, strict=True)]


def _home(side: str, place: Place) -> str:
    return f"{side} at {place.name}"
