"""Calls that move from a relay to a direct path while they play, in virtual time and on the kernel.

A part of ``make bench-connect``, and on the kernel of ``make bench-kernel``. The direct path is
closed when a call begins, and opened a few seconds later. In virtual time all concealed frames from
then on count. On the kernel, where a busy machine makes packets late at any time, they count while
a call moves and for a second afterwards; the bar is on frames whose packets never came.
"""

import asyncio
import random
from concurrent.futures import Executor
from dataclasses import dataclass

from bench.bars import Bar, bar, figure
from jamlab.measure.connectivity.ends import CALLEE, CALLER
from jamlab.measure.connectivity_on_kernel.agreement import agreement_configurations
from jamlab.measure.connectivity_on_kernel.network import KernelNetwork
from jamlab.measure.connectivity_on_kernel.remote_process import RemoteProcess
from jamlab.measure.connectivity_on_kernel.session_end import QUALITY
from jamlab.measure.connectivity_on_kernel.trickled_call import call_between
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FULL_CONE, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from tests.media.agent.meeting import HOME
from tests.mesh.test_connecting import pair, unblock

UPGRADES = 50
TOGETHER = 5
"""Calls at a time on the kernel: more of them would keep its processors busy."""
PLAYED_S = 3.0
MOVED_WITHIN_S = 20.0
"""Direct pairs are checked again each 15 s."""
AFTER_S = 1.0
PACE_S = 0.1

_BLOCKED = Place("blocked", ((FirewallType(udp_blocked=True), FULL_CONE),))
_OPEN = place_named("open")


def virtual_upgrades(pool: Executor) -> list[Bar]:
    """Return the rows on sessions in virtual time, over links of a delay and nothing else.

    Where there is no jitter, a buffer keeps no margin: even the time that a packet waits for
    another one on a link of a finite rate would be concealed.
    """
    concealed, moved = zip(*pool.map(_virtual_upgrade, range(UPGRADES)), strict=True)
    name = f"concealed frames in {UPGRADES} upgrades, virtual time"
    return [_moved(moved, "virtual time"), bar(name, [float(sum(concealed))], "", "≤", 0)]


def kernel_upgrades() -> list[Bar]:
    """Return the rows on sessions in namespaces; root only."""
    with KernelNetwork([_OPEN]) as network:
        found = asyncio.run(_all_on_kernel(network))
    among = f"while {len(found)} calls move, kernel"
    return [
        _moved([move is not None for move in found], "kernel"),
        bar(f"frames concealed for lost packets {among}", [_sum(found, "lost")], "", "≤", 0),
        figure(f"frames concealed {among}", [_sum(found, "concealed")], ""),
    ]


def _moved(moved: list[bool], where: str) -> Bar:
    name = f"upgrades from relay to direct within {MOVED_WITHIN_S:g} s, {where}"
    return bar(name, [float(sum(moved))], "", "≥", UPGRADES)


def _virtual_upgrade(seed: int) -> tuple[int, bool]:
    """Return the frames that a call concealed, and whether it moved."""
    rng = random.Random(seed)
    delay_s, opens_s = rng.uniform(0.002, 0.06), rng.uniform(0.5, 4.0)

    async def main() -> tuple[int, bool]:
        async with pair(_BLOCKED, HOME, access=LinkConfig(delay_s)) as both:
            await both.heard_s()
            await asyncio.sleep(opens_s)
            begins_relayed, before = await both.routes() == {"relay"}, both.concealed
            unblock(both.world)
            await asyncio.sleep(MOVED_WITHIN_S + AFTER_S)
            moved = begins_relayed and await both.routes() == {"direct"}
            return both.concealed - before, moved

    with simulated_world():
        return run_simulated(main(), seed=seed)


@dataclass(frozen=True)
class _Counts:
    """Frames concealed at both ends of a call, and those of them whose packets never came."""

    concealed: int
    lost: int

    def __sub__(self, earlier: "_Counts") -> "_Counts":
        return _Counts(self.concealed - earlier.concealed, self.lost - earlier.lost)


async def _all_on_kernel(network: KernelNetwork) -> list[_Counts | None]:
    found = []
    for _ in range(0, UPGRADES, TOGETHER):
        found += await _some_on_kernel(network)
    return found


def _sum(found: list[_Counts | None], field: str) -> float:
    return float(sum(getattr(counts, field) for counts in found if counts is not None))


async def _some_on_kernel(network: KernelNetwork) -> list[_Counts | None]:
    """Make calls between two hosts that cannot reach each other, and then can.

    Return the counts of each while it moved, None for one that did not.
    """
    configuration = network.stand_in(agreement_configurations()[1], "upgrade")
    calls = []
    try:
        await _close_path(network, closed=True)
        for _ in range(TOGETHER):
            ends = [
                await network.open_session(side, _OPEN, configuration) for side in (CALLER, CALLEE)
            ]
            calls.append(ends)
            await call_between(*ends, may_change=False, deadline_s=MOVED_WITHIN_S)
        await asyncio.sleep(PLAYED_S)
        relayed = [await _is_relayed(ends) for ends in calls]
        await _close_path(network, closed=False)
        moving = (_moving(ends) for ends, was in zip(calls, relayed, strict=True) if was)
        return [*await asyncio.gather(*moving)]
    finally:
        await _close_path(network, closed=False)
        for ends in calls:
            await asyncio.gather(*(end.close() for end in ends))


async def _moving(ends: list[RemoteProcess]) -> _Counts | None:
    """Wait until a call has moved; return what it lost from shortly before until a second later."""
    before = earlier = await _counts(ends)
    try:
        async with asyncio.timeout(MOVED_WITHIN_S):
            while await _is_relayed(ends):
                before, earlier = earlier, await _counts(ends)
                await asyncio.sleep(PACE_S)
    except TimeoutError:
        return None
    await asyncio.sleep(AFTER_S)
    return await _counts(ends) - before


async def _is_relayed(ends: list[RemoteProcess]) -> bool:
    return any(["relay" in await end.call("types") for end in ends])


async def _counts(ends: list[RemoteProcess]) -> _Counts:
    concealed = lost = 0
    for end in ends:
        _, late, frames = await end.call("counts")
        concealed, lost = concealed + frames, lost + frames - late * QUALITY.frame_frames
    return _Counts(concealed, lost)


async def _close_path(network: KernelNetwork, *, closed: bool) -> None:
    """Let neither host have a way to the other, or give both their way back."""
    hosts = [network.host(side, _OPEN) for side in (CALLER, CALLEE)]
    for one, other in (hosts, hosts[::-1]):
        verb = "replace" if closed else "delete"
        command = one.command("ip", "route", verb, "blackhole", f"{other.addresses[0]}/32")
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        await process.wait()  # there may be none to delete
