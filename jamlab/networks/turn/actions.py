"""What a TURN server's core tells its shell to do, and to whom."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from jamlab.networks.model.packet import Address


class Client(NamedTuple):
    """A client's end of its 5-tuple."""

    address: Address
    transport: str


class ToClient(NamedTuple):
    """Send this to the client; over TCP it is padded already."""

    client: Client
    payload: bytes


class ToPeer(NamedTuple):
    """Send this datagram from the client's relay to a peer."""

    client: Client
    peer: Address
    payload: bytes


class OpenRelay(NamedTuple):
    """Open a relay for the client, and report that to `TurnCore`."""

    client: Client
    even: bool
    """Whether its port has to be even (RFC 8656, section 18.8)."""


class CloseRelay(NamedTuple):
    """Close the client's relay, or give up opening it."""

    client: Client


Action: TypeAlias = ToClient | ToPeer | OpenRelay | CloseRelay


@dataclass(slots=True)
class TurnCounters:
    """What became of what came in."""

    malformed: int = 0
    """Messages from clients, or streams of them, that cannot be read."""
    discarded: int = 0
    """Messages to ignore, among them data without an allocation, a channel or a permission."""
    relayed_to_peers: int = 0
    """Datagrams sent on to peers."""
    relayed_to_clients: int = 0
    """Datagrams sent on to clients."""
    relayed_media: int = 0
    """RTP packets handed to whom they are for: a client, or a peer that is no relay of this server.
    So one that passes two relays, its sender's and its receiver's, counts once."""
    rejected_from_peers: int = 0
    """Datagrams that came to a relay from a host without permission."""
    unsendable: int = 0
    """Datagrams the system refused to send, and those a client was too slow to take over TCP."""
    refused: dict[int, int] = field(default_factory=dict)
    """Error responses by their code."""

    def count_refusal(self, code: int) -> None:
        """Count an error response."""
        self.refused[code] = self.refused.get(code, 0) + 1
