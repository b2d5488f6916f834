"""The network for calls on this machine's kernel: namespaces, the kernel's own NATs, and coturn.

::

    backbone ─┬─ servers    coturn: STUN and TURN, over UDP, TCP and TLS
              ├─ (boxes of the first place) ── caller-0
              ├─ (boxes of the first place) ── callee-0
              ├─ (boxes of the second place) ── caller-1
              …

All callers from a place are on one machine, and all callees there on another, so a call is always
between two routers. Attempts are concurrent: each end is a process with ports that were not used on
its machine before (`jamlab.measure.connectivity_on_kernel.end_server`), so NATs and coturn have no
state for it.

Cables between namespaces have no delay: the delays of a `Call` are left out.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from dataclasses import replace
from typing import Any, Self

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.ice.time_limited import time_limited
from jamlab.measure.connectivity.attempt import Attempt, attempt_between
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.ends import CALLEE, CALLER, End, Level, Log
from jamlab.measure.connectivity_on_kernel.end_process import OnHost
from jamlab.measure.connectivity_on_kernel.end_server import EndServer
from jamlab.measure.connectivity_on_kernel.remote_process import RemoteProcess
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelHost, KernelLab
from jamlab.networks.kernel.nftables import KernelRefusalError, check_box, check_ipv6
from jamlab.networks.kernel.proof import prove
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import PERFECT, HostConfig, Topology
from jamlab.process.child import ChildError

_SERVERS = HostConfig("servers", addresses=2)
_PORTS, _PER_END = range(1024, 32768), 8
"""Below Linux's ephemeral ports; an end has one for its address and one for its relay."""

MOST_ENDS = len(_PORTS) // _PER_END
"""Largest number of ends on a machine of the network, each on unused ports."""


def refusal(place: Place) -> str:
    """Return why the kernel cannot build a place, in a sentence; "" if it can."""
    try:
        for layer in place.layers:
            for box in layer:
                check_box(place.name, box)
        if place.layers:
            check_ipv6(place.name, place.ipv6, place.layers[0][0])
    except KernelRefusalError as error:
        return str(error)
    return ""


class KernelNetwork:
    """An internet of namespaces with all callers and callees; a context manager, for root only.

    The kernel has to be able to build their places. On entering, raises `KernelLabError` or
    `CoturnError`, which names what is missing on this machine.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
        self._ports: defaultdict[str, Iterator[range]] = defaultdict(_ports)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._ends = stack.enter_context(EndServer())
            self._lab = stack.enter_context(KernelLab(self._topology(), name="calls"))
            self._secret = secrets.token_hex()
            servers = self._lab.host(_SERVERS.name)
            self.coturn = stack.enter_context(Coturn(servers, secret=self._secret))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _topology(self) -> Topology:
        sides = (CALLER, CALLEE)
        members = [
            place.member(_name(side, number), PERFECT)
            for place, number in self._numbers.items()
            for side in sides
        ]
        return Topology((_SERVERS, *members))

    def host(self, side: str, place: Place) -> KernelHost:
        """Return the machine of all callers, or all callees, at a place."""
        return self._lab.host(_name(side, self._numbers[place]))

    def prove(self) -> None:
        """Check each NAT's behaviour with two discovery clients behind it; raises `ProofError`."""
        callers = [host.name for host in self._lab.hosts if host.name != _SERVERS.name]
        prove(self._lab, self.coturn, callers)

    async def try_call(
        self,
        call: Call,
        configuration: IceConfiguration,
        level: Level,
        deadline_s: float,
        *,
        user: str,
        starting: AbstractAsyncContextManager[Any],
    ) -> Attempt:
        """Try a call under a configuration, with coturn in place of its servers (`stand_in`).

        The user name is that of both ends at coturn, by which its log tells them from others.
        `starting` is entered while the processes are being started, e.g. a semaphore. Raises
        `ChildError` when the process of an end ended too early.
        """
        configuration = self.stand_in(configuration, user)
        log = Log()
        async with AsyncExitStack() as stack:
            ends = []
            async with starting:
                for side, place in ((CALLER, call.caller), (CALLEE, call.callee)):
                    ends.append(await self._open(side, place, configuration, level, log))
                    stack.push_async_callback(ends[-1].close)
            return await attempt_between(
                *ends,
                configuration=configuration,
                log=log,
                signalling_s=call.signalling_s,
                deadline_s=deadline_s,
            )

    async def open_session(
        self, side: str, place: Place, configuration: IceConfiguration
    ) -> RemoteProcess:
        """Start the end of a session's call at a place; raises as `try_call`.

        The configuration has this network's servers already (`stand_in`).
        """
        name = _name(side, self._numbers[place])
        ports = self._unused_ports(side, name)
        return await self._ends.open_session(side, configuration, self._inside(name), ports)

    async def _open(
        self, side: str, place: Place, configuration: IceConfiguration, level: Level, log: Log
    ) -> End:
        name = _name(side, self._numbers[place])
        ports = self._unused_ports(side, name)
        outside = self._lab.map_ports(name, ports) or ""
        inside = self._inside(name)
        return await self._ends.open(side, configuration, level, log, inside, ports, outside)

    def _inside(self, name: str) -> OnHost:
        return OnHost(self._lab.host(name), str(self.coturn.certificate_file))

    def _unused_ports(self, side: str, name: str) -> range:
        ports = next(self._ports[name], None)
        if ports is None:
            fault = f"{name} has had {MOST_ENDS} ends: no unused ports are left"
            raise ChildError(f"the {side}'s end", f"cannot be started: {fault}")
        return ports

    def stand_in(self, configuration: IceConfiguration, user: str) -> IceConfiguration:
        """Return a configuration with coturn in place of its servers, of the same kinds.

        TLS stays TLS, which on the simulated internet is TCP.
        """
        arguments = configuration.connection_arguments()
        servers = []
        if "stun_server" in arguments:
            servers.append(IceServer(self.coturn.stun_url))
        if "turn_server" in arguments:
            transport = "tls" if arguments.get("turn_ssl") else arguments["turn_transport"]
            credential = time_limited(self._secret, user, time.time())
            servers.append(IceServer(self.coturn.turn_url(transport), *credential))
        return replace(configuration, servers=tuple(servers))


def _ports() -> Iterator[range]:
    """Yield ports for one end after another, never the same twice."""
    for number in range(MOST_ENDS):
        yield _PORTS[number * _PER_END : (number + 1) * _PER_END]


def _name(side: str, number: int) -> str:
    return f"{side}-{number}"
