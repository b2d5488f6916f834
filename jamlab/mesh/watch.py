"""The task that takes live figures: it reads every connection of a session once an interval."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable

from jamlab.mesh.alarm import LatencyAlarm, RelayAlarm
from jamlab.mesh.connection.events import ConnectionState, Listeners
from jamlab.mesh.connection.readings import Reading
from jamlab.mesh.figures import PeerFigures, PeerMeter
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.service import WebRTCAudioService

log = logging.getLogger(__name__)

_HISTORY = 16_384  # an hour of four peers, once a second


class FiguresWatch:
    """Live figures of all peers: history, listeners, and alarms.

    `tell` shows a notice about a peer to the user. Raises `ValueError` when the interval is not
    above 0.
    """

    def __init__(
        self,
        service: WebRTCAudioService,
        tell: Callable[[NoticeKind, str], None],
        every_s: float = 1.0,
    ) -> None:
        if not every_s > 0:
            raise ValueError(f"the interval of live figures is {every_s:g} s: give a time above 0")
        self.history: deque[PeerFigures] = deque(maxlen=_HISTORY)
        self.listeners: Listeners[PeerFigures] = Listeners()
        self._service = service
        self._tell = tell
        self._every_s = every_s
        self._meters: defaultdict[str, PeerMeter] = defaultdict(PeerMeter)
        self._alarms: defaultdict[str, LatencyAlarm] = defaultdict(LatencyAlarm)
        self._relays: defaultdict[str, RelayAlarm] = defaultdict(RelayAlarm)

    async def run(self) -> None:
        """Take figures until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.take()
            except Exception:
                log.exception("live figures could not be taken")

    async def take(self) -> None:
        """Take the figures of all connected peers, and pass them on."""
        for reading in await self._service.read(self._every_s):
            self._pass_on(reading)

    def forget(self, peer_id: str) -> None:
        """Forget a peer that has left; after a return it starts without a past."""
        self._meters.pop(peer_id, None)
        self._alarms.pop(peer_id, None)
        self._relays.pop(peer_id, None)

    def _pass_on(self, reading: Reading) -> None:
        figures = self._meters[reading.peer_id].read(reading)
        self.history.append(figures)
        self.listeners.emit(figures)
        alarm, relay = self._alarms[reading.peer_id], self._relays[reading.peer_id]
        kinds = [alarm.observe(figures.one_way_s, figures.at_s)]
        if reading.state is ConnectionState.CONNECTED:
            kinds.append(relay.observe(figures.is_relayed, figures.at_s))
        for kind in kinds:
            if kind is not None:
                self._tell(kind, reading.peer_id)
