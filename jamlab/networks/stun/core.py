"""A STUN server without its sockets, with NAT behaviour discovery (RFC 8489, RFC 5780).

A client discovers its NAT's mapping by requests to several addresses of the server, and the
filtering by responses from an address to which it has not sent. Both need a server with two hosts
and two ports each:

                  source of the response, by flags        OTHER-ADDRESS
    request to    none     change-port  change-IP  both
    Da:Dp         Da:Dp    Da:Cp        Ca:Dp      Ca:Cp  Ca:Cp

A server with one host sends no OTHER-ADDRESS and refuses CHANGE-REQUEST. Both kinds support
RESPONSE-PORT (the response goes to another port of the client, to measure the lifetime of mappings)
and PADDING (a longer response, to test whether fragments pass).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aioice import stun

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import (
    CHANGE_REQUEST,
    PADDING,
    RESPONSE_PORT,
    Attribute,
    MalformedMessageError,
    Received,
    encode,
    encode_address,
    encode_attribute,
    encode_binding_response,
    error_response,
    is_bare_binding_request,
    parse,
    unknown_attributes,
    with_fingerprint,
)

CHANGE_PORT = 0x2
"""Flag of CHANGE-REQUEST (RFC 5780, section 7.2)."""

CHANGE_IP = 0x4
"""Flag of CHANGE-REQUEST (RFC 5780, section 7.2)."""


class Reply(NamedTuple):
    """A datagram that a STUN server has to send."""

    source: Address
    """The server's address from which it must be sent."""
    destination: Address
    payload: bytes


@dataclass(slots=True)
class StunCounters:
    """Counts of datagrams: ``received = answered + refused + discarded + malformed``."""

    received: int = 0
    answered: int = 0
    """Binding requests that got a success response."""
    refused: int = 0
    """Binding requests that got an error response."""
    discarded: int = 0
    """STUN messages that are not Binding requests, such as indications."""
    malformed: int = 0
    """Datagrams that are not STUN."""
    unsendable: int = 0
    """Responses that the system refused to send."""


def check_addresses(hosts: Sequence[str], ports: Sequence[int]) -> None:
    """Check that a STUN server can have these addresses; port 0 means any free port.

    Raises ValueError unless they are one host and port, or two different hosts and ports.
    """
    if (len(hosts), len(ports)) not in ((1, 1), (2, 2)):
        raise ValueError(
            "a STUN server has one host and one port, or two of each for behaviour discovery "
            f"(RFC 5780), not {len(hosts)} and {len(ports)}"
        )
    if len(hosts) == 2 and (hosts[0] == hosts[1] or ports[0] == ports[1] != 0):
        raise ValueError(
            "behaviour discovery (RFC 5780) needs two different hosts and ports, "
            f"not {hosts[0]} and {hosts[1]} with {ports[0]} and {ports[1]}"
        )


class StunCore:
    """A STUN server without its sockets.

    It has one IPv4 address, or two for behaviour discovery, and as many ports, the same on each
    host. Raises ValueError for other hosts and ports, see `check_addresses`.
    """

    def __init__(
        self, hosts: Sequence[str], ports: Sequence[int], counters: StunCounters | None = None
    ) -> None:
        check_addresses(hosts, ports)
        self.counters = counters or StunCounters()
        self.addresses: tuple[Address, ...] = tuple((h, p) for h in hosts for p in ports)
        """The addresses on which the server has to listen."""
        self._discovery = len(self.addresses) > 1
        self._understood = {PADDING, RESPONSE_PORT} | (
            {CHANGE_REQUEST} if self._discovery else set()
        )
        self._routes = {
            (address, flags): self._route(address, flags)
            for address in self.addresses
            for flags in (0, CHANGE_PORT, CHANGE_IP, CHANGE_PORT | CHANGE_IP)
            if self._discovery or not flags
        }

    def _route(self, address: Address, flags: int) -> tuple[Address, bytes]:
        """Return a response's source address, and its attributes for the server's addresses."""
        origin = self._changed(address, flags)
        addresses = encode_address("RESPONSE-ORIGIN", origin)
        if self._discovery:
            other = self._changed(address, CHANGE_IP | CHANGE_PORT)
            addresses += encode_address("OTHER-ADDRESS", other)
        return origin, addresses

    def _changed(self, address: Address, flags: int) -> Address:
        # of four addresses, h0:p0 h0:p1 h1:p0 h1:p1, the flags flip one bit of the index each
        index = self.addresses.index(address)
        index ^= (flags & CHANGE_IP and 2) | (flags & CHANGE_PORT and 1)
        return self.addresses[index]

    def receive(self, data: bytes, source: Address, local: Address) -> Reply | None:
        """Take a datagram that was not checked yet, and return the response if there is one.

        `source` is the client's address, `local` the server's at which the datagram arrived.
        """
        counters = self.counters
        counters.received += 1
        if is_bare_binding_request(data):
            counters.answered += 1
            origin, addresses = self._routes[local, 0]
            return Reply(origin, source, encode_binding_response(data[8:], source, addresses))
        try:
            received = parse(data)
        except MalformedMessageError:
            counters.malformed += 1
            return None
        return self._answer(received, source, local)

    def _answer(self, received: Received, source: Address, local: Address) -> Reply | None:
        request = received.message
        if (request.message_method, request.message_class) != (
            stun.Method.BINDING,
            stun.Class.REQUEST,
        ):
            self.counters.discarded += 1
            return None
        if unknown := received.unknown(self._understood):
            return self._refuse(request, 420, source, local, [unknown_attributes(unknown)])
        ports, padding = received.values(RESPONSE_PORT), received.values(PADDING)
        if (ports and padding) or any(len(port) != 4 for port in ports):
            return self._refuse(request, 400, source, local)
        self.counters.answered += 1
        flags = request.attributes.get("CHANGE-REQUEST", 0) & (CHANGE_IP | CHANGE_PORT)
        origin, more = self._routes[local, flags]
        # As long as the request's, not as the MTU: a forged source must not get amplified traffic.
        more += b"".join(encode_attribute(Attribute(PADDING, bytes(len(p)))) for p in padding)
        payload = encode_binding_response(request.transaction_id, source, more)
        if "FINGERPRINT" in request.attributes:
            payload = with_fingerprint(payload)
        port = int.from_bytes(ports[0][:2], "big") if ports else source[1]
        return Reply(origin, (source[0], port), payload)

    def _refuse(
        self,
        request: stun.Message,
        code: int,
        source: Address,
        local: Address,
        extra: Sequence[Attribute] = (),
    ) -> Reply:
        self.counters.refused += 1
        fingerprint = "FINGERPRINT" in request.attributes
        payload = encode(error_response(request, code), extra=extra, fingerprint=fingerprint)
        return Reply(local, source, payload)
