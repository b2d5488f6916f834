"""Two sessions that meet, whole, on the simulated internet and in virtual time.

::

    backbone ─┬─ stun
              ├─ turn                the signalling service is as far away as these two
              ├─ (boxes of the caller's place) ── caller, in the room first
              └─ (boxes of the callee's place) ── callee, who joins second

Both are `JamSession` objects, with signalling, description, ICE, DTLS, Opus and playout buffer, and
ask their routers to map ports. Times count from the second one's first step to join. *Sound* is
what a card plays: the call has sound when both hear each other. Its path is *direct* when neither
end sends to or from a relay.

A call ends when it has sound on a direct path. On a relayed path it goes on for `FINAL_S`, in which
the session may still find a direct one, or for `SETTLED_S` where the rule of
`jamlab.networks.model.rule` knows none to find; without sound, until the deadline.
"""

import asyncio
import json
import math
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.connectivity.call import (
    DEMO_PASSWORD,
    DEMO_USER,
    SERVER_LINK,
    SERVER_PORT,
    SERVERS,
    Call,
    open_servers,
)
from jamlab.measure.connectivity.ends import CALLEE, CALLER
from jamlab.measure.session_connectivity.first_sound import BLOCK_FRAMES, FirstSoundCard
from jamlab.measure.session_connectivity.room import DistantRoom
from jamlab.media.quality import Quality
from jamlab.mesh.notices import Notice
from jamlab.mesh.session import JamSession
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.rule import expected
from jamlab.networks.model.topology import DOMAIN, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.mapper import simulated_mapper
from jamlab.networks.simulated.world import simulated_world

FINAL_S = 10.0
"""Time with sound on a relayed path after which it is final, though there is a direct one."""
SETTLED_S = 2.0
"""The same where there is no direct one; more than sessions need to replace a path."""

CAMPAIGN_QUALITY = Quality("campaign", 64_000, BLOCK_FRAMES, "restricted_lowdelay")
"""Frames of 20 ms: with the product's 2.5 ms the first sound comes up to 40 ms earlier."""

_LOOK_S, _LOOK_RARELY_S = 0.02, 0.1  # before there is sound, and with it
_NO_FIGURES_S = 1e6  # live figures are not read, and cost a third of the processor time


@dataclass(frozen=True, slots=True)
class Meeting:
    """What became of a call; the fields are columns of a record."""

    result: str
    """``"direct"``, ``"relayed"`` or ``"failed"``, at the end."""
    caller_candidate: str
    """Type of the caller's candidate at the end (RFC 8445 §5.1.1); empty without a path."""
    callee_candidate: str
    first_sound_s: float
    """Time until both ends heard each other; NaN when they did not."""
    caller_sound_s: float
    """Time of the first sound that the caller heard; NaN without any."""
    callee_sound_s: float
    direct_s: float
    """Time until both ends used a direct path; NaN when they did not."""
    observed_s: float
    """Time until the end of the observation."""
    notices: str
    """JSON, ``[[time_s, "caller" or "callee", kind of notice], …]``."""


class Participant:
    """One end of a call: a session with its card, and the notices that its user was told."""

    def __init__(
        self, side: str, room: DistantRoom, configuration: IceConfiguration, rng: random.Random
    ) -> None:
        self.side = side
        self.card = FirstSoundCard(lambda: self.session.service.audience > 0)
        self.notices: list[Notice] = []
        self._peer = CALLEE if side == CALLER else CALLER
        self.mapper = simulated_mapper()
        """Enter its context around the session's."""
        self.session = JamSession(
            "room",
            side,
            signaling=lambda _: room,
            card=self.card,
            quality=CAMPAIGN_QUALITY,
            ice=configuration,
            rng=rng,
            figures_every_s=_NO_FIGURES_S,
            mapper=self.mapper,
        )
        self.session.on_notice(self.notices.append)

    @property
    def pair(self) -> tuple[str, str] | None:
        """Types of the selected pair's local and remote candidate; None without one."""
        service = self.session.service
        return service.candidates(self._peer) if self._peer in service.peers else None

    @property
    def is_direct(self) -> bool:
        """Whether this end has selected a pair without a relay."""
        pair = self.pair
        return pair is not None and "relay" not in pair


def simulate_meeting(
    call: Call, configuration: IceConfiguration, access: LinkConfig, deadline_s: float
) -> Meeting:
    """Let the sessions of a call meet under a configuration, with simulated servers.

    Each end has an `access` link between its place and the backbone.
    """
    with simulated_world():
        return run_simulated(meet(call, configuration, access, deadline_s), seed=call.seed)


