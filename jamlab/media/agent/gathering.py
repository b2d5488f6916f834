"""Gathering of local candidates: sockets of this machine, and all servers side by side.

A candidate is passed on as soon as it is known (RFC 8838), so a server that is silent or slow holds
up nothing. STUN is asked from every IPv4 socket. A relay over TCP or TLS relays UDP to the peer all
the same (RFC 8656); it has a lower local preference than one over UDP, because a lost segment there
delays all that follow. A port that the router has mapped makes a server-reflexive candidate, too.
"""

import asyncio
import ipaddress
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeAlias

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, server_reflexive_candidate
from aioice.turn import UDP_SOCKET_BUFFER_SIZE, create_turn_endpoint

from jamlab.ice.configuration import IceServer
from jamlab.media.ice_connection import ignore_malformed, refresh_channels, relay_base
from jamlab.networks.port_mapping.mapping import Mapper

log = logging.getLogger(__name__)

COMPONENT = 1
"""The one component: RTP and RTCP share it (RFC 5761)."""

SERVER_S = 10.0
"""Time limit for a server's answers."""

REPORT_S = 5.0
"""Time after which a server that has not answered is reported."""

CHANNEL_S = 240
"""Interval at which TURN channels are bound again: permissions end after 300 s (RFC 8656 §9)."""

MOST_MAPPED = 5
"""Most addresses told of one port: a router that changes its own for ever is not followed."""

