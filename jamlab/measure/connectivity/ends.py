"""The ends of an attempt to connect: ICE agents, or whole peer connections.

Both kinds take the same steps, those of a call in the browser, so an attempt works alike with
either, in this process or in another one (`jamlab.measure.connectivity_on_kernel.remote_end`).
"""

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from aioice import Candidate, Connection
from aiortc import RTCPeerConnection

from jamlab.ice.configuration import IceConfiguration
from jamlab.media import ice_connection, rtc
from jamlab.media.host_candidates import gather_on_loopback
from jamlab.media.mapped_candidates import MapPort, offer_mapped

Level: TypeAlias = Literal["ice", "dtls"]

GATHERING, CHECKS, DTLS, DEADLINE = "gathering", "checks", "DTLS", "deadline"
CALLER, CALLEE = "caller", "callee"


@dataclass
class Log:
    """Log of both ends' state changes, by the loop's clock."""

    began_s: float = 0.0
    """Beginning of the attempt; earlier entries are shown at this time."""
    entries: list[tuple[float, str, str, str]] = field(default_factory=list)

    def note(self, side: str, kind: str, state: str) -> None:
        """Note that an end has entered a state now."""
        self.add(asyncio.get_running_loop().time(), side, kind, state)

    def add(self, time_s: float, side: str, kind: str, state: str) -> None:
        """Note that an end entered a state at a time."""
        self.entries.append((time_s, side, kind, state))

    @property
    def elapsed(self) -> list[tuple[float, str, str, str]]:
        """The entries in order of time, in seconds since the attempt began."""
        since = [
            (max(0.0, round(time_s - self.began_s, 6)), side, kind, state)
            for time_s, side, kind, state in self.entries
        ]
        return sorted(since, key=lambda entry: entry[0])

    def first(self, side: str, state: str) -> float:
        """Return when an ICE agent first entered a state; NaN if it never did."""
        wanted = side, "ice", state
        return next((time_s for time_s, *what in self.elapsed if (*what,) == wanted), math.nan)


class AttemptError(Exception):
    """Raised when an attempt fails; has the stage it failed in."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class End(Protocol):
    """One end of an attempt, at either level."""

    async def offer(self) -> Any:
        """Gather candidates and return the offer."""
        ...

    async def answer(self, offer: Any) -> Any:
        """Gather candidates, begin the checks, and return the answer to an offer."""
        ...

    async def accept(self, answer: Any) -> None:
        """Take the peer's answer and begin the checks."""
        ...

    def connecting(self) -> "asyncio.Future[None]":
        """Return a future that is done when this end is connected; it fails with `AttemptError`."""
        ...

    async def pair_count(self) -> int:
        """Return the number of candidate pairs (RFC 8445 §6.1.2)."""
        ...

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        """Return the local and the remote candidate of the selected pair, once connected."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


def end_here(
    side: str,
    configuration: IceConfiguration,
    level: Level,
    log: Log,
    map_port: MapPort = lambda _: None,
) -> End:
    """Return an end in this process, `CALLER` or `CALLEE`, which notes its states in the log.

    `map_port` asks the end's router for a mapping; by default there is none to ask.
    """
    make = _IceEnd if level == "ice" else _PeerEnd
    return make(side, configuration, log, map_port)


class _IceEnd:
    """An end that is an aioice connection."""

    def __init__(
        self, side: str, configuration: IceConfiguration, log: Log, map_port: MapPort
    ) -> None:
        self._side = side
        self._log = log
        self._connecting: asyncio.Task[None] | None = None
        self._ice = Connection(side == CALLER, **configuration.connection_arguments())
        _prepare(self._ice, map_port)
        log.note(side, "ice", "new")

    async def offer(self) -> Any:
        await self._ice.gather_candidates()
        ice = self._ice
        return ice.local_candidates, ice.local_username, ice.local_password

    async def answer(self, offer: Any) -> Any:
        answer = await self.offer()
        await self.accept(offer)
        return answer

    async def accept(self, answer: Any) -> None:
        candidates, self._ice.remote_username, self._ice.remote_password = answer
        for candidate in (*candidates, None):
            await self._ice.add_remote_candidate(candidate)
        if not (candidates and self._ice.local_candidates):
            raise AttemptError(GATHERING)
        self._log.note(self._side, "ice", "checking")
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._ice.connect()
        except ConnectionError:
            self._log.note(self._side, "ice", "failed")
            raise AttemptError(CHECKS) from None
        self._log.note(self._side, "ice", "completed")

    def connecting(self) -> "asyncio.Future[None]":
        assert self._connecting is not None
        return self._connecting

    async def pair_count(self) -> int:
        return ice_connection.pair_count(self._ice)

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        return _selected(self._ice)

    async def close(self) -> None:
        await self._ice.close()
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        self._log.note(self._side, "ice", "closed")


class _PeerEnd:
    """An end that is an aiortc peer connection, with a data channel so that it connects at all."""

    def __init__(
        self, side: str, configuration: IceConfiguration, log: Log, map_port: MapPort
    ) -> None:
        self._settled = asyncio.Event()
        self._map_port = map_port
        self._peer = RTCPeerConnection(configuration.rtc_configuration)
        self._peer.on("iceconnectionstatechange", lambda: self._note("ice"))
        self._peer.on("connectionstatechange", lambda: self._note("connection"))
        self._side = side
        self._log = log
        log.note(side, "ice", "new")
        log.note(side, "connection", "new")

    @property
    def _ice(self) -> Connection:
        return rtc.ice_connection(self._peer)

    async def offer(self) -> Any:
        self._peer.createDataChannel("attempt")
        _prepare(self._ice, self._map_port)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._peer.localDescription

    async def answer(self, offer: Any) -> Any:
        await self._peer.setRemoteDescription(offer)
        _prepare(self._ice, self._map_port)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return self._peer.localDescription

    async def accept(self, answer: Any) -> None:
        await self._peer.setRemoteDescription(answer)
        if not (self._ice.local_candidates and self._ice.remote_candidates):
            raise AttemptError(GATHERING)

    def connecting(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._connected())

    async def _connected(self) -> None:
        while self._peer.connectionState != "connected":
            if self._peer.connectionState in ("failed", "closed"):
                raise AttemptError(CHECKS if self._peer.iceConnectionState == "failed" else DTLS)
            self._settled.clear()
            await self._settled.wait()

    async def pair_count(self) -> int:
        return ice_connection.pair_count(self._ice)

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        return _selected(self._ice)

    async def close(self) -> None:
        await self._peer.close()

    def _note(self, kind: str) -> None:
        state = self._peer.iceConnectionState if kind == "ice" else self._peer.connectionState
        self._log.note(self._side, kind, state)
        self._settled.set()


def _prepare(ice: Connection, map_port: MapPort) -> None:
    gather_on_loopback(ice)
    offer_mapped(ice, map_port)


def _selected(ice: Connection) -> tuple[Candidate, Candidate]:
    pair = ice_connection.selected_pair(ice)
    assert pair is not None
    return pair
