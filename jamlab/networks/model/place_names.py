"""Names of places, and the places that they name."""

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import (
    PORT_RESTRICTED,
    Filtering,
    FirewallType,
    PortAllocation,
    nat_named,
)
from jamlab.networks.model.place import Place

_OPEN, _BLOCKED, _CGN = "open", "UDP blocked", "CGN "
_IPV6 = "IPv6 "
_MAPPING = "port mapping"


def place_named(name: str) -> Place:
    """Return a place from its name; raises ValueError for a name of another form.

    A name is ``"open"``, ``"UDP blocked"``, a NAT's for `nat_named`, or a carrier's and a home
    router's NAT as in ``"CGN APDM/APDF + EIM/APDF"``. The class of an IPv6 firewall may follow, and
    that the own router maps ports, as in ``"EIM/APDF, IPv6 stateful, port mapping"``. The place's
    own name does not depend on the spelling: a NAT has its `NatType.name`; names of places with two
    NATs leave out port preservation.
    """
    plain, *features = name.split(", ")
    place = _plain(plain)
    if not features:
        return place
    mapping = features[-1] == _MAPPING
    firewalls = features[:-1] if mapping else features
    if len(firewalls) > 1 or not all(text.startswith(_IPV6) for text in firewalls):
        raise ValueError(
            f'{name!r} has something else after {plain!r} than an IPv6 firewall, as in "{_IPV6}'
            f'stateful", and then "{_MAPPING}"'
        )
    ipv6 = [_firewall(text.removeprefix(_IPV6)) for text in firewalls]
    return place.variant(*ipv6, port_mapping=mapping)


def _firewall(word: str) -> Ipv6Firewall:
    try:
        return Ipv6Firewall(word)
    except ValueError:
        classes = ", ".join(Ipv6Firewall)
        raise ValueError(f"there is no IPv6 firewall {word!r}: choose {classes}") from None


def _plain(name: str) -> Place:
    if name == _OPEN:
        return Place(name)
    if name == _BLOCKED:
        return Place(name, ((PORT_RESTRICTED, FirewallType(Filtering.APDF, udp_blocked=True)),))
    if not name.startswith(_CGN):
        nat = nat_named(name)
        return Place(nat.name, ((nat,),))
    carrier, plus, home = name.removeprefix(_CGN).partition(" + ")
    if not plus:
        raise ValueError(f'{name!r} names one NAT: write "{_CGN}APDM/APDF + EIM/APDF"')
    nats = nat_named(home), nat_named(carrier)
    inner, outer = (nat.name.removesuffix(f"/{PortAllocation.PRESERVE}") for nat in nats)
    return Place(f"{_CGN}{outer} + {inner}", tuple((nat,) for nat in nats))
