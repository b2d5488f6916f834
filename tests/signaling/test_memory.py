import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from jamlab.signaling.channel import NameTakenError
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import PeerJoined, PeerLeft, Signal, SignalType


def offer(sender, target, number=0):
    return Signal(SignalType.OFFER, sender, target, {"sdp": str(number)})


async def heard(member):
    """Leave, and return everything that was heard before."""
    await member.leave()
    return [event async for event in member.events()]


async def test_those_there_hear_of_the_newcomer_only():
    channel = MemoryChannel()
    ada, ben, cleo = [await channel.join(name) for name in ("ada", "ben", "cleo")]
    assert ada.peers == {"ben", "cleo"}
    assert channel.members == {"ada", "ben", "cleo"}
    assert await heard(ada) == [PeerJoined("ben"), PeerJoined("cleo")]
    assert await heard(ben) == [PeerJoined("cleo"), PeerLeft("ada")]
    assert await heard(cleo) == [PeerLeft("ada"), PeerLeft("ben")]
    assert channel.members == frozenset()


async def test_signals_reach_their_target_alone_and_in_order():
    channel = MemoryChannel()
    ada, ben, cleo = [await channel.join(name) for name in ("ada", "ben", "cleo")]
    for number in range(10):
        await ada.send(offer("ada", "cleo", number))
        await ben.send(offer("ben", "cleo", number))
    assert await heard(cleo) == [
        offer(name, "cleo", number) for number in range(10) for name in ("ada", "ben")
    ]
    assert not any(isinstance(event, Signal) for event in await heard(ada) + await heard(ben))


@pytest.mark.parametrize("target", ["ada", "nobody", "gone"])
async def test_a_signal_to_oneself_or_the_absent_is_lost(target):
    channel = MemoryChannel()
    ada, ben = await channel.join("ada"), await channel.join("ben")
    await (await channel.join("gone")).leave()
    await ada.send(offer("ada", target))
    for member in (ada, ben):
        assert not any(isinstance(event, Signal) for event in await heard(member))


async def test_a_name_is_taken_until_its_bearer_leaves():
    channel = MemoryChannel()
    ada, ben = await channel.join("ada"), await channel.join("ben")
    with pytest.raises(NameTakenError, match="there is a 'ada' in the room"):
        await channel.join("ada")
    await ada.leave()
    await channel.join("ada")
    assert await heard(ben) == [PeerLeft("ada"), PeerJoined("ada")]


async def test_leaving_twice_does_not_throw_out_who_came_after():
    channel = MemoryChannel()
    ben, first = await channel.join("ben"), await channel.join("ada")
    await first.leave()
    second = await channel.join("ada")
    await first.leave()
    assert channel.members == {"ada", "ben"}
    await ben.send(offer("ben", "ada"))
    assert await heard(second) == [offer("ben", "ada")]


async def test_events_end_when_the_member_leaves_while_it_listens():
    channel = MemoryChannel()
    ada = await channel.join("ada")
    listening = asyncio.create_task(anext(ada.events(), "the end"))
    await asyncio.sleep(0)
    await ada.leave()
    assert await listening == "the end"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abc")))
def test_everybody_hears_who_came_and_went_while_it_was_there(comers_and_goers):
    async def play():
        channel, present, expected = MemoryChannel(), {}, {}
        for name in comers_and_goers:
            if name in present:
                event = PeerLeft(name)
                member, told = present.pop(name), expected.pop(name)
                assert await heard(member) == told
            else:
                event = PeerJoined(name)
                member = await channel.join(name)
            for events in expected.values():
                events.append(event)
            if isinstance(event, PeerJoined):
                present[name], expected[name] = member, []
            assert all(m.peers == present.keys() - {n} for n, m in present.items())

    asyncio.run(play())
