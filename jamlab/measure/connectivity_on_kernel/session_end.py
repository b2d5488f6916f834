"""An end of a call that is the audio service of a session, with silence in place of a card's sound.

Its steps are those of a browser's end (``browser_end.js``), and so are their arguments and results:
JSON types in the form that browsers give and take. It counts its packets besides.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

from jamlab.audio.card import VirtualCard
from jamlab.ice.configuration import IceConfiguration
from jamlab.media.playout.counters import PlayoutCounters
from jamlab.media.quality import Quality
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.service import WebRTCAudioService

Session: TypeAlias = Literal["session"]
SESSION: Session = "session"

QUALITY = Quality("long frames", 64_000, 960, "audio")
"""There are many ends at once, and with long frames their sound costs little."""

_PEER = "peer"


class SessionEnd:
    """One end of a call; its candidates go to `on_candidate` as they are found."""

    def __init__(
        self, configuration: IceConfiguration, on_candidate: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._service = WebRTCAudioService(quality=QUALITY, ice=configuration)
        self._service.on_ice_candidate(lambda found: on_candidate(found.candidate))
        self._service.on_connection_state_change(self._follow)
        self._connected: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.steps: Mapping[str, Callable[[Any], Awaitable[Any]]] = {
            "offer": self._offer,
            "answer": self._answer,
            "accept": lambda answer: self._service.handle_answer(_PEER, answer),
            "add": self._add,
            "ended": lambda _: asyncio.shield(self._connected),
            "types": self._types,
            "counts": self._counts,
        }

    async def _offer(self, _: Any) -> Mapping[str, Any]:
        await self._service.initialize_local_audio(_card())
        return await self._service.create_offer(_PEER)

    async def _answer(self, offer: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._service.initialize_local_audio(_card())
        return await self._service.handle_offer(_PEER, offer)

    async def _add(self, candidate: Mapping[str, Any] | None) -> None:
        if candidate is not None:
            await self._service.handle_ice_candidate(_PEER, candidate)

    async def _types(self, _: Any) -> tuple[str, str]:
        """Return the types of the selected pair's candidates, local and remote."""
        return self._service.candidates(_PEER) or ("", "")

    async def _counts(self, _: Any) -> tuple[int, int, int]:
        """Return the numbers of packets received, of late packets, and of frames concealed."""
        playout = self._service.playout(_PEER)
        counters = PlayoutCounters() if playout is None else playout.counters
        return counters.received, counters.late, counters.concealed_frames

    def _follow(self, change: ConnectionStateChange) -> None:
        decided = change.state in (ConnectionState.CONNECTED, ConnectionState.FAILED)
        if decided and not self._connected.done():
            self._connected.set_result(change.state is ConnectionState.CONNECTED)

    async def close(self) -> None:
        """Close the connection."""
        self._connected.cancel()
        await self._service.close()


def _card() -> VirtualCard:
    """Return a card with blocks as long as the Opus frames: there are many ends at once."""
    return VirtualCard(block_frames=QUALITY.frame_frames)
