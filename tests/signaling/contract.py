"""Contract tests of all signalling channels.

Here a room makes channels into one room: each participant joins through a channel of its own, as on
a machine of its own.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from jamlab.signaling.channel import NameTakenError
from jamlab.signaling.messages import PeerJoined, PeerLeft, Signal, SignalType
from tests.leaks import until


def offer(sender, target, number=0):
    return Signal(SignalType.OFFER, sender, target, {"sdp": str(number)})


class Listener:
    """Somebody in a room, with everything it heard."""

    def __init__(self, member):
        self.member = member
        self.events = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self):
        async for event in self.member.events():
            self.events.append(event)

    async def hears(self, *events):
        """Wait until it has heard exactly these."""
        await until(
            lambda: self.events == list(events),
            lambda: f"for {events}, {self.member.peer_id} heard {self.events}",
        )

    async def hears_in_any_order(self, *events):
        """Wait until it has heard these and no others."""
        await until(
            lambda: sorted(map(repr, self.events)) == sorted(map(repr, events)),
            lambda: f"for {events}, {self.member.peer_id} heard {self.events}",
        )

    async def hears_at_last(self, event):
        """Wait until it has heard this one."""
        await until(lambda: event in self.events, lambda: f"for {event}, heard {self.events}")

    async def leave(self):
        """Leave, and wait for the end of what it hears."""
        await self.member.leave()
        await self._task


@asynccontextmanager
async def listening(*channels_and_names):
    """Have members join one after the other; all leave at the end."""
    listeners = []
    try:
        for channel, name in channels_and_names:
            listeners.append(Listener(await channel.join(name)))
        yield listeners
    finally:
        for listener in listeners:
            await listener.leave()


def people(room, names):
    return listening(*((room.channel(), name) for name in names.split()))


class ChannelContract:
    """Tests of a `room` fixture, which has `channel()`."""

    async def test_those_there_hear_of_the_newcomer_only(self, room):
        async with people(room, "ada ben cleo") as (ada, ben, cleo):
            assert cleo.member.peers == {"ada", "ben"}
            await ada.hears(PeerJoined("ben"), PeerJoined("cleo"))
            await ben.hears(PeerJoined("cleo"))
            assert ada.member.peers == {"ben", "cleo"}
            # what it hears is heard in order, so before this nothing was
            await ada.member.send(offer("ada", "cleo"))
            await cleo.hears(offer("ada", "cleo"))
            await ada.leave()
            await ben.hears(PeerJoined("cleo"), PeerLeft("ada"))
            await cleo.hears(offer("ada", "cleo"), PeerLeft("ada"))
            assert ben.member.peers == {"cleo"}

    async def test_signals_reach_their_target_alone_and_in_order(self, room):
        async with people(room, "ada ben cleo") as (ada, ben, cleo):
            await ben.hears(PeerJoined("cleo"))
            await ada.hears(PeerJoined("ben"), PeerJoined("cleo"))
            for number in range(6):
                await ada.member.send(offer("ada", "cleo", number))
                await ben.member.send(offer("ben", "cleo", number))
            sent = [offer(name, "cleo", n) for name in ("ada", "ben") for n in range(6)]
            await cleo.hears_in_any_order(*sent)
            for name in ("ada", "ben"):
                numbers = [int(s.data["sdp"]) for s in cleo.events if s.sender_peer_id == name]
                assert numbers == list(range(6))
            await cleo.member.send(offer("cleo", "ada"))
            await ada.hears(PeerJoined("ben"), PeerJoined("cleo"), offer("cleo", "ada"))
            assert ben.events == [PeerJoined("cleo")]

    @pytest.mark.parametrize("target", ["ada", "nobody", "gone"])
    async def test_a_signal_to_oneself_or_the_absent_is_lost(self, room, target):
        async with people(room, "ada ben gone") as (ada, ben, gone):
            await gone.leave()
            begun = [PeerJoined("ben"), PeerJoined("gone"), PeerLeft("gone")]
            await ada.hears(*begun)
            await ada.member.send(offer("ada", target))
            await ada.member.send(offer("ada", "ben"))
            await ben.hears_at_last(offer("ada", "ben"))
            await ben.member.send(offer("ben", "ada"))
            await ada.hears(*begun, offer("ben", "ada"))
            assert offer("ada", target) not in ben.events

    async def test_a_name_is_taken_until_its_bearer_leaves(self, room):
        async with people(room, "ada ben") as (ada, ben):
            with pytest.raises(NameTakenError, match="'ada' is taken in the room: join under"):
                await room.channel().join("ada")
            await ben.member.send(offer("ben", "ada"))
            await ada.hears(PeerJoined("ben"), offer("ben", "ada"))
            await ada.leave()
            async with listening((room.channel(), "ada")) as (second,):
                await ben.hears(PeerLeft("ada"), PeerJoined("ada"))
                assert second.member.peers == {"ben"}

    async def test_leaving_twice_does_not_throw_out_who_came_after(self, room):
        async with people(room, "ben ada") as (ben, first):
            await first.leave()
            async with listening((room.channel(), "ada")) as (second,):
                await first.member.leave()
                await ben.hears(PeerJoined("ada"), PeerLeft("ada"), PeerJoined("ada"))
                await ben.member.send(offer("ben", "ada"))
                await second.hears(offer("ben", "ada"))

    async def test_events_end_when_the_member_leaves_while_it_listens(self, room):
        member = await room.channel().join("ada")
        listening_task = asyncio.create_task(anext(member.events(), "the end"))
        await asyncio.sleep(0)
        await asyncio.gather(member.leave(), member.leave())
        assert await listening_task == "the end"

    async def test_who_has_left_says_nothing_more(self, room):
        async with people(room, "ada ben") as (ada, ben):
            await ben.leave()
            await ben.member.send(offer("ben", "ada"))
            await ada.hears(PeerJoined("ben"), PeerLeft("ben"))

    async def test_a_cancelled_join_leaves_nobody_behind(self, room):
        async with people(room, "ada") as (ada,):
            for turns in (0, 1, 2, 5, 10, 20, 40, 80):
                joining = asyncio.create_task(room.channel().join("ben"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                joining.cancel()
                (result,) = await asyncio.gather(joining, return_exceptions=True)
                if not isinstance(result, BaseException):
                    await result.leave()
            async with listening((room.channel(), "ben")) as (ben,):
                assert ben.member.peers == {"ada"}
                await ada.hears_at_last(PeerJoined("ben"))
                await until(lambda: ada.member.peers == {"ben"})

    async def test_those_who_come_at_once_all_meet(self, room):
        names = [f"player {n}" for n in range(5)]
        members = await asyncio.gather(*(room.channel().join(name) for name in names))
        listeners = [Listener(member) for member in members]
        try:
            for member in members:
                await until(lambda m=member: m.peers == set(names) - {m.peer_id})
            await until(lambda: not unmet(listeners), lambda: f"for {unmet(listeners)} to meet")
        finally:
            for listener in listeners:
                await listener.leave()


def unmet(listeners):
    """Pairs neither of whom was told to begin."""
    told = {
        frozenset((listener.member.peer_id, event.peer_id))
        for listener in listeners
        for event in listener.events
        if isinstance(event, PeerJoined)
    }
    names = [listener.member.peer_id for listener in listeners]
    return {frozenset((a, b)) for a in names for b in names if a < b} - told
