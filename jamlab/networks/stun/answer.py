"""A STUN response as a value: addresses, round-trip time and error (RFC 8489, RFC 5780)."""

from typing import NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import Received
from jamlab.networks.stun.response import (
    TRY_ALTERNATE,
    alternate_server,
    error_text,
    mapped_address,
    usable_ipv4,
)


class Answer(NamedTuple):
    """A message that answers a request, though perhaps in a way that is of no use."""

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
    alternate: str | None = None
    """The server that an error 300 names; empty if it names none (RFC 8489, section 10)."""
    unusable: str | None = None
    """Why the message is no response that can be used; then it has nothing else to say."""
    hairpinned: bool = False
    """Whether it is the request itself, turned back by a NAT."""


def answer_of(received: Received, source: Address, local: Address, round_trip_s: float) -> Answer:
    """Return a response as an `Answer`.

    It came from `source` and arrived at `local`, `round_trip_s` after the request was first sent.
    """
    answer = Answer(local, source, round_trip_s, mapped_address(received), _other(received))
    if received.message.message_class is not stun.Class.ERROR:
        return answer
    is_elsewhere = received.message.error_code == TRY_ALTERNATE
    alternate = alternate_server(received) if is_elsewhere else None
    return answer._replace(error=error_text(received), alternate=alternate)


def _other(received: Received) -> Address | None:
    found = received.message.attributes
    return usable_ipv4(found.get("OTHER-ADDRESS") or found.get("CHANGED-ADDRESS"))  # of RFC 3489
