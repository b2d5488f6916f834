"""A STUN response as a value: addresses, round-trip time and error (RFC 8489, RFC 5780)."""

from typing import NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import is_ipv6


class Answer(NamedTuple):
    """A message that arrived with the transaction ID of a request."""

    local: Address
    """The client's address at which it arrived."""
    source: Address
    """The address from which it arrived."""
    round_trip_s: float
    """Seconds since the request was first sent."""
    mapped: Address | None = None
    """The client's mapped address; None without an IPv4 one."""
    other: Address | None = None
    """The server's OTHER-ADDRESS, if it has one (RFC 5780, section 7.4)."""
    error: str | None = None
    """Code and reason of an error response."""
    hairpinned: bool = False
    """Whether it is the request itself, turned back by a NAT."""


def answer_of(
    message: stun.Message, source: Address, local: Address, round_trip_s: float
) -> Answer:
    """Return a received message as an `Answer`.

    The message is a response, or a request of this client, turned back by a NAT. It came from
    `source` and arrived at `local`, `round_trip_s` after the request was first sent.
    """
    found = message.attributes
    return Answer(
        local,
        source,
        round_trip_s,
        _ipv4(found.get("XOR-MAPPED-ADDRESS") or found.get("MAPPED-ADDRESS")),
        _ipv4(found.get("OTHER-ADDRESS") or found.get("CHANGED-ADDRESS")),  # its RFC 3489 name
        _error(message) if message.message_class is stun.Class.ERROR else None,
        message.message_class is stun.Class.REQUEST,
    )


def _error(message: stun.Message) -> str:
    """Return code and reason, short and printable, as an unknown server wrote the reason."""
    code, reason = message.attributes.get("ERROR-CODE", (0, "no reason given"))
    printable = "".join(filter(str.isprintable, reason))
    return f"{code} {printable[:80]}".strip()


def _ipv4(address: Address | None) -> Address | None:
    return None if address is None or is_ipv6(address) else address
