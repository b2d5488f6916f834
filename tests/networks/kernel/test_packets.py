"""The same packets on the simulated internet and on the kernel: delivery compared.

Behind each kind of box two hosts send at random, and so do four addresses outside. Where a host was
seen from outside is told to others, who send there: whether that arrives is up to mapping,
filtering and hairpinning.
"""

import asyncio
import contextlib
import os
import random
import select
import socket
from dataclasses import dataclass, replace
from functools import partial

import pytest

from jamlab.networks.kernel.lab import KernelLab, unavailable
from jamlab.networks.model.nat_behaviour import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    FirewallType,
)
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from tests.leaks import DEADLINE_S

NATS = (FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED)
BOXES = {
    **{f"{nat.filtering}": (nat,) for nat in NATS},
    **{f"{nat.filtering}-hairpin": (replace(nat, hairpinning=True),) for nat in NATS},
    "symmetric": (SYMMETRIC,),
    **{f"door-{filtering}": (FirewallType(filtering),) for filtering in Filtering},
    "nat-then-door": (FULL_CONE, FirewallType(Filtering.ADF)),
    "door-then-nat": (FirewallType(Filtering.ADF), FULL_CONE),
    "blocked": (FULL_CONE, FirewallType(udp_blocked=True)),
}
OUTSIDE = [(address, port) for address in (0, 1) for port in (3478, 3479)]
INSIDE = (20000, 30000)  # behind one NAT of the kernel, ports have to differ


@dataclass(frozen=True)
class Step:
    """A packet from one end; to an outside end, or to where one has seen an inside one."""

    sender: int
    to: int
    seen_by: int | None = None


def script(seed, length=60):
    """Return who sends to whom; ends 0 to 3 are outside, 4 and 5 inside."""
    rng = random.Random(seed)
    steps = []
    for _ in range(length):
        if rng.random() < 0.35:
            steps.append(Step(rng.choice((4, 5)), rng.randrange(4)))
        else:
            steps.append(Step(rng.randrange(6), rng.choice((4, 5)), rng.randrange(4)))
    return steps


def world(layers=1):
    """Return homes behind every kind of box, and in a carrier's network of another such box."""
    homes = []
    for name, boxes in BOXES.items():
        hosts = tuple(HostConfig(f"{name}-{end}") for end in (4, 5))
        home = LanConfig(name, hosts, boxes)
        for layer in range(1, layers):
            home = LanConfig(f"{name}-carrier{layer}", (home,), boxes)
        homes.append(home)
    return Topology((HostConfig("outside", addresses=2), *homes))


class Ends:
    """What both sides have in common: where to send, and what has come."""

    def __init__(self):
        self.seen = {}
        self.came = []

    def received(self, home, end, payload, source):
        told_home, number, sender = payload.decode().split()
        self.came.append((told_home, int(number), end))
        if end < 4 and int(sender) >= 4:
            self.seen[told_home, int(sender), end] = source

    def target(self, home, step, addresses):
        if step.seen_by is None:
            host, port = OUTSIDE[step.to]
            return addresses[host], port
        return self.seen.get((home, step.to, step.seen_by))


async def simulated(topology, steps):
    """Play the steps on the simulated internet; returns home, step and end of what arrived."""
    internet, ends, loop = Internet(topology), Ends(), asyncio.get_running_loop()
    addresses = internet.host("outside").addresses

    class Port(asyncio.DatagramProtocol):
        def __init__(self, end):
            self.end = end

        def datagram_received(self, data, addr):
            ends.received(None, self.end, data, addr)

    async def port(host, end, address):
        with host:
            endpoint = loop.create_datagram_endpoint(lambda: Port(end), local_addr=address)
            return (await endpoint)[0]

    outside = internet.host("outside")
    ports = {
        (None, end): await port(outside, end, (addresses[host], number))
        for end, (host, number) in enumerate(OUTSIDE)
    }
    for home in BOXES:
        for end, number in zip((4, 5), INSIDE, strict=True):
            host = internet.host(f"{home}-{end}")
            ports[home, end] = await port(host, end, (host.addresses[0], number))
    for number, step in enumerate(steps):
        for home in BOXES:
            target = ends.target(home, step, addresses)
            if target is not None:
                sender = ports[home if step.sender >= 4 else None, step.sender]
                sender.sendto(f"{home} {number} {step.sender}".encode(), target)
        await asyncio.sleep(0.001)
    return ends.came


def on_the_kernel(topology, steps):
    """Play them there."""
    ends = Ends()
    with KernelLab(topology) as lab, one_processor(), contextlib.ExitStack() as stack:
        addresses = lab.host("outside").addresses

        def port(host, address, timeout_s=0):
            with host.inside():
                opened = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            opened.bind(address)
            opened.settimeout(timeout_s)
            return opened

        ports = {
            (None, end): port(lab.host("outside"), (addresses[host], number))
            for end, (host, number) in enumerate(OUTSIDE)
        }
        for home in BOXES:
            for end, number in zip((4, 5), INSIDE, strict=True):
                host = lab.host(f"{home}-{end}")
                ports[home, end] = port(host, (host.addresses[0], number))
        deep = lab.host("nat-then-door-4")
        far = port(lab.host("outside"), (addresses[0], 9), DEADLINE_S)
        round_trip = partial(
            along_the_longest_way, far, port(deep, (deep.addresses[0], 40000), DEADLINE_S)
        )
        names = {opened: name for name, opened in ports.items()}
        for number, step in enumerate(steps):
            for home in BOXES:
                target = ends.target(home, step, addresses)
                if target is not None:
                    sender = ports[home if step.sender >= 4 else None, step.sender]
                    sender.sendto(f"{home} {number} {step.sender}".encode(), target)
            round_trip()
            for opened in select.select([*names], [], [], 0)[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        ends.received(*names[opened], *opened.recvfrom(64))
    return ends.came


@contextlib.contextmanager
def one_processor():
    """Keep the thread on one: its packets then stand in one queue, in the order they were sent."""
    all_ = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_)


def along_the_longest_way(far, near):
    """Send there and back through as many boxes as there are: what was sent before is through."""
    near.sendto(b"there", far.getsockname())
    _, seen = far.recvfrom(64)
    far.sendto(b"back", seen)
    near.recvfrom(64)


@pytest.mark.slow
@pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")
@pytest.mark.parametrize(("seed", "layers"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_the_same_packets_arrive(seed, layers):
    steps = script(seed)
    expected = run_simulated(simulated(world(layers), steps), seed=seed)
    found = on_the_kernel(world(layers), steps)
    for home in BOXES:
        told, came = ([it for it in all_ if it[0] == home] for all_ in (expected, found))
        assert sorted(came) == sorted(told), home
    assert len(expected) > 100
