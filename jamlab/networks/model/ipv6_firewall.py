"""IPv6 firewalls as values: what the border of an IPv6 network lets in (RFC 6092).

IPv6 addresses are not translated here, so a border has a firewall or nothing, in three classes that
differ in the packets from outside:

*None*
    All are let in and out: RFC 6092's transparent mode (REC-49).

*Stateful*
    Packets of a flow that the inside host began are let in: simple security. REC-17 leaves the
    filtering to the maker. Here it is address- and port-dependent, which is the strictest it can
    be and what Linux's connection tracking does. Entries last for five minutes (REC-14).

*Closed*
    UDP is dropped in both directions, which is stricter than RFC 6092 wants (it lets interior hosts
    begin any flow): the policy of an office, not of a home. TCP connections from inside pass.

Two ICE agents both send, each from the address to which the other sends, so "none" and "stateful"
connect in every combination; "closed" never does.
"""

from enum import StrEnum

from jamlab.networks.model.nat_behaviour import Filtering, FirewallType


class Ipv6Firewall(StrEnum):
    """Class of a network's IPv6 firewall."""

    NONE = "none"
    STATEFUL = "stateful"
    CLOSED = "closed"

    @property
    def box(self) -> FirewallType | None:
        """The firewall's behaviour; None where there is no firewall."""
        return _BOXES[self]


_BOXES = {
    Ipv6Firewall.NONE: None,
    Ipv6Firewall.STATEFUL: FirewallType(Filtering.APDF),
    Ipv6Firewall.CLOSED: FirewallType(Filtering.APDF, udp_blocked=True),
}
