"""NAT and firewall behaviour as values: mapping, filtering and lifetimes of RFC 4787.

*Mapping*: for which destinations does a NAT use the same outside address again for packets from one
inside address? *Filtering*: packets from which sources does it let in to that address? Each is
endpoint-independent, address-dependent, or address- and port-dependent. The four types of RFC 3489
("full cone" to "symmetric") are four of these nine pairs.
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
    """Which sources may send to an outside address (RFC 4787 section 5)."""

    EIF = "EIF"
    """Endpoint-independent: every source, once the inside host has sent a packet."""
    ADF = "ADF"
    """Address-dependent: hosts to which the inside host has sent."""
    APDF = "APDF"
    """Address- and port-dependent: hosts and ports to which the inside host has sent."""


class PortAllocation(StrEnum):
    """Which outside port a new mapping gets (RFC 4787 section 4.2)."""

    PRESERVE = "preserve"
    """The inside port if it is free, else a random one."""
    CONTIGUOUS = "contiguous"
    """The next free port after the last."""
    RANDOM = "random"
    """A random port."""


class Pooling(StrEnum):
    """Which of several outside hosts a new mapping gets (RFC 4787 section 4.1)."""

    PAIRED = "paired"
    """Always the same for an inside host."""
    ARBITRARY = "arbitrary"
    """A random host."""


UDP_LIFETIME_S = 300.0
"""RFC 4787 REQ-5c recommends five minutes or more."""

TCP_LIFETIME_S = 2 * 3600.0 + 4 * 60.0
"""RFC 5382 REQ-5: an established connection may be idle for two hours and four minutes."""


class UnknownNatError(ValueError):
    """A text does not name a NAT type."""


@dataclass(frozen=True, slots=True)
class NatType:
    """Behaviour of a NAT; raises ValueError if a field has an invalid value.

    Outgoing packets always refresh their mapping (RFC 4787 REQ-6). There is no TCP state machine: a
    TCP mapping is kept as long as an idle established connection.
    """

    mapping: Mapping
    filtering: Filtering
    port_allocation: PortAllocation = PortAllocation.PRESERVE
    _: KW_ONLY
    pooling: Pooling = Pooling.PAIRED
    mapping_lifetime_s: float = UDP_LIFETIME_S
    """How long a UDP mapping lasts without a refresh, in seconds."""
    filtering_lifetime_s: float = UDP_LIFETIME_S
    """How long a filter entry lasts after a UDP packet to its destination, in seconds; it ends with
    the mapping at the latest."""
    tcp_lifetime_s: float = TCP_LIFETIME_S
    """Lifetime of mappings and filter entries for TCP, in seconds."""
    inbound_refresh: bool = False
    """Whether packets that are let in refresh mapping and filter entry (RFC 4787 REQ-6a)."""
    hairpinning: bool = False
    """Whether inside hosts reach each other by their outside addresses (RFC 4787 REQ-9)."""
    port_mapping: bool = False
    """Whether inside hosts can ask for a mapping (UPnP-IGD, NAT-PMP, PCP). A port that has one is
    mapped and filtered endpoint-independently, in both directions, whatever the NAT does else."""

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
    """Return the key function of a filter: it treats remote addresses of equal keys alike."""
    return _REMOTE_KEYS[filtering]


FULL_CONE = NatType(Mapping.EIM, Filtering.EIF)
"""RFC 3489's full cone."""

ADDRESS_RESTRICTED = NatType(Mapping.EIM, Filtering.ADF)
"""RFC 3489's restricted cone."""

PORT_RESTRICTED = NatType(Mapping.EIM, Filtering.APDF)
"""RFC 3489's port restricted cone, the type of most home routers."""

SYMMETRIC = NatType(Mapping.APDM, Filtering.APDF, PortAllocation.RANDOM)
"""RFC 3489's symmetric NAT, with random ports, as most NATs of this type have."""

PRESETS = {
    "full cone": FULL_CONE,
    "address restricted": ADDRESS_RESTRICTED,
    "port restricted": PORT_RESTRICTED,
    "symmetric": SYMMETRIC,
}


def nat_named(text: str) -> NatType:
    """Return the NAT type that a text names.

    The text is a name of `PRESETS`, or mapping, filtering and optionally port allocation, as in
    ``"EIM/APDF"`` or ``"EIM/APDF/random"``; case is ignored, hyphens count as spaces. Raises
    `UnknownNatError`, with the names, if there is no such type.
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
        raise UnknownNatError(f"there is no NAT type {text!r}: {_names()}") from None


def _names() -> str:
    presets = ", ".join(f'"{name}"' for name in PRESETS)
    parts = "; ".join(", ".join(part) for part in (Mapping, Filtering, PortAllocation))
    return f'give {presets}, or mapping/filtering[/ports] of {parts}, as in "EIM/APDF"'


@dataclass(frozen=True, slots=True)
class FirewallType:
    """Behaviour of a firewall; raises ValueError if a field has an invalid value.

    Outgoing packets always refresh their filter entry.
    """

    filtering: Filtering = Filtering.APDF
    _: KW_ONLY
    lifetime_s: float = UDP_LIFETIME_S
    """How long a filter entry lasts after a UDP packet to its destination, in seconds."""
    tcp_lifetime_s: float = TCP_LIFETIME_S
    inbound_refresh: bool = False
    """Whether packets that are let in refresh their filter entry."""
    udp_blocked: bool = False
    """Whether UDP is dropped in both directions."""

    def __post_init__(self) -> None:
        check_member("filtering of a firewall", self.filtering, Filtering)
        check_lifetime("lifetime_s of a firewall", self.lifetime_s)
        check_lifetime("tcp_lifetime_s of a firewall", self.tcp_lifetime_s)
