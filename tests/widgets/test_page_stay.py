"""The stay of a page in a room: signals both ways, and an end in every case."""

import asyncio

import pytest

from jamlab.signaling.channel import NameTakenError, SignalingError
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import (
    PeerJoined,
    Signal,
    SignalingLost,
    SignalingRestored,
    SignalType,
)
from jamlab.signaling.supabase.channel import SupabaseChannel
from jamlab.widgets.page_stay import MOST_SIGNALS, MOST_SILENT_TICKS, PageStay
from tests.leaks import until

pytestmark = pytest.mark.usefixtures("nothing_left")

DATA = {"type": "offer", "sdp": "v=0"}


class Clock:
    """A clock that stands unless it is told to tick."""

    def __init__(self):
        self.waits = asyncio.Queue()

    async def sleep(self, _seconds):
        woken = asyncio.Event()
        self.waits.put_nowait(woken)
        await woken.wait()

    async def tick(self):
        (await self.waits.get()).set()
        for _ in range(3):  # whoever waited goes on
            await asyncio.sleep(0)


class Stay:
    """A stay under way, with what its page is told."""

    def __init__(self, channel, name="ada"):
        self.told, self.clock = [], Clock()
        self.stay = PageStay(name, channel, self.told.append, self.clock.sleep)
        self.task = asyncio.create_task(self.stay.run())

    async def joined(self):
        await until(lambda: self.told)
        return self

    @property
    def events(self):
        return [each["event"] for each in self.told if each["kind"] == "event"]

    async def cancel(self):
        self.task.cancel()
        await asyncio.wait({self.task})


async def test_the_page_is_told_of_the_room_and_signals_pass_both_ways():
    room = MemoryChannel()
    ben = await room.join("ben")
    ada = await Stay(room).joined()
    assert ada.told == [{"kind": "joined", "peers": ["ben"]}]
    eve = await room.join("eve")
    await ben.send(Signal(SignalType.OFFER, "ben", "ada", DATA))
    await eve.leave()
    await until(lambda: len(ada.events) == 3)
    assert ada.events == [
        {"event": "joined", "peerId": "eve"},
        {
            "event": "signal",
            "signal": {
                "type": "offer",
                "senderPeerId": "ben",
                "targetPeerId": "ada",
                "data": DATA,
            },
        },
        {"event": "left", "peerId": "eve"},
    ]
    answer = Signal(SignalType.ANSWER, "ada", "ben", DATA)
    ada.stay.send(answer)
    heard = [event async for event in _until(ben, answer)]
    assert heard[-1] == answer
    await ada.cancel()
    assert room.members == {"ben"}
    await ben.leave()


async def _until(membership, last):
    async for event in membership.events():
        yield event
        if event == last:
            return


async def test_any_channel_will_do():
    async with Hub() as hub:
        ben = await SupabaseChannel("jam", hub.url, hub.key).join("ben")
        ada = await Stay(SupabaseChannel("jam", hub.url, hub.key)).joined()
        assert ada.told == [{"kind": "joined", "peers": ["ben"]}]
        offer = Signal(SignalType.OFFER, "ada", "ben", DATA)
        ada.stay.send(offer)
        assert [event async for event in _until(ben, offer)] == [PeerJoined("ada"), offer]
        await ben.leave()
        await until(lambda: ada.events == [{"event": "left", "peerId": "ben"}])
        await ada.cancel()


class Scripted:
    """A channel and membership whose events are given."""

    peer_id, peers = "ada", frozenset({"ben"})

    def __init__(self, events=(), error=None):
        self.script, self.error, self.has_left, self.sent = events, error, False, []

    async def join(self, _name):
        if self.error:
            raise self.error
        return self

    async def events(self):
        for event in self.script:
            yield event
        await asyncio.Event().wait()

    async def send(self, signal):
        self.sent.append(signal)
        await asyncio.Event().wait()

    async def leave(self):
        self.has_left = True


async def test_lost_signalling_is_told_and_a_stranger_is_not_heard():
    stranger = Signal(SignalType.OFFER, "eve", "ada", DATA)
    channel = Scripted([stranger, SignalingLost(0.0), SignalingRestored(1.0)])
    ada = await Stay(channel).joined()
    await until(lambda: len(ada.events) == 2)
    assert ada.events == [{"event": "lost"}, {"event": "restored"}]
    await ada.cancel()
    assert channel.has_left


async def test_a_name_that_cannot_be_shown_is_not_told():
    room = MemoryChannel()
    before = await room.join("a\nb")
    ada = await Stay(room).joined()
    later = await room.join("c\x00d")
    ben = await room.join("ben")
    await until(lambda: ada.events)
    assert ada.told[0]["peers"] == []
    assert ada.events == [{"event": "joined", "peerId": "ben"}]
    await ada.cancel()
    for member in before, later, ben:
        await member.leave()


async def test_a_silent_page_has_left_and_one_that_speaks_has_not():
    room = MemoryChannel()
    ada = await Stay(room).joined()
    for _ in range(3 * MOST_SILENT_TICKS):
        await ada.clock.tick()
        ada.stay.note()
    assert room.members == {"ada"}
    for _ in range(MOST_SILENT_TICKS):
        assert not ada.task.done()
        await ada.clock.tick()
    assert "nothing is heard of the page" in await ada.task
    assert room.members == frozenset()


async def test_a_name_that_is_being_freed_is_waited_for():
    room = MemoryChannel()
    before = await room.join("ada")
    ada = Stay(room)
    await ada.clock.tick()
    await before.leave()
    await ada.clock.tick()
    await ada.joined()
    await ada.cancel()


async def test_a_name_that_stays_taken_is_an_error():
    room = MemoryChannel()
    before = await room.join("ada")
    ada = Stay(room)
    while not ada.task.done():
        if ada.clock.waits.qsize():
            await ada.clock.tick()
        await asyncio.sleep(0)
    with pytest.raises(NameTakenError, match="join under another name"):
        await ada.task
    assert not ada.told
    await before.leave()


async def test_a_room_that_cannot_be_joined_is_an_error():
    ada = Stay(Scripted(error=SignalingError("the service is down")))
    with pytest.raises(SignalingError, match="the service is down"):
        await ada.task


async def test_signals_that_cannot_be_sent_do_not_pile_up():
    channel = Scripted()
    ada = await Stay(channel).joined()
    signal = Signal(SignalType.OFFER, "ada", "ben", DATA)
    for _ in range(3 * MOST_SIGNALS):
        ada.stay.send(signal)
        await asyncio.sleep(0)
    assert ada.stay._signals.qsize() == MOST_SIGNALS
    await ada.cancel()
    ada.stay.send(signal)  # after the end: dropped
    assert channel.sent == [signal]
