"""A latency run whose participants are processes, as they are in reality.

This process has the hub at which they meet, and a clock in common with all of them: it says when a
session begins, waits, and puts the players' records together. Each player records the paths that
end at its own loudspeaker. The record is that of `jamlab.measure.latency.run`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from jamlab.measure.latency.participants import CONNECT_TIMEOUT_S, START_SPREAD_S
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY, stretches
from jamlab.measure.process_mesh.part import random_phases_s
from jamlab.measure.process_mesh.player import PlayerTask
from jamlab.measure.processes import Progress, report
from jamlab.measure.provenance import provenance
from jamlab.process.child import AsyncChild, ChildError, child_process
from jamlab.process.parent import ending_with_parent, receive
from jamlab.process.precise_loop import run_precisely
from jamlab.process.temporary_folder import temporary_folder
from jamlab.signaling.hub.server import Hub

PLAYER = "jamlab.measure.process_mesh.player"
"""Module of the participants' processes."""

PATIENCE_S = 60.0
"""Longest time for which a player may be silent when something is due from it."""

_TELL_EVERY_S = 0.5
_LEAD_S = 0.2  # from the order to begin until the begin
_STARTED, _PLAYED = 0.05, 0.85  # shares of the whole that are done then


async def measure_players(
    plan: LatencyPlan, progress: Progress, rng: np.random.Generator | None = None
) -> LatencyRecord:
    """Measure every path of a mesh whose participants are processes.

    Raises `ChildError`, with the last line of its output, when a player fails, or is silent for
    longer than `PATIENCE_S`.
    """
    rng = rng or np.random.default_rng()
    with temporary_folder("players") as folder:
        async with _players(plan, folder, progress) as players:
            for number in range(plan.sessions):
                await _play(plan, number, players, progress, rng)
            await _search(players, progress)
            for player in players:
                await player.finish()
        return merged(plan, [LatencyRecord.load(folder / name) for name in plan.names])


@asynccontextmanager
async def _players(
    plan: LatencyPlan, folder: Path, progress: Progress
) -> AsyncIterator[list[AsyncChild]]:
    """Start the hub and all players, and end them whatever happens."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub())
        tasks = [
            PlayerTask(name, hub.url, hub.key, plan.to_dict(), str(folder)) for name in plan.names
        ]
        async with _telling(progress, f"starting {plan.peers} participants", (0.0, _STARTED), 5.0):
            players = [
                await stack.enter_async_context(
                    child_process(task.name, PLAYER, msgspec.to_builtins(task))
                )
                for task in tasks
            ]
            await _all(players, PATIENCE_S)
        yield players


async def _play(
    plan: LatencyPlan,
    number: int,
    players: Sequence[AsyncChild],
    progress: Progress,
    rng: np.random.Generator,
) -> None:
    """Let the players connect, and measure one session."""
    share = (_PLAYED - _STARTED) / plan.sessions
    first = _STARTED + number * share
    phases_s = random_phases_s(len(players), START_SPREAD_S, rng)
    for player, phase_s in zip(players, phases_s, strict=True):
        player.send({"session": number, "phase_s": phase_s})
    async with _telling(progress, "connecting", (first, first), 1.0):
        await _all(players, CONNECT_TIMEOUT_S + PATIENCE_S)
    begin_s = asyncio.get_running_loop().time() + _LEAD_S
    for player in players:
        player.send({"begin_s": begin_s})
    lasts_s = plan.settle_s + sum(stretch.lasts_s for stretch in stretches(plan))
    async with _telling(progress, "measuring", (first, first + share), lasts_s):
        await _all(players, lasts_s + PATIENCE_S)


async def _search(players: Sequence[AsyncChild], progress: Progress) -> None:
    """Let all players search at once."""
    shares = dict.fromkeys((player.name for player in players), 0.0)

    async def follow(player: AsyncChild) -> None:
        player.send({"search": True})
        while shares[player.name] < 1:
            shares[player.name] = (await _heard(player, PATIENCE_S))["searched"]
            done = sum(shares.values()) / len(shares)
            progress(_PLAYED + (1 - _PLAYED) * done, "searching for clicks")

    await asyncio.gather(*map(follow, players))


async def _all(players: Sequence[AsyncChild], within_s: float) -> None:
    """Wait until every player has sent its next message."""
    await asyncio.gather(*(_heard(player, within_s) for player in players))


async def _heard(player: AsyncChild, within_s: float) -> Any:
    """Return a player's next message."""
    try:
        async with asyncio.timeout(within_s):
            return await player.receive()
    except TimeoutError:
        fault = f"was silent for {within_s:.0f} s and has been ended: measure again"
        raise ChildError(player.name, fault) from None


@asynccontextmanager
async def _telling(
    progress: Progress, doing: str, shares: tuple[float, float], lasts_s: float
) -> AsyncIterator[None]:
    """Report progress from one share to another while the context lasts, about `lasts_s`."""
    first, last = shares
    progress(first, doing)
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    async def tell() -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            within = min((loop.time() - began_s) / lasts_s, 1.0)
            progress(first + within * (last - first), doing)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()


def merged(plan: LatencyPlan, records: Sequence[LatencyRecord]) -> LatencyRecord:
    """Return the players' records as one, its rows in the order of a run in one process.

    Its loop lag is that of the player whose loop was latest.
    """
    lags = [record.provenance["loop_lag"] for record in records]
    return LatencyRecord(
        _in_order([record.clicks for record in records]),
        _in_order([record.streams for record in records]),
        records[0].waveforms,
        provenance(
            plan.to_dict(),
            loop_lag=max(lags, key=lambda lag: lag["p99_ms"]),
            processes=len(records),
            real_time=all(record.provenance["real_time"] for record in records),
        ),
    )


def _in_order(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join tables; sessions and measurements in order, then pairs, round trips by who echoed."""
    table = pd.concat(tables, ignore_index=True)
    one_way = table["measurement"] == ONE_WAY
    echoed = table["echoing"] if "echoing" in table else table["receiver"].mask(one_way, "")
    order = pd.DataFrame(
        {
            "session": table["session"],
            "measurement": table["measurement"],
            "echoed": echoed,
            "sender": table["sender"],
            "receiver": table["receiver"],
        }
    )
    return table.loc[order.sort_values([*order], kind="stable").index].reset_index(drop=True)


def main() -> None:
    """Run the parent's plan; the entry point of the worker process."""
    with ending_with_parent():
        plan, folder = receive()
        record = run_precisely(measure_players(LatencyPlan(**plan), report))
        record.save(Path(folder))


if __name__ == "__main__":
    main()
