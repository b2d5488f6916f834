"""Discovery on the simulated internet, for tests: a server, and a host behind boxes."""

import asyncio
from contextlib import AsyncExitStack

from jamlab.networks.discovery.discover import discover
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.stun.server import StunServer
from tests.networks.turn import independent_client as c

PERFECT = LinkConfig()
STUN = "stun", 3478
FIELDS = (
    "udp_blocked",
    "nat",
    "mapping",
    "filtering",
    "hairpinning",
    "ports_preserved",
    "lifetime_s",
)


def behind(*boxes, link=PERFECT, addresses=1):
    """Ada's machine behind boxes, each in a network of its own, from the inside out."""
    member = HostConfig("ada")
    for number, box in enumerate(boxes):
        outermost = number == len(boxes) - 1
        more = {"link": link, "addresses": addresses} if outermost else {}
        member = LanConfig(f"lan{number}", (member,), boxes=(box,), **more)
    return member if boxes else HostConfig("ada", link)


def stun_server(internet):
    """RFC 5780's server, where the internet has its host."""
    return StunServer(internet.host("stun").addresses, STUN[1])


class Answering(asyncio.DatagramProtocol):
    """Sends what ``answer(data, source)`` returns."""

    def __init__(self, answer):
        self.answer = answer

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        for reply in self.answer(data, addr):
            self.transport.sendto(reply, addr)


def answering(answer):
    """A server of one socket that answers as it is told to."""

    class Server:
        def __init__(self, internet):
            self.address = internet.host("stun").addresses[0], STUN[1]

        async def __aenter__(self):
            loop = asyncio.get_running_loop()
            self.transport, _ = await loop.create_datagram_endpoint(
                lambda: Answering(answer), local_addr=self.address
            )

        async def __aexit__(self, *exc_info):
            self.transport.close()

    return Server


def success(request, *attributes, class_=c.SUCCESS):
    """A response to a request, with these attributes."""
    return c.message(c.BINDING, class_, attributes, tid=request[8:20])


def told(member, *, server=stun_server, addresses=2, seed=0, before=None, **options):
    """Return what Ada finds out, and how long it takes."""

    async def main():
        internet = Internet(Topology((HostConfig("stun", addresses=addresses), member)))
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            with internet.host("stun"):
                await stack.enter_async_context(server(internet))
            if before is not None:
                before(internet)
            with internet.host("ada"):
                found = await discover(STUN, **options)
        check_reasons(found)
        return found, loop.time()

    return run_simulated(main(), seed=seed)


def check_reasons(found):
    """What was not found out has a reason, and nothing else has."""
    unknown = {name for name in FIELDS if getattr(found, name) is None}
    assert set(found.reasons) == unknown
    assert all(found.reasons.values())
