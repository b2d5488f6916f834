"""A call between two places drawn from a population, and its attempt on the simulated internet.

::

    backbone ─┬─ stun      access links: each end draws its own delay, the servers have a fixed one
              ├─ turn
              ├─ (boxes of the caller's place) ── caller
              └─ (boxes of the callee's place) ── callee

A call depends only on the campaign's seed and its own number, so it is the same in every order, on
every worker and under every configuration. The simulated internet's servers take the place of the
servers that a configuration names.
"""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import cache

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.attempt import DEADLINE_S, Attempt, attempt
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.population import Population
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import DOMAIN, HostConfig, Topology
from jamlab.networks.simulated.clock import Clock
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import SimulatedLoop, run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer

ACCESS_DELAY_S = (0.005, 0.050)
"""Range of the one-way delay between an end and the backbone, drawn uniformly."""

SIGNALLING_S = (0.02, 0.20)
"""Range of the delay of an offer or an answer, drawn uniformly."""

SERVER_LINK = LinkConfig(delay_s=0.010)
SERVER_PORT = 3478
SERVERS = HostConfig("stun", SERVER_LINK), HostConfig("turn", SERVER_LINK)
DEMO_USER, DEMO_PASSWORD = "jam", "jam"
"""User and password of the simulated TURN server."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its two places and its delays."""

    number: int
    seed: int
    caller: Place
    callee: Place
    caller_delay_s: float
    """One-way delay between the caller and the backbone."""
    callee_delay_s: float
    signalling_s: float
    """Delay of an offer or an answer."""

    @classmethod
    def drawn(cls, population: Population, campaign_seed: int, number: int) -> "Call":
        """Return a call of a campaign; both ends are drawn from a population independently."""
        rng = random.Random(campaign_seed << 64 | number)
        return cls(
            number,
            rng.getrandbits(31),
            population.place_at(rng.random()),
            population.place_at(rng.random()),
            rng.uniform(*ACCESS_DELAY_S),
            rng.uniform(*ACCESS_DELAY_S),
            rng.uniform(*SIGNALLING_S),
        )

    @property
    def topology(self) -> Topology:
        """The internet of the call."""
        return Topology(
            (
                *SERVERS,
                self.caller.member("caller", LinkConfig(delay_s=self.caller_delay_s)),
                self.callee.member("callee", LinkConfig(delay_s=self.callee_delay_s)),
            )
        )


def simulate(
    call: Call,
    configuration: IceConfiguration,
    level: Level = "ice",
    deadline_s: float = DEADLINE_S,
    clock: Clock | None = None,
) -> Attempt:
    """Try a call under a configuration on the simulated internet, with its servers (`stand_in`).

    The clock, which the deadline goes by, is virtual by default; a `RealClock` runs the same call
    in real time.
    """
    with simulated_world():
        trying = try_call(call, configuration, level, deadline_s)
        return run_simulated(trying, seed=call.seed, clock=clock)


async def try_call(
    call: Call,
    configuration: IceConfiguration,
    level: Level = "ice",
    deadline_s: float = DEADLINE_S,
) -> Attempt:
    """Try a call on a running simulated loop; parameters as in `simulate`."""
    configuration = stand_in(configuration)
    internet = Internet(call.topology)
    async with AsyncExitStack() as servers:
        await open_servers(internet, configuration, servers)
        return await attempt(
            configuration,
            level=level,
            signalling_s=call.signalling_s,
            deadline_s=deadline_s,
            caller_at=lambda: internet.host("caller"),
            callee_at=lambda: internet.host("callee"),
            caller_maps=internet.host("caller").map_port,
            callee_maps=internet.host("callee").map_port,
        )


@cache
def stand_in(configuration: IceConfiguration) -> IceConfiguration:
    """Return a configuration with the simulated internet's servers in place of its own.

    They are of the same kinds, as far as aiortc uses them. The simulated internet has TCP in place
    of TLS: none of its boxes inspects a stream, so both pass the same boxes.
    """
    arguments = configuration.connection_arguments()
    servers = []
    if "stun_server" in arguments:
        servers.append(IceServer(f"stun:stun.{DOMAIN}:{SERVER_PORT}"))
    if "turn_server" in arguments:
        url = f"turn:turn.{DOMAIN}:{SERVER_PORT}?transport={arguments['turn_transport']}"
        servers.append(IceServer(url, DEMO_USER, DEMO_PASSWORD))
    return replace(configuration, servers=tuple(servers))


async def open_servers(
    internet: Internet, configuration: IceConfiguration, servers: AsyncExitStack
) -> TurnServer | None:
    """Open the servers of `SERVERS` that a configuration uses; return the TURN server, if any."""
    arguments = configuration.connection_arguments()
    if "stun_server" in arguments:
        with internet.host("stun") as host:
            await servers.enter_async_context(StunServer(host.addresses, SERVER_PORT))
    if "turn_server" not in arguments:
        return None
    with internet.host("turn") as host:
        turn = TurnServer(
            host.addresses[0], SERVER_PORT, users={DEMO_USER: DEMO_PASSWORD}, rng=_random()
        )
        return await servers.enter_async_context(turn)


def _random() -> random.Random:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    return loop.random
