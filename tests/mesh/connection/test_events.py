import asyncio
import re

import pytest

from jamlab.mesh.connection.events import (
    ConnectionState,
    IceConnectionState,
    Listeners,
    RemoteStreamAdded,
    RemoteStreamEnded,
)
from tests.leaks import until
from tests.mesh.jam import connect, cut_off, ends, plays_on

pytestmark = pytest.mark.usefixtures("nothing_left")

NEW, CONNECTING, CONNECTED, CLOSED = (
    ConnectionState.NEW,
    ConnectionState.CONNECTING,
    ConnectionState.CONNECTED,
    ConnectionState.CLOSED,
)


async def test_a_connection_goes_through_its_states_in_order():
    async with ends("ada", "ben") as (ada, ben):
        began_s = asyncio.get_running_loop().time()
        await connect(ada, ben)
        await ada.service.close_peer("ben")
        await until(lambda: ben.path("ada")[-1] is CLOSED)
        ended_s = asyncio.get_running_loop().time()
    for end, peer in ((ada, "ben"), (ben, "ada")):
        assert end.path(peer) == [CONNECTING, CONNECTED, CLOSED]
        assert [change.previous for change in end.states] == [NEW, CONNECTING, CONNECTED]
        times = [change.at_s for change in end.states]
        assert [began_s, *times, ended_s] == sorted([began_s, *times, ended_s])
    assert [change.reason for change in ada.states] == ["", "", ""]
    assert ben.states[-1].reason == "closed by the peer, or lost"


def without_candidates(description):
    sdp = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", description["sdp"])
    return {**description, "sdp": sdp}


async def fail(a, b):
    """Exchange descriptions nobody can be reached by."""
    answer = await b.service.handle_offer(
        a.name, without_candidates(await a.service.create_offer(b.name))
    )
    for end, peer in (a, b), (b, a):
        await end.service.handle_ice_candidate(peer.name, {"candidate": "", "sdpMid": "0"})
    await a.service.handle_answer(b.name, without_candidates(answer))
    await until(lambda: ConnectionState.FAILED in a.path(b.name))


@pytest.mark.slow
async def test_every_state_of_the_w3c_is_reported_with_its_time():
    """W3C WebRTC §4.3.3 and §5.6.4; "new" is where each begins."""
    began_s = asyncio.get_running_loop().time()
    limits = {"flow_timeout_s": 0.4, "connect_timeout_s": 5.0}
    async with ends("ada", "ben", "cleo", **limits) as (ada, ben, cleo):
        await connect(ada, ben)
        with cut_off(ada, "ben"):
            await until(lambda: ada.state("ben") is ConnectionState.DISCONNECTED)
        await until(lambda: ada.state("ben") is CONNECTED)
        await fail(ada, cleo)
    ended_s = asyncio.get_running_loop().time()
    for changes, states in (
        (ada.states, ConnectionState),
        (ada.ice_states, IceConnectionState),
    ):
        assert {c.previous for c in changes} | {c.state for c in changes} == set(states)
        times_s = [began_s, *(change.at_s for change in changes), ended_s]
        assert times_s == sorted(times_s)
        for peer in "ben", "cleo":
            of_peer = [change for change in changes if change.peer_id == peer]
            assert of_peer[0].previous == "new"
            assert of_peer[-1].state == "closed"
            assert [c.previous for c in of_peer[1:]] == [c.state for c in of_peer[:-1]]


async def test_a_stream_is_added_and_ended_once():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        playout = ada.service.playout("ben")
        assert ada.streams == [RemoteStreamAdded("ben", playout)]
        await plays_on(ada, "ben")
        await ben.service.close()
        await until(lambda: ada.service.peers == frozenset())
    assert ada.streams == [RemoteStreamAdded("ben", playout), RemoteStreamEnded("ben")]
    assert [type(event) for event in ben.streams] == [RemoteStreamAdded, RemoteStreamEnded]


async def test_who_listens_no_more_hears_no_more():
    async with ends("ada", "ben") as (ada, ben):
        heard = []
        stop_states = ada.service.on_connection_state_change(heard.append)
        stop_streams = ada.service.on_remote_stream(heard.append)
        stop_states()
        stop_streams()
        stop_states()
        await connect(ada, ben)
    assert heard == []
    assert ada.states
    assert ada.streams


async def test_a_listener_that_raises_hurts_nobody(caplog):
    def raise_it(event):
        raise ValueError("what a listener")

    async with ends("ada", "ben") as (ada, ben):
        ada.service.on_connection_state_change(raise_it)
        ada.service.on_remote_stream(raise_it)
        after = []
        ada.service.on_connection_state_change(after.append)
        await connect(ada, ben)
        await plays_on(ada, "ben")
    assert after == ada.states
    assert caplog.text.count("ValueError: what a listener") == len(ada.states) + len(ada.streams)


def test_a_listener_added_twice_is_called_twice_until_removed():
    heard, listeners = [], Listeners()
    stop, stop_again = listeners.add(heard.append), listeners.add(heard.append)
    listeners.emit(1)
    stop()
    stop()
    listeners.emit(2)
    stop_again()
    listeners.emit(3)
    assert heard == [1, 1, 2]


def test_a_listener_may_remove_itself_and_add_others():
    heard, listeners = [], Listeners()

    def once(event):
        stop()
        listeners.add(heard.append)

    stop = listeners.add(once)
    listeners.emit(1)
    listeners.emit(2)
    assert heard == [2]