async def meet(
    call: Call, configuration: IceConfiguration, access: LinkConfig, deadline_s: float
) -> Meeting:
    """Let two sessions meet on a running simulated loop; parameters as in `simulate_meeting`."""
    loop, internet = asyncio.get_running_loop(), Internet(_topology(call, access))
    configuration = with_simulated_servers(configuration)
    room, rng = DistantRoom(signalling_s(access)), random.Random(call.seed)
    ends = [Participant(side, room, configuration, rng) for side in (CALLER, CALLEE)]
    began_s = 0.0
    async with AsyncExitStack() as stack:
        await open_servers(internet, configuration, stack)
        for end in ends:
            began_s = loop.time()
            with internet.host(end.side):
                await stack.enter_async_context(end.mapper)
                await stack.enter_async_context(end.session)
        final_s = FINAL_S if _may_be_direct(call) else SETTLED_S
        direct_s = await _observe(ends, began_s, deadline_s, final_s)
        return _meeting(ends, began_s, direct_s, loop.time())


def _topology(call: Call, access: LinkConfig) -> Topology:
    ends = call.caller.member(CALLER, access), call.callee.member(CALLEE, access)
    return Topology((*SERVERS, *ends))


def signalling_s(access: LinkConfig) -> float:
    """Return the time of a signal between two ends, through a service as far as the servers."""
    return 2 * (access.delay_s + access.jitter_s + SERVER_LINK.delay_s)


@cache
def with_simulated_servers(configuration: IceConfiguration) -> IceConfiguration:
    """Return a configuration with the simulated internet's servers in place of its own.

    Each server stays one of its kind, but TCP takes the place of TLS, which the simulated internet
    does not have and its boxes do not tell from TCP.
    """
    servers = dict.fromkeys(map(_simulated_server, configuration.servers))
    return IceConfiguration(configuration.name, tuple(servers), configuration.policy)


def _simulated_server(server: IceServer) -> IceServer:
    if not server.is_turn:
        return IceServer(f"stun:stun.{DOMAIN}:{SERVER_PORT}")
    transport = server.parsed["transport"]
    url = f"turn:turn.{DOMAIN}:{SERVER_PORT}?transport={transport}"
    return IceServer(url, DEMO_USER, DEMO_PASSWORD)


def _may_be_direct(call: Call) -> bool:
    """Return whether a direct path exists; also where there is no rule for the places."""
    try:
        return expected(call.caller, call.callee, stun=True).direct
    except ValueError:
        return True


async def _observe(
    ends: Sequence[Participant], began_s: float, deadline_s: float, final_s: float
) -> float:
    """Wait until a call's path is final; return when it became direct, NaN if it did not."""
    loop = asyncio.get_running_loop()
    direct_s, ends_s, sounds = math.nan, began_s + deadline_s, False
    while loop.time() < ends_s:
        is_direct = all(end.is_direct for end in ends)
        if not is_direct:
            direct_s = math.nan
        elif math.isnan(direct_s):
            direct_s = loop.time()
        if not sounds and all(end.card.heard for end in ends):
            sounds, ends_s = True, loop.time() + final_s
            for end in ends:
                end.card.spare()
        if sounds and is_direct:
            break
        await asyncio.sleep(_LOOK_RARELY_S if sounds else _LOOK_S)
    return direct_s - began_s


def _meeting(ends: Sequence[Participant], began_s: float, direct_s: float, now_s: float) -> Meeting:
    caller_s, callee_s = (round(end.card.first_sound_s - began_s, 6) for end in ends)
    sounds_s = max(caller_s, callee_s) if all(end.card.heard for end in ends) else math.nan
    types = _candidate_types(ends[0].pair, ends[1].pair)
    result = RELAYED if math.isnan(direct_s) else DIRECT
    if math.isnan(sounds_s) or "" in types:
        result = FAILED
    told = sorted(
        (round(notice.at_s - began_s, 6), end.side, notice.kind.value)
        for end in ends
        for notice in end.notices
    )
    observed_s = max(now_s - began_s, 0.0 if math.isnan(sounds_s) else sounds_s)
    return Meeting(
        result,
        *types,
        round(sounds_s, 6),
        caller_s,
        callee_s,
        round(direct_s, 6),
        round(observed_s, 6),
        json.dumps(told),
    )


def _candidate_types(
    at_caller: tuple[str, str] | None, at_callee: tuple[str, str] | None
) -> tuple[str, str]:
    """Return the types of the caller's and the callee's candidate, empty without a path.

    An end knows whether its own candidate is a relay's, and the other end sees which address it is.
    """
    if at_caller is None or at_callee is None:
        return "", ""
    (caller, callee_seen), (callee, caller_seen) = at_caller, at_callee
    return (
        "relay" if "relay" in (caller, caller_seen) else caller_seen,
        "relay" if "relay" in (callee, callee_seen) else callee_seen,
    )
