"""Two ICE agents on the simulated internet that trickle to each other, without sessions."""

import asyncio
from contextlib import asynccontextmanager

from aioice import Connection

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.acceptance.simulated_homes import at_home
from jamlab.media.agent.agent import IceAgent
from jamlab.media.ice_connection import selected_pair
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

STUN = IceServer("stun:stun.jamlab.test:3478")
TURN = IceServer("turn:turn.jamlab.test:3478?transport=udp", "jam", "jam")
TURN_TCP = IceServer("turn:turn.jamlab.test:3478?transport=tcp", "jam", "jam")
ALL = IceConfiguration("all", (STUN, TURN, TURN_TCP))
ACCESS = LinkConfig(delay_s=0.015)
HOME = Place("home", ((PORT_RESTRICTED,),))
TOUGH = Place("tough", ((SYMMETRIC,),))
OFFICE = Place("office", ((FirewallType(udp_blocked=True), PORT_RESTRICTED),))
OPEN = Place("open", ())
SIGNALLING_S = 0.05
RTP = bytes((128, 96))
RTCP = bytes((128, 200))


class End:
    """One end: its agent, its candidates, and the numbers of the packets it got."""

    def __init__(self, name, world, controls, ice, stock=False, mapper=None):
        self.name, self.world, self.got, self.candidates = name, world, [], []
        self.heard_s = []
        self.servers, self.ended = None, False
        self.other = None
        with world.where(name):
            if stock:
                self.agent = Connection(controls, **ice.connection_arguments())
            else:
                self.agent = IceAgent(
                    ice.servers,
                    relays_only=ice.policy == "relay",
                    on_candidate=self.found,
                    on_servers=self.note_servers,
                    mapper=mapper,
                )
                self.agent.ice_controlling = controls
        self.tasks = []

    def found(self, candidate):
        self.ended = candidate is None
        if candidate is not None:
            self.candidates.append(candidate)
            self.tasks.append(asyncio.create_task(self.tell(candidate)))

    def note_servers(self, asked, useless):
        self.servers = asked, useless

    async def tell(self, candidate):
        await asyncio.sleep(SIGNALLING_S)
        with self.world.where(self.other.name):
            await self.other.agent.add_remote_candidate(candidate)

    async def connect(self):
        """Gather, connect, and then take packets until it is closed."""
        agent, far = self.agent, self.other.agent
        await agent.gather_candidates()
        if isinstance(agent, Connection) and not isinstance(agent, IceAgent):
            for candidate in agent.local_candidates:
                self.found(candidate)
        agent.remote_username, agent.remote_password = far.local_username, far.local_password
        await agent.connect()
        self.connected_s = asyncio.get_running_loop().time()
        self.tasks.append(asyncio.create_task(self.hear()))

    async def hear(self):
        while True:
            data = await self.agent.recv()
            number = int.from_bytes(data[2:6], "big")
            if number not in self.got:
                self.got.append(number)
                self.heard_s.append(asyncio.get_running_loop().time())

    async def play(self, first, count, every_s=0.01):
        """Send numbered packets, as those of a stream."""
        for number in range(first, first + count):
            await self.agent.send(RTP + number.to_bytes(4, "big") + bytes(20))
            await asyncio.sleep(every_s)

    @property
    def route(self):
        pair = selected_pair(self.agent)
        return "relay" if "relay" in (pair[0].type, pair[1].type) else "direct"

    async def close(self):
        await self.agent.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def meeting(one, other, ice=ALL, there=None, stock=(), access=ACCESS, mapper=None):
    """Open a world with two ends, the first of which controls; they do not connect yet."""
    async with at_home({"one": one, "other": other}, access, there or ice) as world:
        ends = [
            End(name, world, name == "one", ice, name in stock, mapper) for name in ("one", "other")
        ]
        for end, far in (ends, ends[::-1]):
            end.other = far
        try:
            yield world, *ends
        finally:
            await asyncio.gather(*(end.close() for end in ends))


async def join(world, *ends, within_s=10.0):
    """Connect both ends; returns when each of them can send."""

    async def there(end):
        with world.where(end.name):
            await end.connect()

    async with asyncio.timeout(within_s), asyncio.TaskGroup() as group:
        for end in ends:
            group.create_task(there(end))


def play(world, ends, count, every_s=0.01):
    """Let ends send numbered packets from now on; return the tasks, which end with the ends."""
    for end in ends:
        with world.where(end.name):
            end.tasks.append(asyncio.create_task(end.play(0, count, every_s)))
    return [end.tasks[-1] for end in ends]


def simulated(scenario):
    """Run a test in virtual time."""

    def test(*arguments, **named):
        with simulated_world():
            return run_simulated(scenario(*arguments, **named), seed=1)

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test
