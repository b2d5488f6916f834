"""``make bench-redundancy``: what redundant audio repairs of the losses between two participants.

They play on the simulated internet, in virtual time: real encoder, RTP, RTCP and playout buffers.
Packets are lost at random, each by itself or in bursts. Beside it, what one copy would repair that
comes one or two packets later, and both, on the same losses.
"""

import asyncio
import random
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from bench.bars import bar, figure, publish
from jamlab.audio.card import VirtualCard
from jamlab.measure.across_networks.simulated import topology
from jamlab.mesh.connection import negotiation
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import Link, LinkConfig
from jamlab.networks.model.profile import NetworkProfile
from jamlab.networks.model.topology import host_name
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel

NAMES = "ada", "ben"
CONNECTING_S, SETTLING_S, DURATION_S = 20, 15, 40
SEEDS = 1, 2, 3
LOSS = 0.01
MOST_CONCEALED_PERCENT = 0.05
BURSTS = 1.0, 2.0, 3.0
COPIES = {
    "a copy in the next packet": (1,),
    "a copy in the second next": (2,),
    "copies in both": (1, 2),
}
FIGURES = {
    "concealed_percent": ("concealed", "%"),
    "redundant_percent": ("time with redundancy", "%"),
    "sent_kbit_s": ("sent with headers", "kbit/s"),
    "playout_ms": ("wait in the playout buffer", "ms"),
}


@dataclass(frozen=True)
class Call:
    """What both directions of a call counted together, once it had settled."""

    concealed_percent: float
    redundant_percent: float
    """Time in which packets carried redundant audio."""
    sent_kbit_s: float
    """Of one direction, with headers."""
    playout_ms: float
    """Mean wait of a packet until it is played."""


def network(loss, burst_packets=1.0):
    """Return a network that loses packets and delays all others alike."""
    return NetworkProfile("lossy", 0.01, 0.0, loss, burst_packets, 1e9, 1e9, "none", "all")


def call(profile, seed, *, redundancy=True):
    """Return what two participants count on a network, with redundancy by need or without any."""
    never = patch.object(negotiation, "use_redundancy", lambda *_: None)
    with simulated_world(), nullcontext() if redundancy else never:
        return run_simulated(_call(profile), seed=seed)


async def _call(profile):
    internet, channel = Internet(topology(profile, NAMES)), MemoryChannel()
    async with AsyncExitStack() as stack:
        sessions = [
            JamSession("room", name, signaling=lambda _: channel, card=VirtualCard())
            for name in NAMES
        ]
        for session, name in zip(sessions, NAMES, strict=True):
            with internet.host(host_name(name)):
                await stack.enter_async_context(session)
        for session in sessions:
            await session.wait_connected(CONNECTING_S)
        await asyncio.sleep(SETTLING_S)
        ends = list(zip(sessions, NAMES[::-1], strict=True))
        return await _counted(ends)


async def _counted(ends):
    """Return what is counted from now on, by the buffers and by the live figures."""
    counters = [session.service.playout(peer).counters for session, peer in ends]
    before = [(each.concealed_frames, each.played_frames) for each in counters]
    await asyncio.sleep(DURATION_S)
    after = [(each.concealed_frames, each.played_frames) for each in counters]
    concealed, played = np.subtract(after, before).sum(axis=0)
    figures = [entry for session, _ in ends for entry in session.figures[-DURATION_S:]]
    return Call(
        100 * concealed / (concealed + played),
        100 * float(np.mean([entry.is_redundant for entry in figures])),
        float(np.mean([entry.sent_bit_s for entry in figures])) / 1000,
        1000 * float(np.mean([entry.playout_s for entry in figures])),
    )


def unrepaired_percent(burst_packets, distances, packets=400_000):
    """Return the share of packets lost with all of their copies; 1 % of packets are lost."""
    link = Link(LinkConfig(loss=LOSS, burst_packets=burst_packets), random.Random(1))
    lost = np.array([not link.transit(100, float(number)) for number in range(packets)])
    gone = lost.copy()
    for distance in distances:
        gone &= np.roll(lost, -distance)
    return 100 * float(gone.mean())


def rows():
    """Return the bars, and the figures beside them."""
    calls = {
        "1 % lost singly": [call(network(LOSS), seed) for seed in SEEDS],
        "1 % lost singly, never redundant": [
            call(network(LOSS), seed, redundancy=False) for seed in SEEDS
        ],
        "1 % lost in bursts of 2": [call(network(LOSS, 2.0), seed) for seed in SEEDS],
        "nothing lost": [call(network(0.0), seed) for seed in SEEDS],
    }
    concealed = [each.concealed_percent for each in calls["1 % lost singly"]]
    on = [each.redundant_percent for each in calls["nothing lost"]]
    return [
        bar("1 % lost singly: concealed", concealed, "%", "≤", MOST_CONCEALED_PERCENT),
        bar("nothing lost: time with redundancy", on, "%", "≤", 0),
        *(
            figure(f"{name}: {title}", [getattr(each, field) for each in called], unit)
            for name, called in calls.items()
            for field, (title, unit) in FIGURES.items()
        ),
        *(
            figure(
                f"bursts of {burst:g}, {copies}: lost with all copies",
                [unrepaired_percent(burst, distances)],
                "%",
            )
            for burst in BURSTS
            for copies, distances in COPIES.items()
        ),
    ]


def main():
    publish(rows(), Path("reports/bench-redundancy.json"))


if __name__ == "__main__":
    main()
