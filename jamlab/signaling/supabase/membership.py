"""One participant's membership of a room on Supabase Realtime.

The room is the channel ``realtime:<room>``, a signal the broadcast ``webrtc-signal``, and a
participant's name its presence key. `roster`, `inbox` and `outbox` make the decisions; here are the
clock, the connection, and two tasks: one keeps the participant in the room, with a new connection
after each loss, and the other does what is due.
"""

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from functools import partial

from jamlab.pace import TokenBucket, backoff_s
from jamlab.signaling.channel import NameTakenError, SignalingError, name_taken
from jamlab.signaling.endpoint import Endpoint
from jamlab.signaling.messages import ChannelEvent, PeerLeft, Signal
from jamlab.signaling.names import digest
from jamlab.signaling.supabase.connection import OPEN_TIMEOUT_S, Connection
from jamlab.signaling.supabase.inbox import Inbox
from jamlab.signaling.supabase.outbox import Outbox
from jamlab.signaling.supabase.roster import Occupant, Roster

log = logging.getLogger(__name__)

HOLD_S = 2.0
"""How long a signal waits for the presence of its sender."""

PRESENCE_PER_S, PRESENCE_BURST = 2 / 30, 3
"""Rate and burst that keep the hosted service's limit: at most 5 presence calls in any 30 s."""

FIRST_BACKOFF_S, MOST_BACKOFF_S = 0.5, 10.0
"""Longest wait before the first attempt to reconnect, and before any attempt."""

RETRY_NAME_S = 0.5
"""Time between requests for a name that is taken."""


