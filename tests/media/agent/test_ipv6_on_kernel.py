"""Agents over IPv6 through the kernel's own firewalls, with host candidates alone."""

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from jamlab.media.agent.agent import IceAgent
from jamlab.media.ice_connection import selected_pair
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import SYMMETRIC
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import expected
from jamlab.networks.model.topology import PERFECT, Topology
from tests.leaks import DEADLINE_S

TOUGH = Place("tough", ((SYMMETRIC,),))
RTP = bytes((128, 96)) + bytes(20)
IN_VAIN_S = 1.0
"""Time for two agents that cannot meet: either has checked the other several times."""

pytestmark = pytest.mark.skipif(kernel.unavailable() is not None, reason=kernel.unavailable() or "")


async def meet(controls, tell, told, within_s):
    """Return the addresses of the pair that an agent sends on, None when it does not connect."""
    candidates, ended = [], asyncio.Event()

    def take(candidate):
        candidates.append(candidate)
        if candidate is None:
            ended.set()

    agent = IceAgent(on_candidate=take)
    agent.ice_controlling = controls
    await agent.gather_candidates()
    await ended.wait()
    tell.put((agent.local_username, agent.local_password, candidates))
    agent.remote_username, agent.remote_password, theirs = told.get(timeout=DEADLINE_S)
    for candidate in theirs:
        await agent.add_remote_candidate(candidate)
    try:
        async with asyncio.timeout(within_s):
            await agent.connect()
        await agent.send(RTP)
        async with asyncio.timeout(DEADLINE_S):
            assert await agent.recv() == RTP
            pair = selected_pair(agent)
        tell.put(None)
        told.get(timeout=DEADLINE_S)  # the other has received, too
        return pair[0].host, pair[1].host
    except TimeoutError:
        return None
    finally:
        await agent.close()


def paths(one, other, within_s):
    """Return what `meet` returns at both ends, in namespaces in the two places."""
    ones, others = queue.Queue(), queue.Queue()
    members = one.member("one", PERFECT), other.member("other", PERFECT)

    def run(host, *end):
        host.enter()
        return asyncio.run(meet(*end, within_s))

    with KernelLab(Topology(members)) as lab, ThreadPoolExecutor(2) as threads:
        ends = [
            threads.submit(run, lab.host("one"), True, others, ones),
            threads.submit(run, lab.host("other"), False, ones, others),
        ]
        return [end.result() for end in ends]


@pytest.mark.parametrize(
    "firewalls",
    [
        (Ipv6Firewall.NONE, Ipv6Firewall.NONE),
        (Ipv6Firewall.STATEFUL, Ipv6Firewall.STATEFUL),
        (Ipv6Firewall.STATEFUL, Ipv6Firewall.CLOSED),
        (None, Ipv6Firewall.STATEFUL),
    ],
)
def test_they_meet_where_the_rule_says_so(firewalls):
    """Home firewalls let replies in, and both ends send first (RFC 6092, RFC 8445)."""
    one, other = (TOUGH if each is None else TOUGH.variant(each) for each in firewalls)
    direct = expected(one, other, stun=False).direct
    here, there = paths(one, other, DEADLINE_S if direct else IN_VAIN_S)
    assert (here is not None, there is not None) == (direct, direct)
    if direct:
        assert here == there[::-1]
        assert all(":" in address for address in here)
