"""One participant of a latency run on the kernel's network: a process in its host's namespace.

It is the participant of `jamlab join`, with a virtual card, in a session that meets at a hub. The
one that receives an order measures the mesh (`jamlab.measure.live_mesh.ask`), the others answer.
Namespaces of one machine share its clock, so differences between times of different processes are
exact.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.latency.participants import Participant
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.live_mesh.answer import answering
from jamlab.measure.live_mesh.ask import measure_mesh
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.precise_loop import run_precisely
from jamlab.signaling.supabase.channel import SupabaseChannel

CONNECT_TIMEOUT_S = 90.0
"""Enough for several attempts."""

MACHINE_CLOCK = WallClock(ahead_s=0.0, error_s=0.0)
"""The event loop's clock, which is the machine's monotonic clock, the same for all processes."""


@dataclass(frozen=True)
class PlayerTask:
    """The task of a player process: its name, the other participants, the hub and the plan."""

    name: str
    others: tuple[str, ...]
    hub: str
    key: str
    ice: IceConfiguration
    plan: LatencyPlan

    def to_data(self) -> dict[str, Any]:
        """Return the task as JSON types."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "PlayerTask":
        """Return the task that `to_data` wrote."""
        ice = data["ice"]
        servers = tuple(IceServer(**server) for server in ice["servers"])
        return cls(
            data["name"],
            tuple(data["others"]),
            data["hub"],
            data["key"],
            IceConfiguration(ice["name"], servers, ice["policy"]),
            LatencyPlan(**data["plan"]),
        )


async def play() -> None:
    """Play the parent's task until the parent asks this process to finish."""
    task = PlayerTask.from_data(receive())
    me = measuring_participant(
        "rig",
        task.name,
        partial(SupabaseChannel, url=task.hub, key=task.key),
        plan=task.plan,
        ice=task.ice,
        keep_s=KEEP_S,
    )
    async with me.session, answering(me, read_clock=lambda: MACHINE_CLOCK):
        await me.session.wait_connected(CONNECT_TIMEOUT_S, *task.others)
        send({"connected": sorted(me.session.service.peers)})
        while (order := await asyncio.to_thread(receive)) is not None:
            await _measure(me, task.plan, Path(order["folder"]))
        send({"routes": routes(me)})


async def _measure(me: Participant, plan: LatencyPlan, folder: Path) -> None:
    await asyncio.sleep(plan.settle_s)
    record = await measure_mesh(me, plan.duration_s, clock=MACHINE_CLOCK)
    record.save(folder)
    send({"measured": str(folder)})


def routes(me: Participant) -> dict[str, str | None]:
    """Return the route to each peer in one word, the last value of `PeerFigures.route`."""
    return {figures.peer_id: figures.route for figures in me.session.figures if figures.route}


def main() -> None:
    """Run a player; the entry point of the process."""
    with ending_with_parent():
        run_precisely(play())


if __name__ == "__main__":
    main()