class SupabaseMembership:
    """One participant's membership of a `SupabaseChannel` (see there for the parameters)."""

    def __init__(
        self,
        endpoint: Endpoint,
        room: str,
        peer_id: str,
        *,
        grace_s: float,
        events_per_s: float,
        randomness: random.Random,
    ) -> None:
        self.peer_id = peer_id
        self.dropped: Counter[str] = Counter()
        """Number of signals that were not delivered or not sent, by reason."""
        secret = f"{randomness.getrandbits(128):032x}"
        self._connect_to = partial(
            Connection,
            endpoint,
            room,
            peer_id,
            secret,
            on_presence=self._hear_presence,
            on_signal=self._hear_signal,
            on_lost=self._note_loss,
        )
        self._random = randomness
        self._occupant = Occupant(time.time(), digest(secret))
        self._roster = Roster(peer_id, self._occupant.instance, grace_s=grace_s)
        self._inbox = Inbox(peer_id, hold_s=HOLD_S, dropped=self.dropped)
        self._outbox = Outbox(events_per_s=events_per_s, dropped=self.dropped)
        self._presence_calls = TokenBucket(PRESENCE_PER_S, PRESENCE_BURST)
        self._now_s = asyncio.get_running_loop().time
        self._heard: asyncio.Queue[ChannelEvent | None] = asyncio.Queue()
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving: asyncio.Task[None] | None = None

    @property
    def peers(self) -> frozenset[str]:
        """Names of the other participants in the room, or absent for less than the grace."""
        return self._roster.peers

    async def events(self) -> AsyncIterator[ChannelEvent]:
        """Yield events in order until the participant leaves; for one reader, once."""
        while (event := await self._heard.get()) is not None:
            yield event

    async def send(self, signal: Signal) -> None:
        """Send a signal now, or within 30 s when its target and the service can take it.

        Kept signals are sent in order; of more than 256 the oldest are dropped. A signal to the
        sender itself, or to a peer that has left, is dropped. Raises `MalformedSignalError` if the
        signal is too long, or its data is not JSON.
        """
        signal.check_length()
        if self._leaving is None:
            self._outbox.put(signal, self._now_s())
            self._due.set()

    def note_heard(self, peer_id: str, is_heard: bool) -> None:
        """Note whether a peer is heard; one that is not, and whose presence ended, leaves now."""
        self._tell(self._roster.note_heard(peer_id, is_heard))

    async def enter(self, patience_s: float) -> None:
        """Join the room (see `SupabaseChannel.join`)."""
        deadline_s = self._now_s() + patience_s
        while True:
            try:
                await self._connect(deadline_s)
                break
            except NameTakenError:
                if self._now_s() + RETRY_NAME_S > deadline_s:
                    raise
            await asyncio.sleep(RETRY_NAME_S)
        self._tasks = [asyncio.create_task(self._stay()), asyncio.create_task(self._work())]

    async def leave(self) -> None:
        """Leave the room. Leaving twice is harmless.

        A cancelled call stops waiting; everything closes nevertheless.
        """
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        await asyncio.shield(self._leaving)

    # Staying in the room

    async def _stay(self) -> None:
        """Keep the participant in the room, with a new connection after each loss."""
        while True:
            while self._is_in():
                self._changed.clear()
                await self._changed.wait()
            log.info("%s lost its signalling", self.peer_id)
            await self._disconnect()
            await self._reconnect()

    def _is_in(self) -> bool:
        connected = self._connection is not None and not self._connection.is_lost
        return connected and self._roster.is_member

    async def _reconnect(self) -> None:
        attempt = 0
        while not self._is_in():
            await asyncio.sleep(
                backoff_s(attempt, self._random, first_s=FIRST_BACKOFF_S, most_s=MOST_BACKOFF_S)
            )
            attempt += 1
            try:
                await self._connect(None)
            except (SignalingError, NameTakenError) as error:
                log.info("%s is not back in its room: %s", self.peer_id, error)

    async def _connect(self, name_deadline_s: float | None) -> None:
        """Join the room on a new connection, which is closed after a failure."""
        self._connection = self._connect_to()
        try:
            await self._connection.open()
            await self._take_name(self._connection, name_deadline_s)
        except BaseException:
            await self._disconnect()
            raise

    async def _take_name(self, connection: Connection, deadline_s: float | None) -> None:
        """Track our presence once our name is free, and wait until the presence state has it."""
        roster = self._roster
        await self._until(lambda: not roster.is_taken, deadline_s, name_taken(self.peer_id))
        await asyncio.sleep(self._presence_calls.wait_s(1, self._now_s()))
        self._presence_calls.take(1, self._now_s())
        await connection.track(self._occupant.to_payload())
        await self._until(
            lambda: roster.is_member or roster.is_taken,
            self._now_s() + OPEN_TIMEOUT_S,
            SignalingError("the signalling service does not show our presence"),
        )
        # two participants may have taken the name at the same moment
        await self._until(lambda: roster.is_member, deadline_s, name_taken(self.peer_id))

    async def _until(
        self, condition: Callable[[], bool], deadline_s: float | None, otherwise: Exception
    ) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                while not condition():
                    if self._connection is None or self._connection.is_lost:
                        raise SignalingError("the signalling service closed the connection")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise otherwise from None

    async def _disconnect(self) -> None:
        self._tell(self._roster.lose(self._now_s()))
        self._outbox.lose()
        if self._connection is not None:
            await self._connection.close()

    async def _leave(self) -> None:
        self._heard.put_nowait(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self._connection is not None and self._is_in():
                # beyond the rate limit the others notice our departure only after the grace
                if self._presence_calls.take(1, self._now_s()):
                    leaving = self._occupant._replace(leaving=True)
                    await self._connection.track(leaving.to_payload())
                await self._connection.leave()
        finally:
            await self._disconnect()

    # Receiving and sending

    async def _work(self) -> None:
        """Do what is due, and wait for the next thing that is."""
        while True:
            self._due.clear()
            now_s = self._now_s()
            self._tell(self._roster.advance(now_s))
            self._tell(self._inbox.release(self._audible(), now_s))
            await self._send_some()
            cores = self._roster, self._inbox, self._outbox
            with suppress(TimeoutError):
                async with asyncio.timeout_at(_finite(min(core.next_at_s() for core in cores))):
                    await self._due.wait()

    async def _send_some(self) -> None:
        while True:
            present = self._roster.present if self._is_in() else frozenset()
            letter = self._outbox.take(present, self._roster.peers, self._now_s())
            if letter is None or self._connection is None:
                return
            await self._connection.broadcast(
                letter.signal.to_payload(),
                partial(self._outbox.confirm, letter),
                partial(self._outbox.refuse, letter),
            )

    def _audible(self) -> frozenset[str]:
        return self._roster.peers if self._roster.is_member else frozenset()

    def _hear_presence(self, state: object) -> None:
        self._tell(self._roster.update(state, self._now_s()))
        self._changed.set()
        self._due.set()

    def _hear_signal(self, payload: object) -> None:
        self._tell(self._inbox.receive(payload, self._audible(), self._now_s()))
        self._due.set()  # the signal may be held

    def _note_loss(self) -> None:
        self._changed.set()

    def _tell(self, events: Iterable[ChannelEvent]) -> None:
        for event in events:
            if isinstance(event, PeerLeft):
                self._outbox.drop(event.peer_id)
            self._heard.put_nowait(event)


def _finite(at_s: float) -> float | None:
    return None if math.isinf(at_s) else at_s
