"""NAT behaviour concluded from the responses of a STUN server with two hosts and ports (RFC 5780).

*Mapping* (section 4.3). One local port asks all four addresses of the server for its mapped
address. RFC 5780 asks three of them, one after the other; the fourth shows in addition whether the
server's other port answers at all, a fact that the filtering test needs::

    same mapped address                  for another host    for another port
    EIM                                  yes                 yes
    ADM                                  no                  yes
    APDM                                 no                  no

*Filtering* (section 4.4). A local port that has sent to one address of the server asks for
responses from the other addresses. It must be a fresh port, and this test must be the first: the
mapping test's requests open filters, in some NATs even for other ports.

*Hairpinning* (section 4.5). Two local ports send requests to each other's mapped address. With EIM,
each request also opens the filter of its sender's mapping for the other. Otherwise it opens the
filter of a different mapping, and a missing request may have been turned back and then filtered.

*Silence* alone proves nothing: packets get lost, and an address of the server may not work. It
counts when the same address answers direct requests, and after `CONTROLS` control requests over the
same path were answered. Let a share p of requests stay unanswered because of independent loss. In a
round that decides anything, either the request is answered, or it is not and its control is, with
the chance p (1 - p)/(1 - p²) = p/(1 + p). So silence is false with the probability
(p/(1 + p))^CONTROLS: 4e-7 with 10 % lost each way (p = 0.19), 2e-5 with 20 % (0.36).
"""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from jamlab.networks.model.nat_behaviour import PRESETS, Filtering, Mapping, NatType
from jamlab.networks.model.packet import Address
from jamlab.networks.model.rule import direct_possible
from jamlab.networks.stun.answer import Answer
from jamlab.networks.turn.fault import Fault, ServerFaultError

T = TypeVar("T")

CONTROLS = 8
"""Number of answered control requests before silence counts."""

UNSURE = "the server stopped answering before the result was clear"

_PEERS: dict[str, NatType | None] = {"no NAT": None, **PRESETS}


class Conclusion(NamedTuple, Generic[T]):
    """A result, or None and the reason why there is none."""

    value: T | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Joint behaviour of the NATs and firewalls between a host and a STUN server.

    A field without a result is None, and `reasons` has the reason under the field's name.
    """

    server: Address
    local: Address
    """Local address of the first request."""
    mapped: Address | None = None
    """Mapped address of the first request."""
    udp_blocked: bool | None = None
    """Whether the server answers over TCP, but not over UDP."""
    nat: bool | None = None
    mapping: Mapping | None = None
    """EIM without NAT."""
    filtering: Filtering | None = None
    """Of a NAT or a firewall."""
    hairpinning: bool | None = None
    """Whether two ports of this host reach each other by their mapped addresses."""
    ports_preserved: bool | None = None
    lifetime_s: tuple[float, float] | None = None
    """Lifetime of mapping and filter entry after a packet is sent: at least the first value and
    less than the second, in seconds; the second is infinite when they outlived every wait."""
    round_trip_s: float | None = None
    """Round-trip time of the first request."""
    reasons: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; an infinite upper bound of the lifetime becomes None."""
        found = {name: getattr(self, name) for name in self.__slots__}
        if self.lifetime_s is not None:
            found["lifetime_s"] = [t if t < float("inf") else None for t in self.lifetime_s]
        return found


def useless(answer: Answer) -> str:
    """Return why an answer to a plain request does not show the mapped address."""
    if answer.unusable is not None:
        return f"the server answers, but its answer cannot be used: {answer.unusable}"
    if answer.alternate:
        return f"the server sends its clients elsewhere ({answer.error}): ask that server"
    if answer.error is not None:
        return f"the server refuses to answer ({answer.error})"
    return "the server's response has no mapped IPv4 address"


def conclude_silence(
    udp: ServerFaultError | None, tcp: ServerFaultError | None
) -> Conclusion[bool]:
    """Return whether UDP is blocked, when the first requests over UDP got no answer.

    `udp` and `tcp` are the faults of one more request over each; None for an answer.
    """
    if udp is None:
        return Conclusion(False, "the server answers only now and then: ask again")
    if tcp is None:
        return Conclusion(True, "UDP is blocked: the server answers only over TCP")
    if tcp.fault in (Fault.NOT_STUN, Fault.UNUSABLE):
        reason = (
            f"nothing answers over UDP, and over TCP something that cannot be used: {tcp.detail}"
        )
        return Conclusion(None, reason)
    if udp.fault is Fault.REFUSED:
        reason = "the server's machine refuses the request: nothing listens at this UDP port"
        return Conclusion(None, reason)
    return Conclusion(
        None, "the server answers neither over UDP nor over TCP: it is down, or blocked"
    )


def alternate_addresses(server: Address, other: Address | None) -> Conclusion[tuple[Address, ...]]:
    """Return the server's other addresses: other host, other port, and both (RFC 5780, section 3).

    `server` is the address of the request, `other` the response's OTHER-ADDRESS.
    """
    if other is None:
        return Conclusion(None, "the server has no second address (OTHER-ADDRESS) to ask: RFC 5780")
    if other[0] == server[0] or other[1] == server[1]:
        return Conclusion(
            None,
            f"the server's second address, {_shown(other)}, has the same host or port as the first",
        )
    return Conclusion(((other[0], server[1]), (server[0], other[1]), other))