_NEVER_S = 1 << 31
_HIGHEST = 65_535
_RELAY_PREFERENCE = {"udp": _HIGHEST, "tcp": _HIGHEST // 2, "tls": _HIGHEST // 4}
_HIDDEN = ("0.0.0.0", 9)  # RFC 8839 §5.1

Found: TypeAlias = Callable[[StunProtocol, Candidate], None]
"""Takes a socket and its candidate; a socket comes first with the candidate of its own address."""

Question: TypeAlias = Callable[[], Awaitable[None]]

Servers: TypeAlias = frozenset[IceServer]


class Gathering:
    """The gathering of one agent's candidates.

    `make_socket` makes the protocol of each socket. Each time that the servers were asked, `on_end`
    is called when all have answered or failed, and `on_servers` with those asked and those of no
    use. `retire` is called with a socket that another one has replaced, and whether its address is
    gone, too; it closes the socket, or returns False when that is in use. `mapper`, if any, is
    asked for mappings of the ports, which last until `close`.
    """

    def __init__(
        self,
        servers: Iterable[IceServer],
        relays_only: bool,
        make_socket: Callable[[], StunProtocol],
        found: Found,
        on_end: Callable[[], None],
        on_servers: Callable[[Servers, Servers], None],
        retire: Callable[[StunProtocol, bool], bool],
        mapper: Mapper | None = None,
    ) -> None:
        self._mapper = mapper
        self._retire = retire
        self._servers = tuple(dict.fromkeys(servers))
        self._relays_only = relays_only
        self._make_socket = make_socket
        self._found = found
        self._on_end = on_end
        self._on_servers = on_servers
        self._hosts: list[StunProtocol] = []
        self._addresses: set[str] = set()
        self._known: set[tuple[StunProtocol, str, int]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._upkeep: dict[StunProtocol, asyncio.Task[None]] = {}  # of mappings and of channels
        self._relays: dict[StunProtocol, IceServer] = {}
        self._wanting: set[IceServer] = set()  # have given no candidate since they were asked
        self._asking: Counter[IceServer] = Counter()  # questions under way

    async def open_hosts(self, addresses: Sequence[str]) -> None:
        """Open a socket on each new address that allows it, and retire those of gone addresses."""
        loop = asyncio.get_running_loop()
        if addresses:
            self._retire_gone(addresses)
        opened = {host.local_candidate.host for host in self._hosts}
        self._addresses.update(addresses)
        for number, address in enumerate(addresses):
            if address in opened:
                continue
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    self._make_socket, local_addr=(address, 0)
                )
            except OSError as error:
                log.info("no socket on %s: %s", address, error)
                continue
            inside = transport.get_extra_info("socket")
            if inside is not None:
                inside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
            local = transport.get_extra_info("sockname")
            self._hosts.append(protocol)
            self._pass_on(protocol, _candidate("host", (local[0], local[1]), _HIGHEST - number))

    def is_new(self, addresses: Sequence[str]) -> bool:
        """Return whether there was no socket on one of the addresses yet."""
        return not self._addresses.issuperset(addresses)

    def ask_servers(self) -> None:
        """Ask all servers, and the router, in the background."""
        asked, tasks, gave = self._ask_some(self._servers)
        unmapped = [host for host in self._reflexive if self._is_unmapped(host)]
        mapped = [self._ask_router(host, self._mapper) for host in unmapped if self._mapper]
        self._keep(self._conclude(tasks, asked, gave, mapped))

    def ask_again(self, even_asked: bool) -> None:
        """Ask the servers that have given no candidate again.

        `even_asked` includes those whose answer is still awaited: what was sent may be lost.
        """
        again = [s for s in self._servers if s in self._wanting]
        asked, tasks, gave = self._ask_some(
            [server for server in again if even_asked or not self._asking[server]]
        )
        if tasks:
            self._keep(self._report(tasks, asked, gave))

    def lose(self, relay: StunProtocol) -> None:
        """Note that a relay was lost: its server is then asked again."""
        if relay in self._relays:
            self._wanting.add(self._relays[relay])
            self._forget_relay(relay)

    async def close(self) -> None:
        """End the questions under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Inside

    @property
    def _reflexive(self) -> list[StunProtocol]:
        """Sockets for which there may be server-reflexive candidates."""
        return [host for host in self._hosts if ":" not in host.local_candidate.host]

    def _is_unmapped(self, host: StunProtocol) -> bool:
        """Return whether no mapping of a socket's port was asked for, or it has ended."""
        upkeep = self._upkeep.get(host)
        return upkeep is None or upkeep.done()

    def _ask_some(
        self, servers: Iterable[IceServer]
    ) -> tuple[Servers, list[asyncio.Task[None]], set[IceServer]]:
        """Begin to ask servers; return these, and a set that each joins when it has answered."""
        asked: dict[IceServer, list[Question]] = {}
        for server in servers:
            if server.is_turn:
                asked[server] = [partial(self._relay, server, self._servers.index(server))]
            elif self._reflexive and not self._relays_only:
                asked[server] = [partial(self._reflect, server, host) for host in self._reflexive]
        gave: set[IceServer] = set()
        tasks = [
            self._keep(self._ask(server, question, gave))
            for server, questions in asked.items()
            for question in questions
        ]
        return frozenset(asked), tasks, gave

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work until `close`."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(task := asyncio.create_task(work))
        return task

    async def _report(
        self, questions: list[asyncio.Task[None]], asked: Servers, gave: set[IceServer]
    ) -> None:
        await asyncio.wait(questions)
        if gave:
            self._on_servers(asked, asked - gave)

    def _retire_gone(self, addresses: Sequence[str]) -> None:
        for relay in [each for each in self._relays if _is_gone(relay_base(each), addresses)]:
            if self._retire(relay, True):
                self._wanting.add(self._relays[relay])
                self._forget_relay(relay)
        for host in [h for h in self._hosts if _is_gone(h.local_candidate.host, addresses)]:
            if self._retire(host, True):
                self._forget_host(host)

    def _forget_relay(self, relay: StunProtocol) -> None:
        del self._relays[relay]
        self._forget(relay)

    def _forget(self, protocol: StunProtocol) -> None:
        self._known = {key for key in self._known if key[0] is not protocol}
        upkeep = self._upkeep.pop(protocol, None)
        if upkeep is not None:
            upkeep.cancel()

    def _forget_host(self, host: StunProtocol) -> None:
        self._hosts.remove(host)
        self._addresses.discard(host.local_candidate.host)
        self._forget(host)

    async def _conclude(
        self,
        questions: list[asyncio.Task[None]],
        asked: Servers,
        gave: set[IceServer],
        mapped: list[asyncio.Event],
    ) -> None:
        if questions:
            await asyncio.wait(questions, timeout=REPORT_S)
            self._on_servers(asked, asked - gave)
            await asyncio.wait(questions)
        with suppress(TimeoutError):
            async with asyncio.timeout(SERVER_S):
                for answered in mapped:
                    await answered.wait()
        self._on_end()

    async def _ask(self, server: IceServer, question: Question, gave: set[IceServer]) -> None:
        """Wait for a server's answers; any failure concerns that server alone."""
        self._asking[server] += 1
        self._wanting.add(server)
        try:
            async with asyncio.timeout(SERVER_S):
                await question()
            gave.add(server)
            self._wanting.discard(server)
        except Exception as error:
            log.info("%s gives no candidate: %s", server.urls, error or type(error).__name__)
        finally:
            self._asking[server] -= 1

    async def _reflect(self, server: IceServer, host: StunProtocol) -> None:
        where = server.parsed
        reflexive, _ = await server_reflexive_candidate(host, (where["host"], where["port"]))
        base = host.local_candidate
        preference = base.priority >> 8 & _HIGHEST
        address = (reflexive.host, reflexive.port)
        if address != (base.host, base.port):  # redundant without a NAT (RFC 8445 §5.1.3)
            related = (base.host, base.port)
            self._pass_on(host, _candidate("srflx", address, preference, related))

    def _ask_router(self, host: StunProtocol, mapper: Mapper) -> asyncio.Event:
        """Have the port of a socket mapped until `close`; return the event of the first answer."""
        answered = asyncio.Event()
        self._upkeep[host] = self._keep(self._keep_mapped(host, mapper, answered))
        return answered

    async def _keep_mapped(
        self, host: StunProtocol, mapper: Mapper, answered: asyncio.Event
    ) -> None:
        base = host.local_candidate
        related, preference = (base.host, base.port), base.priority >> 8 & _HIGHEST
        left = MOST_MAPPED
        try:
            async with aclosing(mapper.mapped(related)) as mappings:
                async for mapping in mappings:
                    answered.set()
                    if left > 0:
                        reflexive = _candidate("srflx", mapping.external, preference, related)
                        self._pass_on(host, reflexive)
                        left -= 1
        except Exception:
            log.exception("the router cannot be asked for mappings")
        finally:
            answered.set()

    async def _relay(self, server: IceServer, number: int) -> None:
        where = server.parsed
        over = "tls" if where["scheme"] == "turns" else where["transport"]
        transport, relay = await create_turn_endpoint(
            self._make_socket,
            server_addr=(where["host"], where["port"]),
            username=server.username,
            password=server.credential,
            channel_refresh_time=_NEVER_S,  # by `_keep_channels`: here, packets would wait for it
            ssl=True if over == "tls" else None,
            transport=where["transport"],
        )
        ignore_malformed(relay)
        related = _HIDDEN if self._relays_only else transport.get_extra_info("related_address")
        address = transport.get_extra_info("sockname")
        preference = _RELAY_PREFERENCE[over] - number
        self._pass_on(relay, _candidate("relay", address, preference, related))
        for older in [each for each, of in self._relays.items() if of == server]:
            if self._retire(older, False):
                self._forget_relay(older)
        self._relays[relay] = server
        self._upkeep[relay] = self._keep(_keep_channels(relay))

    def _pass_on(self, protocol: StunProtocol, candidate: Candidate) -> None:
        """Pass a candidate on, unless another server has shown the same address."""
        if candidate.type != "srflx":
            protocol.local_candidate = candidate
        key = protocol, candidate.host, candidate.port
        if key not in self._known:
            self._known.add(key)
            self._found(protocol, candidate)


def _is_gone(address: str, addresses: Sequence[str]) -> bool:
    """Return whether an address is not this machine's any more; the loopback's always is."""
    return address not in addresses and not ipaddress.ip_address(address).is_loopback


async def _keep_channels(relay: StunProtocol) -> None:
    while True:
        await asyncio.sleep(CHANNEL_S)
        await refresh_channels(relay)


def _candidate(
    kind: str, address: tuple[str, int], preference: int, related: tuple[str, int] | None = None
) -> Candidate:
    base = related[0] if kind == "srflx" and related else address[0]
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, kind, preference),
        host=address[0],
        port=address[1],
        type=kind,
        related_address=related[0] if related else None,
        related_port=related[1] if related else None,
    )
