"""Tests of the in-memory channel beyond the contract of all channels."""

import asyncio

import hypothesis.strategies as st
from hypothesis import given

from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import PeerJoined, PeerLeft
from tests.examples import examples
from tests.signaling.contract import offer


async def heard(member):
    """Leave, and return everything that was heard before."""
    await member.leave()
    return [event async for event in member.events()]


async def test_the_room_says_who_is_in_it():
    channel = MemoryChannel()
    ada, ben = await channel.join("ada"), await channel.join("ben")
    assert channel.members == {"ada", "ben"}
    await ada.leave()
    await ben.leave()
    assert channel.members == frozenset()


async def test_what_is_said_is_heard_without_a_turn_of_the_loop():
    """So that a mesh on virtual time, or one measured here, waits for nothing."""
    channel = MemoryChannel()
    ada, ben = await channel.join("ada"), await channel.join("ben")
    await ada.send(offer("ada", "ben"))
    await ada.leave()
    assert await heard(ben) == [offer("ada", "ben"), PeerLeft("ada")]


@examples(40)
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
