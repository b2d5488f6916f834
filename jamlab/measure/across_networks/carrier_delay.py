"""The delay that carrying a link's packets in user space adds, measured with datagrams.

One thread has a socket at either end, sends a datagram, waits for its arrival, and sends it back.
So each direction has its own time, by one clock. Three labs are compared: one with plain cables
(veth), one with a link that a process carries without delay, and one with a link of known delay.
The first takes the time of sockets and kernel; the excess of the second, and that of the third over
its delay, is the carrier's: its wake-up, reading and writing.

It is measured before a run, on an idle machine. During the run each carrier notes how late it sent
each packet (`jamlab.networks.kernel.shaper.DirectionReport`).
"""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import PERFECT, HostConfig, Topology

NO_DELAY = LinkConfig(delay_s=1e-9)
"""A negligible delay, so that a process carries the link all the same."""
DELAY_S = 0.010
PROBES = 200
_PAYLOAD = b"\0" * 100  # about the size of a packet of sound
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class AddedLatency:
    """One-way times of a datagram, in seconds: median and 99th percentile over both directions."""

    cable_median_s: float
    """Time over plain cables."""
    cable_p99_s: float
    carried_median_s: float
    """Time over a link without delay, less the cables' median."""
    carried_p99_s: float
    delayed_median_s: float
    """Time over a link with a delay, less the delay and the cables' median."""
    delayed_p99_s: float
    least_s: float
    """Least time over a link with a delay, less the delay; below 0, a packet was early."""
    delay_s: float
    """Delay of the link with a delay."""
    probes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for a record."""
        return asdict(self)


def measure_added(probes: int = PROBES, delay_s: float = DELAY_S) -> AddedLatency:
    """Measure the delay that carrying packets in user space adds.

    In each of the three labs, `probes` datagrams go there and back. Raises `KernelLabError`, which
    states why, when this machine cannot have a network lab.
    """
    cable, carried, delayed = (
        one_way_s(link, probes) for link in (PERFECT, NO_DELAY, LinkConfig(delay_s=delay_s))
    )
    usual_s = float(np.median(cable))
    return AddedLatency(
        usual_s,
        _p99(cable),
        float(np.median(carried)) - usual_s,
        _p99(carried) - usual_s,
        float(np.median(delayed)) - delay_s - usual_s,
        _p99(delayed) - delay_s - usual_s,
        min(delayed) - delay_s,
        delay_s,
        probes,
    )


def _p99(times_s: list[float]) -> float:
    return float(np.quantile(times_s, 0.99))


def one_way_s(link: LinkConfig, probes: int) -> list[float]:
    """Return the one-way times of datagrams between two hosts, of which one has the link."""
    topology = Topology((HostConfig("near", link), HostConfig("far")))
    with KernelLab(topology, name="probe") as lab, _sockets(lab) as (near, far):
        ways = [(near, far), (far, near)] * (probes + 1)
        times_s = [_sent(*way) for way in ways]
    return times_s[2:]  # the first of each direction also resolves addresses and wakes processes


def _sent(sender: socket.socket, receiver: socket.socket) -> float:
    sent_s = time.monotonic()
    sender.send(_PAYLOAD)
    receiver.recv(len(_PAYLOAD))
    return time.monotonic() - sent_s


@contextmanager
def _sockets(lab: KernelLab) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a socket on each host, connected with the other's."""
    with ExitStack() as stack:
        ends = []
        for name in ("near", "far"):
            host = lab.host(name)
            with host.inside():
                end = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            end.bind((host.addresses[0], 0))
            end.settimeout(_PATIENCE_S)
            ends.append(end)
        near, far = ends
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        yield near, far
