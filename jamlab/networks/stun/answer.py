"""What a STUN client gets back, as a value (RFC 8489, RFC 5780)."""

from typing import NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import is_ipv6


class Answer(NamedTuple):
    """What came back to a request."""

    local: Address
    """The port of the client's where it came in."""
    source: Address
    """Where it came from."""
    round_trip_s: float
    """Seconds since the request was first sent."""
    mapped: Address | None = None
    """The client's address as the server saw it, unless it said none, or no IPv4 one."""
    other: Address | None = None
    """The server's other address, if it has one (RFC 5780, section 7.4)."""
    error: str | None = None
    """Code and reason of an error response."""
    hairpinned: bool = False
    """Whether it is the request itself."""


def answer_of(
    message: stun.Message, source: Address, local: Address, round_trip_s: float
) -> Answer:
    """Return what a message says that came in.

    Parameters
    ----------
    message : aioice.stun.Message
        A response, or a request of the client's own.
    source, local : Address
        Where it came from, and where it came in.
    round_trip_s : float
        Seconds since the request was first sent.
    """
    found = message.attributes
    return Answer(
        local,
        source,
        round_trip_s,
        _ipv4(found.get("XOR-MAPPED-ADDRESS") or found.get("MAPPED-ADDRESS")),
        _ipv4(found.get("OTHER-ADDRESS") or found.get("CHANGED-ADDRESS")),  # RFC 3489's name of it
        _error(message) if message.message_class is stun.Class.ERROR else None,
        message.message_class is stun.Class.REQUEST,
    )


def _error(message: stun.Message) -> str:
    """Return what went wrong, fit to be shown: the words are a stranger's."""
    code, reason = message.attributes.get("ERROR-CODE", (0, "no reason given"))
    printable = "".join(filter(str.isprintable, reason))
    return f"{code} {printable[:80]}".strip()


def _ipv4(address: Address | None) -> Address | None:
    return None if address is None or is_ipv6(address) else address
