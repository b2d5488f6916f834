"""Topologies and helpers for tests of the simulated internet."""

import asyncio
import random

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import Topology
from jamlab.networks.simulated.host import Host
from jamlab.networks.simulated.internet import Internet


def delay(seconds):
    return LinkConfig(delay_s=seconds)


def internet(*members):
    return Internet(Topology(members))


class Port(asyncio.DatagramProtocol):
    """Notes what comes, and answers with `answer(data)` unless either is None."""

    def __init__(self, answer=None):
        self.received = []
        self.times_s = []
        self.lost = 0
        self.answer = answer
        self.called_in = []

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, addr):
        loop = asyncio.get_running_loop()
        self.received.append((data, addr))
        self.times_s.append(loop.time())
        answered = None if self.answer is None else self.answer(data)
        if answered is not None:
            self.transport.sendto(answered, addr)

    def connection_lost(self, exc):
        self.lost += 1

    def send(self, data, addr):
        self.transport.sendto(data, addr)


def echo(data):
    return data


async def port(host, number=0, answer=None, remote=None):
    """Open a UDP port of a host."""
    with host:
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Port(answer),
            local_addr=(host.addresses[0], number),
            remote_addr=remote,
        )
    return protocol


def wired(count=2, *, seed=0, jitter_s=0.0, delay_s=0.01, dropped=lambda packet: False):
    """Hosts on a wire that may reorder, made of nothing but a timer: no link, no internet."""
    loop = asyncio.get_running_loop()
    rng = random.Random(seed)
    hosts, names, carried = {}, {}, []

    def send(packet):
        carried.append(packet)
        host = hosts.get(packet.destination[0])
        if host is not None and not dropped(packet):
            loop.call_later(delay_s + rng.random() * jitter_s, host.receive, packet)

    for number in range(1, count + 1):
        address = f"10.0.0.{number}"
        hosts[address] = Host(f"h{number}", (address,), send, names)
        names[f"h{number}"] = address
    return [*hosts.values()], carried
