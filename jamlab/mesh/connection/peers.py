"""The connections of a service: for each peer the one that plays, and at times its replacement.

A replacement plays from the moment it is connected. The event of its stream, which began earlier,
is held until then, so that listeners see the end of a peer's old stream before the start of the new
one. When the connection that plays is closed first, its replacement takes its place in any state.
"""

from collections.abc import Callable, Iterator

from jamlab.mesh.connection.errors import UnknownPeerError
from jamlab.mesh.connection.events import (
    ConnectionState,
    ConnectionStateChange,
    RemoteStreamAdded,
    RemoteStreamEvent,
)
from jamlab.mesh.connection.peer import PeerConnection


class Peers:
    """The connections to all peers; `on_stream` gets the events of streams that play."""

    def __init__(self, on_stream: Callable[[RemoteStreamEvent], None]) -> None:
        self._playing: dict[str, PeerConnection] = {}
        self._replacements: dict[str, PeerConnection] = {}
        self._replaced: dict[int, PeerConnection] = {}
        self._held_streams: dict[int, RemoteStreamEvent] = {}
        self._on_stream = on_stream

    def __len__(self) -> int:
        return len(self._playing)

    def __iter__(self) -> Iterator[PeerConnection]:
        """Iterate over the connections that play."""
        return iter(self._playing.values())

    def __getitem__(self, peer_id: str) -> PeerConnection:
        """Return the playing connection to a peer; raises `UnknownPeerError`."""
        try:
            return self._playing[peer_id]
        except KeyError:
            raise UnknownPeerError(
                f"there is no connection to {peer_id!r}: make or accept an offer"
            ) from None

    @property
    def names(self) -> frozenset[str]:
        """Names of the peers with a connection."""
        return frozenset(self._playing)

    @property
    def all_open(self) -> list[PeerConnection]:
        """All connections that are not closed: playing, replacing and replaced."""
        parts = self._playing, self._replacements, self._replaced
        return [connection for part in parts for connection in part.values()]

    def playing(self, peer_id: str) -> PeerConnection | None:
        """Return the playing connection to a peer, if any."""
        return self._playing.get(peer_id)

    def replacement(self, peer_id: str) -> PeerConnection | None:
        """Return the replacement of a peer's connection, if any."""
        return self._replacements.get(peer_id)

    def newest(self, peer_id: str) -> PeerConnection:
        """Return the connection that signals apply to; raises `UnknownPeerError`."""
        return self._replacements.get(peer_id) or self[peer_id]

    def described_by(self, peer_id: str, fragment: str | None) -> PeerConnection | None:
        """Return a peer's connection whose remote description has a username fragment, if any."""
        both = self._replacements.get(peer_id), self._playing.get(peer_id)
        described = (each for each in both if each and each.remote_fragment == fragment)
        return next(described, None) if fragment else None

    def add(self, connection: PeerConnection) -> None:
        """Add a connection: to play, or as the replacement of the one that plays."""
        exists = connection.peer_id in self._playing
        (self._replacements if exists else self._playing)[connection.peer_id] = connection

    def note_stream(self, number: int, event: RemoteStreamEvent) -> None:
        """Pass on a stream event, or hold it until its connection plays."""
        replacement = self._replacements.get(event.peer_id)
        if replacement is None or replacement.number != number:
            self._on_stream(event)
        elif isinstance(event, RemoteStreamAdded):
            self._held_streams[number] = event
        else:
            self._held_streams.pop(number, None)

    def note_state(self, change: ConnectionStateChange) -> None:
        """Let a connected replacement play, and remove a closed connection."""
        replacement = self._replacements.get(change.peer_id)
        replaces = replacement is not None and replacement.number == change.connection
        if replaces and change.state is ConnectionState.CONNECTED:
            replaced = self._playing[change.peer_id]
            self._replaced[replaced.number] = replaced
            replaced.begin_closing("replaced")
            self._promote(change.peer_id)
        elif change.state is ConnectionState.CLOSED:
            self._drop(change.peer_id, change.connection)

    def _promote(self, peer_id: str) -> None:
        promoted = self._playing[peer_id] = self._replacements.pop(peer_id)
        held = self._held_streams.pop(promoted.number, None)
        if held is not None:
            self._on_stream(held)

    def _drop(self, peer_id: str, number: int) -> None:
        self._replaced.pop(number, None)
        for part in self._replacements, self._playing:
            if peer_id in part and part[peer_id].number == number:
                del part[peer_id]
        if peer_id in self._replacements and peer_id not in self._playing:
            self._promote(peer_id)
