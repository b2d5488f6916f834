"""The session's side of port mappings: they are found, renewed, and removed at the end.

All protocols are tried side by side, and the first that answers is asked for the mappings; the
next ones only if it refuses. Asking several for one port would be no safer: routers keep one list
for all protocols, and removing the second mapping would remove the first.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from jamlab.networks.port_mapping.clients import find_nat_pmp, find_pcp
from jamlab.networks.port_mapping.default_route import default_route
from jamlab.networks.port_mapping.igd import find_igd
from jamlab.networks.port_mapping.mapping import (
    Address,
    MappingClient,
    MappingError,
    PortMapping,
    RefusedError,
    Route,
)

log = logging.getLogger(__name__)

LIFETIME_S = 600
"""Lifetime asked for: a mapping outlives a killed process by this much."""

RELEASE_S = 2.0
"""Time limit of a removal."""

SEARCH_AGAIN_S = 60.0
"""Time after which a router that has not answered is asked again."""

_LEAST_WAIT_S = 4.0  # between renewals, RFC 6887 §11.2.1

Finder: TypeAlias = Callable[[Route], Awaitable[MappingClient]]
"""Finds out whether a router speaks a protocol; raises `MappingError` if not."""


FINDERS: tuple[Finder, ...] = (find_pcp, find_nat_pmp, find_igd)
"""For all protocols."""

QUICK_FINDERS: tuple[Finder, ...] = (
    partial(find_pcp, waits_s=(0.25, 0.5, 1.0)),
    partial(find_nat_pmp, waits_s=(0.25, 0.5, 1.0)),
    partial(find_igd, waits_s=(1.5,)),
)
"""For all protocols, for a user who waits."""


class PortMapper:
    """Asks the router of the default route for port mappings while the context lasts.

    Nothing is asked before the first port. The end of the context, however it comes, removes the
    mappings that are left. No method raises an error over a router.

    Examples
    --------
    >>> import asyncio
    >>> from contextlib import aclosing
    >>> from jamlab import PortMapper
    >>> async def map_port(host: str, port: int) -> None:
    ...     async with PortMapper() as mapper, aclosing(mapper.mapped((host, port))) as mappings:
    ...         async for mapping in mappings:  # for as long as it is needed
    ...             print(mapping.external, mapping.protocol)
    >>> asyncio.run(map_port("127.0.0.1", 50_000))  # no router is asked for the loopback
    """

    def __init__(
        self,
        find_route: Callable[[], Awaitable[Route | None]] = default_route,
        finders: Sequence[Finder] = FINDERS,
    ) -> None:
        self._find_route = find_route
        self._finders = finders
        self._search: _Search | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[_Held] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        releases = [held.release() for held in self._held]
        await asyncio.shield(asyncio.gather(*self._tasks, *releases, return_exceptions=True))

    async def mapped(self, internal: Address) -> AsyncGenerator[PortMapping, None]:
        """Yield the mapping of a port when there is one, and each that replaces it.

        It is kept and renewed until the iterator is closed: use `contextlib.aclosing`. The iterator
        ends when there is none, or it is lost.
        """
        search = await self._current_search(internal[0])
        if search is None:
            return
        async with aclosing(search.clients()) as clients:
            async for client in clients:
                held = _Held(client, internal[1])
                self._held.add(held)
                try:
                    if await held.begin():
                        yield held.mapping
                        while await held.change():
                            yield held.mapping
                        return
                finally:
                    await asyncio.shield(held.release())
                    self._held.discard(held)

    async def _current_search(self, own: str) -> "_Search | None":
        """Return the search at the present router, a new one if need be.

        None without a router, or when our address towards it is not `own`.
        """
        route = await self._find_route()
        if route is None or route.own != own:
            return None
        if self._search is None or self._search.route != route or self._search.is_vain:
            self._search = _Search(route)
            for find in self._finders:
                task = asyncio.create_task(self._search.try_out(find))
                self._search.tasks.append(task)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return self._search


class _Search:
    """The search for the protocols that a router speaks."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.tasks: list[asyncio.Task[None]] = []
        self._found: list[MappingClient] = []
        self._begun_s = asyncio.get_running_loop().time()

    @property
    def is_vain(self) -> bool:
        """Whether the router speaks none, and it is time to search again."""
        aged_s = asyncio.get_running_loop().time() - self._begun_s
        ended = all(task.done() for task in self.tasks)
        return ended and not self._found and aged_s >= SEARCH_AGAIN_S

    async def try_out(self, find: Finder) -> None:
        """Look for one protocol."""
        try:
            self._found.append(await find(self.route))
        except MappingError as error:
            log.info("no port mapping: %s", error)

    async def clients(self) -> AsyncGenerator[MappingClient, None]:
        """Yield a client for each protocol, as it is found."""
        given = 0
        while True:
            for client in self._found[given:]:
                given += 1
                yield client
            searching = [task for task in self.tasks if not task.done()]
            if given == len(self._found):
                if not searching:
                    return
                await asyncio.wait(searching, return_when=asyncio.FIRST_COMPLETED)


class _Held:
    """The mapping of one port by one client, from the request to the removal."""

    mapping: PortMapping

    def __init__(self, client: MappingClient, port: int) -> None:
        self._client = client
        self._port = port
        self._external_port = port
        self._may_exist = False
        self._expires_s = 0.0
        self._releasing: asyncio.Task[None] | None = None

    async def begin(self) -> bool:
        """Ask for the mapping; return whether there is one that is of use."""
        # After any other end than a refusal, also a cancellation, the router may have mapped.
        self._may_exist = True
        try:
            await self._ask()
        except RefusedError as error:
            self._may_exist = False
            log.info("no port mapping: %s", error)
            return False
        except MappingError as error:
            log.info("no port mapping: %s", error)
            return False
        if self.mapping.fault is not None:
            log.info("no port mapping: %s", self.mapping.fault)
            return False
        log.info("port mapping by %s: %s", self.mapping.protocol, self.mapping)
        return True

    async def change(self) -> bool:
        """Renew until the address outside is another; return False when the mapping is lost."""
        before = self.mapping
        wait_s = before.renewal_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._ask()
            except MappingError as error:
                log.info("a port mapping is not renewed: %s", error)
                left_s = self._expires_s - asyncio.get_running_loop().time()
                if left_s < _LEAST_WAIT_S:
                    return False
                wait_s = min(max(left_s / 2, _LEAST_WAIT_S), before.renewal_s)
                continue
            if self.mapping.external != before.external or self.mapping.fault:
                return self.mapping.fault is None
            wait_s = self.mapping.renewal_s

    def release(self) -> asyncio.Task[None]:
        """Begin the removal, once; return the task that ends with it."""
        if self._releasing is None:
            self._releasing = asyncio.create_task(self._release())
        return self._releasing

    async def _ask(self) -> None:
        mapping = await self._client.map(self._port, self._external_port, LIFETIME_S)
        self.mapping = mapping
        self._external_port = mapping.external[1]
        self._expires_s = asyncio.get_running_loop().time() + mapping.lifetime_s

    async def _release(self) -> None:
        if not self._may_exist:
            return
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._client.unmap(self._port, self._external_port)
        except (MappingError, TimeoutError) as error:
            log.info("a port mapping may be left until it ends by itself: %s", error)
