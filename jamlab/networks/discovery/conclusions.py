"""What the answers of a STUN server with two hosts and two ports say of a NAT (RFC 5780).

*Mapping* (section 4.3). One port of ours asks all four addresses of the server how it looks from
there. RFC 5780 asks three of them, one after the other; the fourth tells in addition whether the
server's other port answers at all, which the filtering test needs to know::

    mapped the same ...                  for another host    for another port
    EIM                                  yes                 yes
    ADM                                  no                  yes
    APDM                                 no                  no

*Filtering* (section 4.4). A port that has sent to one address of the server alone has the answer
come from the others. It must be a fresh one, and this test the first: whatever the mapping test
sends opens a filter, in some NATs even for other ports.

*Hairpinning* (section 4.5). Two ports send requests to each other's outside address. If each has
one for all destinations (EIM), that opens the filter there for the other. Otherwise it opens that
of another mapping, and a request that does not arrive may have been turned back and filtered.

*Silence* says nothing by itself: packets get lost, and a server may have an address that does not
work. It counts where the same address answers who asks it directly, and once `CONTROLS` questions
put beside it over the same path were answered. Let a share p of questions stay without an answer
for loss, independently. In a round that decides anything, either the question is answered, or it is
not and its control is, with the chance p (1 - p)/(1 - p²) = p/(1 + p). So silence is false with the
probability (p/(1 + p))^CONTROLS: 4e-7 with 10 % lost each way (p = 0.19), 2e-5 with 20 % (0.36).
"""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from jamlab.networks.model.nat_behaviour import PRESETS, Filtering, Mapping, NatType
from jamlab.networks.model.packet import Address
from jamlab.networks.model.rule import direct_possible
from jamlab.networks.stun.answer import Answer

T = TypeVar("T")

CONTROLS = 8
"""How many questions beside have to be answered before silence counts."""

UNSURE = "the server stopped answering before it was clear"

_PEERS: dict[str, NatType | None] = {"no NAT": None, **PRESETS}


class Conclusion(NamedTuple, Generic[T]):
    """What was found out, or why it was not."""

    value: T | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """How the NATs and firewalls behave that stand between a host and a server, as one.

    What could not be found out is None, and `reasons` has the reason under the field's name.
    """

    server: Address
    """The STUN server that was asked."""
    local: Address
    """Where it was asked from first."""
    mapped: Address | None = None
    """How that looked to the server."""
    udp_blocked: bool | None = None
    """Whether the server is there, by TCP, and does not answer over UDP."""
    nat: bool | None = None
    """Whether addresses are translated."""
    mapping: Mapping | None = None
    """When an outside address is used again; EIM without NAT."""
    filtering: Filtering | None = None
    """Which packets are let in, by a NAT or a firewall."""
    hairpinning: bool | None = None
    """Whether two ports of this host reach each other by their outside addresses."""
    ports_preserved: bool | None = None
    """Whether a port looks the same from outside, where that is free."""
    lifetime_s: tuple[float, float] | None = None
    """What was sent keeps the way in open for at least the first and less than the second, in
    seconds; the second is infinite where it stayed open as long as was tried."""
    round_trip_s: float | None = None
    """Of the first answer."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why fields are None."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it; an infinite lifetime ends with None."""
        found = {name: getattr(self, name) for name in self.__slots__}
        if self.lifetime_s is not None:
            found["lifetime_s"] = [t if t < float("inf") else None for t in self.lifetime_s]
        return found


def alternate_addresses(server: Address, other: Address | None) -> Conclusion[tuple[Address, ...]]:
    """Return the server's other addresses: other host, other port, and both (RFC 5780, section 3).

    Parameters
    ----------
    server : Address
        The one that was asked.
    other : Address or None
        What it said.
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
    """Return how a NAT maps, by how one port looked from several addresses of the server.

    Parameters
    ----------
    mapped : mapping of Address to Address
        What each address of the server's that answered saw.
    """
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
        None, "it depends on the host, but no host of the server answers at both its ports"
    )


def conclude_filtering(
    server: Address,
    answering: Collection[Address],
    both: Answer | None,
    port: Answer | None,
    *,
    sure: bool,
) -> Conclusion[Filtering]:
    """Return how a NAT or a firewall filters, by what came from addresses that were not sent to.

    Parameters
    ----------
    server : Address
        The one address that was sent to.
    answering : collection of Address
        The server's other addresses that answer who asks them.
    both, port : Answer or None
        What came when the answer was to come from another host and port, and from another port.
    sure : bool
        Whether silence counts.
    """
    if error := next((a.error for a in (both, port) if a is not None and a.error), None):
        return Conclusion(None, f"the server refuses to answer from another address ({error})")
    if (both and not _changed(server, both.source, host=True)) or (
        port and not _changed(server, port.source)
    ):
        return Conclusion(
            None, "the server answers from the address it was asked at, whatever it is told"
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
    """Tell whether an address has another port than the server's first, and another host or not."""
    return address[1] != server[1] and (address[0] != server[0]) is host


def conclude_hairpinning(
    heard: bool, mapping: Mapping | None, filtering: Filtering | None, *, sure: bool
) -> Conclusion[bool]:
    """Return whether a NAT hairpins, by whether one of our ports heard the other.

    Parameters
    ----------
    heard : bool
        Whether a request arrived that was sent to an outside address.
    mapping, filtering : Mapping or None, Filtering or None
        How the NAT behaves as far as that is known.
    sure : bool
        Whether silence counts.
    """
    if heard:
        return Conclusion(True)
    if not sure:
        return Conclusion(None, UNSURE)
    if mapping is Mapping.EIM or filtering is Filtering.EIF:
        return Conclusion(False)
    return Conclusion(None, "nothing came back, but a filter may have dropped what was turned back")


def conclude_preservation(pairs: Iterable[tuple[Address, Address]]) -> Conclusion[bool]:
    """Return whether ports look the same from outside, by some that were fresh.

    Parameters
    ----------
    pairs : iterable of tuple of Address
        Local and mapped address.
    """
    same = [local[1] == mapped[1] for local, mapped in pairs]
    if all(same) or not any(same):
        return Conclusion(same[0])
    return Conclusion(None, f"{sum(same)} of {len(same)} ports were the same")


def meaning(found: Discovery) -> str:
    """Say in a sentence whom this host reaches without a relay, by `jamlab.networks.model.rule`."""
    if found.udp_blocked:
        return "UDP is blocked: no direct connections, only a TURN server over TCP or TLS helps."
    if found.mapping is None or found.filtering is None:
        reason = found.reasons["mapping" if found.mapping is None else "filtering"]
        return f"Whom this host reaches directly is not known: {reason}."
    here = NatType(found.mapping, found.filtering)
    direct = [name for name, peer in _PEERS.items() if direct_possible(here, peer)]
    relayed = [name for name in _PEERS if name not in direct]
    start = f"{_named(found.nat, here)}: direct to"
    if not relayed:
        return f"{start} everybody who has UDP."
    return f"{start} peers with {', '.join(direct)}; to {', '.join(relayed)} only over TURN."


def _named(nat: bool | None, here: NatType) -> str:
    pair = here.mapping, here.filtering
    if not nat:
        return "No NAT" if here.filtering is Filtering.EIF else "A firewall and no NAT"
    names = [name for name, nat_ in PRESETS.items() if (nat_.mapping, nat_.filtering) == pair]
    return f"{names[0].capitalize() if names else '/'.join(pair)} NAT"


def _shown(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
