"""How a NAT behaves, as values: RFC 4787's vocabulary, and the four types people name.

Two questions describe a NAT. *Mapping*: when does it use the same outside address again for packets
from one inside address? *Filtering*: which packets from outside does it let in to that address?
Both have the same three answers: whatever the other end is, for the same host at the other end, and
for the same host and port. RFC 3489's "full cone" or "symmetric" are four of the nine pairs.
"""

from collections.abc import Callable, Hashable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from jamlab.networks.model.packet import Address


class Mapping(StrEnum):
    """When packets from one inside address share an outside address (RFC 4787 section 4.1)."""

    EIM = "EIM"
    """Endpoint-independent: always."""
    ADM = "ADM"
    """Address-dependent: when they go to the same host."""
    APDM = "APDM"
    """Address- and port-dependent: when they go to the same host and port."""


class Filtering(StrEnum):
    """Who may answer to an outside address (RFC 4787 section 5)."""

    EIF = "EIF"
    """Endpoint-independent: anybody, once the inside has sent something."""
    ADF = "ADF"
    """Address-dependent: the hosts the inside has sent to."""
    APDF = "APDF"
    """Address- and port-dependent: the hosts and ports the inside has sent to."""


class PortAllocation(StrEnum):
    """Which outside port a new mapping gets (RFC 4787 section 4.2)."""

    PRESERVE = "preserve"
    """The inside port if it is free, else a random one."""
    CONTIGUOUS = "contiguous"
    """The next free one after the last."""
    RANDOM = "random"
    """A random one."""


class Pooling(StrEnum):
    """Which outside host a new mapping gets where there are several (RFC 4787 section 4.1)."""

    PAIRED = "paired"
    """Always the same for an inside host."""
    ARBITRARY = "arbitrary"
    """A random one."""


UDP_LIFETIME_S = 300.0
"""RFC 4787 REQ-5c recommends five minutes or more."""

TCP_LIFETIME_S = 2 * 3600.0 + 4 * 60.0
"""RFC 5382 REQ-5: an established connection may be idle for two hours and four minutes."""


class UnknownNatError(ValueError):
    """A text names no type of NAT."""


@dataclass(frozen=True, slots=True)
class NatType:
    """How a NAT behaves.

    Outgoing packets always refresh their mapping (RFC 4787 REQ-6). There is no TCP state machine:
    a TCP mapping is kept as long as an idle established connection.

    Raises
    ------
    ValueError
        When a field has no meaning.
    """

    mapping: Mapping
    """When an outside address is used again."""
    filtering: Filtering
    """Which packets are let in."""
    port_allocation: PortAllocation = PortAllocation.PRESERVE
    """Which outside port a mapping gets."""
    _: KW_ONLY
    pooling: Pooling = Pooling.PAIRED
    """Which outside host a mapping gets."""
    mapping_lifetime_s: float = UDP_LIFETIME_S
    """How long a UDP mapping lasts without a packet that refreshes it, in seconds."""
    filtering_lifetime_s: float = UDP_LIFETIME_S
    """How long after a UDP packet its destination may answer, in seconds; at most as long as the
    mapping lasts."""
    tcp_lifetime_s: float = TCP_LIFETIME_S
    """Both of these for TCP, in seconds."""
    inbound_refresh: bool = False
    """Whether packets that are let in refresh as outgoing ones do (RFC 4787 REQ-6a)."""
    hairpinning: bool = False
    """Whether two inside hosts can reach each other's outside addresses (RFC 4787 REQ-9)."""

    def __post_init__(self) -> None:
        check_member("mapping of a NAT", self.mapping, Mapping)
        check_member("filtering of a NAT", self.filtering, Filtering)
        check_member("port allocation of a NAT", self.port_allocation, PortAllocation)
        check_member("pooling of a NAT", self.pooling, Pooling)
        check_lifetime("mapping_lifetime_s of a NAT", self.mapping_lifetime_s)
        check_lifetime("filtering_lifetime_s of a NAT", self.filtering_lifetime_s)
        check_lifetime("tcp_lifetime_s of a NAT", self.tcp_lifetime_s)

    @property
    def name(self) -> str:
        """Mapping, filtering and port allocation, e.g. ``"EIM/APDF/preserve"``."""
        return f"{self.mapping}/{self.filtering}/{self.port_allocation}"


