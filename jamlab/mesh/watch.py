"""The live figures of a session at work: one task that reads every connection once an interval."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable

from jamlab.mesh.alarm import LatencyAlarm
from jamlab.mesh.connection.events import Listeners
from jamlab.mesh.connection.readings import Reading
from jamlab.mesh.figures import PeerFigures, PeerMeter
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.service import WebRTCAudioService

log = logging.getLogger(__name__)

_HISTORY = 16_384  # an hour of four peers, a second each


class FiguresWatch:
    """Watches the figures of all peers.

    Parameters
    ----------
    service : WebRTCAudioService
        Whose connections.
    tell : callable
        Who tells the user of a peer.
    every_s : float
        Length of an interval.

    Raises
    ------
    ValueError
        When the interval is not longer than nothing.
    """

    def __init__(
        self,
        service: WebRTCAudioService,
        tell: Callable[[NoticeKind, str], None],
        every_s: float = 1.0,
    ) -> None:
        if not every_s > 0:
            raise ValueError(f"figures are taken every {every_s:g} s: give a time above 0")
        self.history: deque[PeerFigures] = deque(maxlen=_HISTORY)
        self.listeners: Listeners[PeerFigures] = Listeners()
        self._service = service
        self._tell = tell
        self._every_s = every_s
        self._meters: defaultdict[str, PeerMeter] = defaultdict(PeerMeter)
        self._alarms: defaultdict[str, LatencyAlarm] = defaultdict(LatencyAlarm)

    async def run(self) -> None:
        """Take figures until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.take()
            except Exception:
                log.exception("no figures this time")

    async def take(self) -> None:
        """Take the figures of everybody who is connected now, and pass them on."""
        for reading in await self._service.read(self._every_s):
            self._pass_on(reading)

    def forget(self, peer_id: str) -> None:
        """Know nothing of a peer, who has gone: if it comes back, it is somebody new."""
        self._meters.pop(peer_id, None)
        self._alarms.pop(peer_id, None)

    def _pass_on(self, reading: Reading) -> None:
        figures = self._meters[reading.peer_id].read(reading)
        self.history.append(figures)
        self.listeners.emit(figures)
        kind = self._alarms[reading.peer_id].observe(figures.one_way_s, figures.at_s)
        if kind is not None:
            self._tell(kind, reading.peer_id)
