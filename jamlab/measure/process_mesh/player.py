"""One participant of a latency run, as a process of its own.

Its orders, by name, and what it sends back:

===========================  ======================================================================
``session``, ``phase_s``     wait, start a card, join the session; ``connected``
``begin_s``                  play from that time of the machine's clock; ``played``, after leaving
``search``                   search the recordings for clicks; ``searched``, the share, many times
===========================  ======================================================================

The process has real-time priority while it plays, where the system allows it, as a session with a
sound card has.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from jamlab.measure.latency.click_paths import click_table, waveform_table
from jamlab.measure.latency.participants import CONNECT_TIMEOUT_S, rig_participant
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.loop_lag import LagProbe
from jamlab.measure.process_mesh.emission import Emission
from jamlab.measure.process_mesh.part import Part
from jamlab.measure.provenance import provenance
from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.pauses import collector_paused
from jamlab.process.precise_loop import run_precisely
from jamlab.process.real_time import RealTime
from jamlab.signaling.supabase.channel import SupabaseChannel


class PlayerTask(msgspec.Struct, frozen=True):
    """The task of a player: its name, the hub at which participants meet, and the plan."""

    name: str
    hub: str
    key: str
    plan: dict[str, Any]
    folder: str
    """Folder in which the players leave what the others need, and their records."""


class Player:
    """One participant, through all sessions of a run."""

    def __init__(self, task: PlayerTask) -> None:
        self._task = task
        self._plan = LatencyPlan(**task.plan)
        self._parts: list[Part] = []
        self._probe = LagProbe()
        self._is_real_time = False

    async def obey(self) -> None:
        """Carry out the parent's orders until it asks this process to finish."""
        send({"started": self._task.name})
        while (order := await asyncio.to_thread(receive)) is not None:
            if "session" in order:
                await self._join(order["session"], order["phase_s"])
            else:
                self._search()

    async def _join(self, session: int, phase_s: float) -> None:
        task = self._task
        meet = partial(SupabaseChannel, url=task.hub, key=task.key)
        clicks = self._plan.metronomes()[task.name]
        me = rig_participant(task.name, clicks, meet, self._plan, room=f"rig {session}")
        part = Part(me, self._plan, session)
        realtime = RealTime()
        with collector_paused():
            await asyncio.sleep(phase_s)
            self._is_real_time = realtime.ask()
            try:
                async with me.session:
                    await self._play(part)
            finally:
                realtime.give_back()
        assert part.emission is not None
        part.emission.save(Path(task.folder), session)
        self._parts.append(part)
        send({"played": session})

    async def _play(self, part: Part) -> None:
        part.me.click()
        await part.me.session.wait_connected(CONNECT_TIMEOUT_S, *part.others)
        send({"connected": part.session})
        order = await asyncio.to_thread(receive)
        with self._probe:
            await part.play(order["begin_s"])

    def _search(self) -> None:
        """Search all recordings, and leave a record of the paths that end at our loudspeaker."""
        readings = []
        for done, part in enumerate(self._parts):
            folder, session = Path(self._task.folder), part.session
            emissions = {name: Emission.load(folder, session, name) for name in part.others}
            for path in part.paths(emissions):
                readings.append((path, path.readings()))
                send({"searched": done / len(self._parts)})
        record = LatencyRecord(
            click_table(readings),
            pd.DataFrame([row for part in self._parts for row in part.streams]),
            waveform_table(readings),
            provenance(
                self._plan.to_dict(),
                loop_lag=self._probe.lag().to_dict(),
                real_time=self._is_real_time,
            ),
        )
        record.save(Path(self._task.folder) / self._task.name)
        send({"searched": 1.0})


def main() -> None:
    """Run a player; the entry point of the process."""
    with ending_with_parent():
        run_precisely(Player(msgspec.convert(receive(), PlayerTask)).obey())


if __name__ == "__main__":
    main()
