"""What a link carried in user space adds to the delay it was told: measured on the way, by packets.

One thread holds a socket at either end, sends a datagram, waits until it is there, and has it
echoed. So each way has a time of its own, of one clock. Three labs are compared: one whose cables
do nothing (veth), one whose link is carried by a process and delays nothing, and one that delays by
a known time. What the first takes is the sockets' and the kernel's; what the second takes more, and
the third more than that and the delay, is the carrier's: its being woken, reading and writing.

It is measured before a run, on a machine that has nothing else to do. During the run each carrier
notes how late it put each packet out (`jamlab.networks.kernel.shaper.DirectionReport`).
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
"""As good as none, and yet a link that is carried."""
DELAY_S = 0.010
PROBES = 200
_PAYLOAD = b"\0" * 100  # about that of a packet of sound
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class AddedLatency:
    """Times of a datagram one way, in seconds: median and 99th percentile of both ways' probes."""

    cable_median_s: float
    """Over cables that do nothing."""
    cable_p99_s: float
    carried_median_s: float
    """What a link that does nothing takes more than the cables' median."""
    carried_p99_s: float
    delayed_median_s: float
    """What a link that delays takes more than its delay and the cables' median."""
    delayed_p99_s: float
    least_s: float
    """The least that a link that delays took more than its delay: below 0 it would be early."""
    delay_s: float
    """That delay."""
    probes: int

    def to_dict(self) -> dict[str, Any]:
        """Return it for a record."""
        return asdict(self)


def measure_added(probes: int = PROBES, delay_s: float = DELAY_S) -> AddedLatency:
    """Measure what carrying packets in user space adds.

    Parameters
    ----------
    probes : int
        How many datagrams there and back, for each of the three.
    delay_s : float
        What the link that delays is told.

    Raises
    ------
    jamlab.networks.kernel.lab.KernelLabError
        When there can be no network lab here; says why.
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
    """Return the time of every datagram, both ways, between two hosts one of which has a link."""
    topology = Topology((HostConfig("near", link), HostConfig("far")))
    with KernelLab(topology, name="probe") as lab, _sockets(lab) as (near, far):
        ways = [(near, far), (far, near)] * (probes + 1)
        times_s = [_sent(*way) for way in ways]
    return times_s[2:]  # the first of each way found its route and woke everybody


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
