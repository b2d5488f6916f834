"""A room that is some way off: when everybody hears of what."""

import asyncio

import pytest

from jamlab.measure.session_connectivity.room import DistantRoom
from jamlab.networks.simulated.loop import run_simulated
from jamlab.signaling.messages import PeerJoined, PeerLeft, Signal, SignalType

ONE_WAY_S = 0.1


async def listen(member, heard):
    loop = asyncio.get_running_loop()
    async for event in member.events():
        heard.append((loop.time(), event))


def signal(number):
    return Signal(SignalType.REPORT, "ben", "ada", {"number": number})


async def conversation():
    """Ada is there when Ben joins, who sends three signals at once and leaves a second later."""
    loop, room, heard = asyncio.get_running_loop(), DistantRoom(ONE_WAY_S), []
    ada = await room.join("ada")
    listening = asyncio.create_task(listen(ada, heard))
    began_s = loop.time()
    ben = await room.join("ben")
    joined_s, peers = loop.time() - began_s, ben.peers
    for number in range(3):
        await ben.send(signal(number))
    await asyncio.sleep(1.0)
    await ben.leave()
    await asyncio.sleep(1.0)
    await ada.leave()
    await listening
    return joined_s, peers, [(at_s - began_s, event) for at_s, event in heard]


def test_everything_takes_its_time_and_keeps_its_order():
    joined_s, peers, heard = run_simulated(conversation())
    assert joined_s == pytest.approx(ONE_WAY_S)  # to the service and back
    assert peers == {"ada"}
    times, events = zip(*heard, strict=True)
    assert events == (PeerJoined("ben"), *map(signal, range(3)), PeerLeft("ben"))
    expected_s = [ONE_WAY_S, *[2 * ONE_WAY_S] * 3, ONE_WAY_S + 1.0 + ONE_WAY_S / 2]
    assert times == pytest.approx(expected_s)
