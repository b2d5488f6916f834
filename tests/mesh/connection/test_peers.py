"""The connection that plays of several to one peer, and the events of its streams."""

import pytest

from jamlab.mesh.connection.errors import UnknownPeerError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    RemoteStreamAdded,
    RemoteStreamEnded,
)
from jamlab.mesh.connection.peers import Peers

CONNECTED, FAILED, CLOSED = (
    ConnectionState.CONNECTED,
    ConnectionState.FAILED,
    ConnectionState.CLOSED,
)
ADDED, ENDED = RemoteStreamAdded("ben", None), RemoteStreamEnded("ben")


class Connection:
    """Stands for a connection: it notes why it was told to close, and ends its stream then."""

    def __init__(self, peers, number, peer_id="ben"):
        self.peer_id, self.number = peer_id, number
        self.closed_for = []
        self._peers = peers
        peers.add(self)

    def begin_closing(self, reason=""):
        self.closed_for.append(reason)
        self._peers.note_stream(self.number, ENDED)

    def is_now(self, state):
        previous = ConnectionState.NEW
        self._peers.note_state(
            ConnectionStateChange(self.peer_id, state, previous, 0.0, "", self.number)
        )


@pytest.fixture
def heard():
    return []


@pytest.fixture
def peers(heard):
    return Peers(heard.append)


def test_nobody(peers):
    assert (len(peers), list(peers), peers.names, peers.all_open) == (0, [], frozenset(), [])
    assert peers.playing("ben") is peers.replacement("ben") is None
    for ask in (lambda: peers["ben"], lambda: peers.newest("ben")):
        with pytest.raises(UnknownPeerError, match="no connection to 'ben'"):
            ask()


def test_the_first_connection_plays_and_its_stream_is_told(peers, heard):
    first = Connection(peers, 1)
    peers.note_stream(1, ADDED)
    assert peers["ben"] is peers.newest("ben") is first
    assert (list(peers), peers.names, heard) == ([first], {"ben"}, [ADDED])


def test_a_replacement_plays_when_it_stands_and_one_stream_ends_before_the_other_begins(
    peers, heard
):
    first, second = Connection(peers, 1), Connection(peers, 2)
    peers.note_stream(2, ADDED)
    assert (peers["ben"], peers.newest("ben"), heard) == (first, second, [])
    second.is_now(CONNECTED)
    assert (peers["ben"], peers.replacement("ben")) == (second, None)
    assert first.closed_for == ["replaced"]
    assert heard == [ENDED, ADDED]
    assert peers.all_open == [second, first]
    first.is_now(CLOSED)
    assert peers.all_open == [second]


@pytest.mark.parametrize("end", [CLOSED])
def test_a_replacement_that_comes_to_nothing_leaves_what_plays(peers, heard, end):
    first, second = Connection(peers, 1), Connection(peers, 2)
    peers.note_stream(2, ADDED)
    peers.note_stream(2, ENDED)
    second.is_now(FAILED)
    second.is_now(end)
    assert (peers["ben"], peers.replacement("ben"), heard) == (first, None, [])
    assert first.closed_for == []


def test_a_replacement_takes_the_place_of_what_is_closed(peers, heard):
    first, second = Connection(peers, 1), Connection(peers, 2)
    peers.note_stream(2, ADDED)
    first.is_now(CLOSED)
    assert (peers["ben"], peers.replacement("ben"), heard) == (second, None, [ADDED])
    second.is_now(CLOSED)
    assert peers.names == frozenset()


def test_what_becomes_of_one_peer_is_nothing_to_another(peers, heard):
    ben, cleo = Connection(peers, 1), Connection(peers, 2, "cleo")
    ben.is_now(CLOSED)
    assert peers["cleo"] is cleo
    assert peers.names == {"cleo"}
