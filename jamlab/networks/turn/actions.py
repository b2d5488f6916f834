"""Actions that a TURN server's core requests from the owner of its sockets, and its counters."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from jamlab.networks.model.packet import Address


class Client(NamedTuple):
    """The client's address and transport in its 5-tuple."""

    address: Address
    transport: str


class ToClient(NamedTuple):
    """Send a message to the client; for TCP it is already padded."""

    client: Client
    payload: bytes


class ToPeer(NamedTuple):
    """Send a datagram from the client's relayed address to a peer."""

    client: Client
    peer: Address
    payload: bytes


class OpenRelay(NamedTuple):
    """Open a relayed address for the client, and report the result to `TurnCore`."""

    client: Client
    even: bool
    """Whether the port must be even (RFC 8656, section 18.8)."""


class CloseRelay(NamedTuple):
    """Close the client's relayed address, or stop opening it."""

    client: Client


Action: TypeAlias = ToClient | ToPeer | OpenRelay | CloseRelay


@dataclass(slots=True)
class TurnCounters:
    """Counts of a TURN server's messages and relayed datagrams."""

    malformed: int = 0
    """Unreadable messages and streams from clients."""
    discarded: int = 0
    """Ignored messages, e.g. data without an allocation, a channel or a permission."""
    relayed_to_peers: int = 0
    relayed_to_clients: int = 0
    relayed_media: int = 0
    """RTP packets relayed to a client, or to a peer that is not a relayed address of this server.
    So an RTP packet through two allocations, its sender's and its receiver's, counts once."""
    rejected_from_peers: int = 0
    """Datagrams from a host without permission."""
    unsendable: int = 0
    """Datagrams that the system refused to send, or that a slow TCP client did not take."""
    refused: dict[int, int] = field(default_factory=dict)
    """Error responses by code."""

    def count_refusal(self, code: int) -> None:
        """Count an error response."""
        self.refused[code] = self.refused.get(code, 0) + 1