def conclude_mapping(mapped: Map[Address, Address]) -> Conclusion[Mapping]:
    """Return a NAT's mapping, from one local port's mapped address by address of the server."""
    pairs = [(a, b) for a in mapped for b in mapped if a < b]
    by_port = [mapped[a] == mapped[b] for a, b in pairs if a[0] == b[0]]
    by_host = [mapped[a] == mapped[b] for a, b in pairs if a[0] != b[0]]
    if not all(by_port):
        return Conclusion(Mapping.APDM)
    if not by_host:
        return Conclusion(None, "the server's second host does not answer")
    if all(by_host):
        return Conclusion(Mapping.EIM)
    if by_port:
        return Conclusion(Mapping.ADM)
    return Conclusion(
        None, "the mapping depends on the host, but no host of the server answers at both ports"
    )


def conclude_filtering(
    server: Address,
    answering: Collection[Address],
    both: Answer | None,
    port: Answer | None,
    *,
    sure: bool,
) -> Conclusion[Filtering]:
    """Return the filtering of a NAT or firewall from responses of addresses not sent to.

    The local port has sent to `server` alone, and `answering` are the server's other addresses that
    answer direct requests. `both` and `port` answer requests with change-IP and change-port, and
    with change-port alone. `sure`: silence counts.
    """
    if error := next((a.error for a in (both, port) if a is not None and a.error), None):
        return Conclusion(None, f"the server refuses to answer from another address ({error})")
    at_server = (a.unusable for a in (both, port) if a is not None and a.source == server)
    if reason := next(filter(None, at_server), None):
        return Conclusion(None, f"the server's answer to CHANGE-REQUEST cannot be used: {reason}")
    if (both and not _changed(server, both.source, host=True)) or (
        port and not _changed(server, port.source)
    ):
        return Conclusion(
            None, "the server ignores CHANGE-REQUEST: it answers from the address of the request"
        )
    if both:
        return Conclusion(Filtering.EIF)
    if not sure:
        return Conclusion(None, UNSURE)
    if port and any(_changed(server, address, host=True) for address in answering):
        return Conclusion(Filtering.ADF)
    if port:
        return Conclusion(None, "the server's second host does not answer at its second port")
    if any(_changed(server, address) for address in answering):
        return Conclusion(Filtering.APDF)
    return Conclusion(None, "the server's first host does not answer at its second port")


def _changed(server: Address, address: Address, *, host: bool = False) -> bool:
    """Return whether an address has another port than the server, and another host or not."""
    return address[1] != server[1] and (address[0] != server[0]) is host


def conclude_hairpinning(
    heard: bool, mapping: Mapping | None, filtering: Filtering | None, *, sure: bool
) -> Conclusion[bool]:
    """Return whether a NAT hairpins.

    `heard`: a request to the mapped address of another local port arrived there. `sure`: silence
    counts.
    """
    if heard:
        return Conclusion(True)
    if not sure:
        return Conclusion(None, UNSURE)
    if mapping is Mapping.EIM or filtering is Filtering.EIF:
        return Conclusion(False)
    return Conclusion(
        None, "no packet came back, but the NAT may have hairpinned it and then filtered it"
    )


def conclude_preservation(pairs: Iterable[tuple[Address, Address]]) -> Conclusion[bool]:
    """Return whether a NAT preserves ports, from local and mapped addresses of fresh ports."""
    same = [local[1] == mapped[1] for local, mapped in pairs]
    if all(same) or not any(same):
        return Conclusion(same[0])
    return Conclusion(None, f"only {sum(same)} of {len(same)} ports were preserved")


def meaning(found: Discovery) -> str:
    """Return in a sentence which peers this host reaches without a relay, by the model's rule."""
    if found.udp_blocked:
        return "UDP is blocked: this host reaches peers only through a TURN server over TCP or TLS."
    if found.mapping is None or found.filtering is None:
        reason = found.reasons["mapping" if found.mapping is None else "filtering"]
        return f"It is unknown which peers this host reaches directly: {reason}."
    here = NatType(found.mapping, found.filtering)
    direct = [name for name, peer in _PEERS.items() if direct_possible(here, peer)]
    relayed = [name for name in _PEERS if name not in direct]
    start = f"{_named(found.nat, here)}: direct to"
    if not relayed:
        return f"{start} every peer that has UDP."
    return f"{start} peers with {', '.join(direct)}; to {', '.join(relayed)} only over TURN."


def _named(nat: bool | None, here: NatType) -> str:
    pair = here.mapping, here.filtering
    if not nat:
        return "No NAT" if here.filtering is Filtering.EIF else "A firewall and no NAT"
    names = [name for name, nat_ in PRESETS.items() if (nat_.mapping, nat_.filtering) == pair]
    return f"{names[0].capitalize() if names else '/'.join(pair)} NAT"


def _shown(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
