"""A mesh on the simulated internet with exactly known clocks and delays."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from jamlab.measure.live_mesh.answer import answering
from jamlab.measure.live_mesh.ask import measure_mesh
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel


@dataclass(frozen=True)
class SkewedClock(WallClock):
    """A clock of its own that gains `skew` seconds in each second of the true time."""

    skew: float = 0.0

    def at(self, loop_s):
        return self.ahead_s + loop_s * (1 + self.skew)

    def true_s(self, reading_s):
        """The loop's time at a reading."""
        return (reading_s - self.ahead_s) / (1 + self.skew)


def clock(ahead_s=0.0, skew=0.0):
    return SkewedClock(ahead_s, 0.0, skew)


def delay_what_it_sends(host, delay_s):
    """Make a host's way out longer than its way in."""
    send, loop = host.send, asyncio.get_running_loop()
    host.send = lambda packet: loop.call_later(delay_s, send, packet)


def measured_mesh(clocks, *, delay_s=0.010, out_s=None, deaf=(), duration_s=3.0, **options):
    """Measure a mesh of participants with these clocks, by name; the first one asks.

    Parameters
    ----------
    clocks : dict
        Everybody's clock.
    delay_s : float
        One way between any two.
    out_s : dict
        How much longer what somebody sends takes.
    deaf : collection
        Who does not answer.
    """

    async def main():
        line = LinkConfig(delay_s=delay_s / 2)
        net = Internet(Topology(tuple(HostConfig(name, line) for name in clocks)))
        room, asker = MemoryChannel(), next(iter(clocks))
        async with AsyncExitStack() as stack:
            members = {}
            for name, own in clocks.items():
                member = measuring_participant("room", name, lambda _: room, keep_s=KEEP_S)
                host = net.host(name)
                with host:
                    await stack.enter_async_context(member.session)
                if name in (out_s or {}):
                    delay_what_it_sends(host, out_s[name])
                members[name] = member
                if name != asker and name not in deaf:
                    await stack.enter_async_context(answering(member, read_clock=lambda o=own: o))
            for member in members.values():
                await member.session.wait_connected(20)
            await asyncio.sleep(1.0)
            return await measure_mesh(members[asker], duration_s, clock=clocks[asker], **options)

    with simulated_world():
        return run_simulated(main(), seed=1)
