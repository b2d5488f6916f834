"""Log of the packets of all peers, for a file: who sent each, its numbers, and when it arrived."""

from array import array
from functools import partial
from typing import Any

from jamlab.mesh.connection.events import RemoteStreamAdded, RemoteStreamEvent

MOST_PACKETS = 20_000_000
"""Packets kept, the first ones: two hours and more of five peers, in 360 MB."""


class PacketLog:
    """Columns of the packets that arrived, in the order of arrival.

    Examples
    --------
    >>> log = PacketLog()
    >>> log.note("bob", 7, 480, 60, 1.5)
    >>> log.columns()["peer"]
    ['bob']
    """

    def __init__(self, most: int = MOST_PACKETS) -> None:
        self.omitted = 0
        """Packets that came after the most that are kept."""
        self._most = most
        self._peers: dict[str, int] = {}
        self._peer = array("H")
        self._sequence = array("H")
        self._timestamp = array("L")
        self._size_bytes = array("H")
        self._arrival_s = array("d")

    def __len__(self) -> int:
        return len(self._arrival_s)

    def follow(self, event: RemoteStreamEvent) -> None:
        """Note the packets of a stream from its start on; a listener to streams of peers."""
        if isinstance(event, RemoteStreamAdded):
            event.playout.on_packet = partial(self.note, event.peer_id)

    def note(
        self, peer_id: str, sequence: int, timestamp: int, size_bytes: int, arrival_s: float
    ) -> None:
        """Note a packet."""
        if len(self._arrival_s) >= self._most:
            self.omitted += 1
            return
        self._peer.append(self._peers.setdefault(peer_id, len(self._peers)))
        self._sequence.append(sequence)
        self._timestamp.append(timestamp)
        self._size_bytes.append(size_bytes)
        self._arrival_s.append(arrival_s)

    def columns(self) -> dict[str, Any]:
        """Return the columns of `jamlab.networks.traces.arrivals`."""
        names = list(self._peers)
        return {
            "peer": [names[number] for number in self._peer],
            "sequence": self._sequence,
            "timestamp": self._timestamp,
            "arrival_s": self._arrival_s,
            "size_bytes": self._size_bytes,
        }