def check_member(what: str, value: object, allowed: type[StrEnum]) -> None:
    """Raise ValueError unless a value is a member of an enumeration."""
    if not isinstance(value, allowed):
        members = ", ".join(f"{allowed.__name__}.{member.name}" for member in allowed)
        raise ValueError(f"{what} is {value!r}: give one of {members}")


def check_lifetime(what: str, value_s: float) -> None:
    """Raise ValueError unless a value is a positive number of seconds; it may be infinite."""
    if isinstance(value_s, bool) or not isinstance(value_s, int | float) or not value_s > 0:
        raise ValueError(f"{what} is {value_s!r}: give a number of seconds above 0")


_REMOTE_KEYS: dict[Filtering, Callable[[Address], Hashable]] = {
    Filtering.EIF: lambda remote: None,
    Filtering.ADF: lambda remote: remote[0],
    Filtering.APDF: lambda remote: remote,
}


def remote_key(filtering: Filtering) -> Callable[[Address], Hashable]:
    """Return what a filter remembers of an address: those with equal keys are the same to it."""
    return _REMOTE_KEYS[filtering]


FULL_CONE = NatType(Mapping.EIM, Filtering.EIF)
"""Anybody may answer."""

ADDRESS_RESTRICTED = NatType(Mapping.EIM, Filtering.ADF)
"""RFC 3489's restricted cone: the hosts that were sent to may answer."""

PORT_RESTRICTED = NatType(Mapping.EIM, Filtering.APDF)
"""RFC 3489's port restricted cone, what most homes have."""

SYMMETRIC = NatType(Mapping.APDM, Filtering.APDF, PortAllocation.RANDOM)
"""Every destination sees another address; with random ports, as most of this type have."""

PRESETS = {
    "full cone": FULL_CONE,
    "address restricted": ADDRESS_RESTRICTED,
    "port restricted": PORT_RESTRICTED,
    "symmetric": SYMMETRIC,
}
"""The types that have a name."""


def nat_named(text: str) -> NatType:
    """Return the type of NAT a text names.

    Parameters
    ----------
    text : str
        A name of `PRESETS`, or mapping, filtering and perhaps port allocation, as in
        ``"EIM/APDF"`` or ``"EIM/APDF/random"``; in capitals or not, with hyphens or spaces.

    Raises
    ------
    UnknownNatError
        When it names none; the message lists the names.
    """
    words = " ".join(text.replace("-", " ").replace("_", " ").lower().split())
    if words in PRESETS:
        return PRESETS[words]
    parts = [part.strip() for part in words.split("/")]
    if len(parts) == 2:
        parts.append(PortAllocation.PRESERVE)
    try:
        mapping, filtering, ports = parts
        return NatType(
            Mapping(mapping.upper()), Filtering(filtering.upper()), PortAllocation(ports)
        )
    except ValueError:
        raise UnknownNatError(f"no type of NAT is named {text!r}: {_names()}") from None


def _names() -> str:
    presets = ", ".join(f'"{name}"' for name in PRESETS)
    parts = "; ".join(", ".join(part) for part in (Mapping, Filtering, PortAllocation))
    return f'give {presets}, or mapping/filtering[/ports] of {parts}, as in "EIM/APDF"'


@dataclass(frozen=True, slots=True)
class FirewallType:
    """How a firewall behaves. Outgoing packets always refresh what they have opened.

    Raises
    ------
    ValueError
        When a field has no meaning.
    """

    filtering: Filtering = Filtering.APDF
    """Which packets are let in."""
    _: KW_ONLY
    lifetime_s: float = UDP_LIFETIME_S
    """How long after a UDP packet its destination may answer, in seconds."""
    tcp_lifetime_s: float = TCP_LIFETIME_S
    """The same for TCP, in seconds."""
    inbound_refresh: bool = False
    """Whether packets that are let in refresh as outgoing ones do."""
    udp_blocked: bool = False
    """Whether UDP is dropped in both directions."""

    def __post_init__(self) -> None:
        check_member("filtering of a firewall", self.filtering, Filtering)
        check_lifetime("lifetime_s of a firewall", self.lifetime_s)
        check_lifetime("tcp_lifetime_s of a firewall", self.tcp_lifetime_s)
