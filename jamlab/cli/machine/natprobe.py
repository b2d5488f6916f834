"""``jamlab natprobe``: the behaviour of this machine's NATs, and its meaning for a session."""

import argparse
import asyncio
import ipaddress
import json
import math

from rich.table import Table

from jamlab.networks.discovery.conclusions import Discovery, meaning
from jamlab.networks.discovery.discover import DiscoveryError, discover
from jamlab.networks.model.nat_behaviour import Filtering, Mapping
from jamlab.networks.model.packet import Address
from jamlab.terminal import PlainConsole, literal

STUN_PORT = 3478
"""RFC 8489, section 8.1."""

LIFETIME_LIMIT_S = 600.0
"""Twice what RFC 4787 REQ-5 recommends; a keepalive every few minutes costs nothing."""

UNKNOWN = 2
"""Exit status when nothing was found out: the server's answer is missing, or of no use."""

_WORDS: dict[Mapping | Filtering | None, str] = {
    Mapping.EIM: "one outside address for all destinations",
    Mapping.ADM: "one outside address for each host",
    Mapping.APDM: "one outside address for each host and port",
    Filtering.EIF: "packets from any host are let in",
    Filtering.ADF: "only hosts that were sent to are let in",
    Filtering.APDF: "only hosts and ports that were sent to are let in",
}

_STDERR = PlainConsole(stderr=True, soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab natprobe``."""
    parser.add_argument(
        "server",
        metavar="HOST[:PORT]",
        help=f"a STUN server, ideally with two addresses (RFC 5780); default port {STUN_PORT}",
    )
    parser.add_argument(
        "--lifetime",
        action="store_true",
        help="also measure the lifetime of a mapping; may take "
        f"{LIFETIME_LIMIT_S / 60:g} minutes and more",
    )
    parser.add_argument(
        "--bind", metavar="ADDRESS", help="IPv4 address of this machine to send from"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab natprobe`` and return its exit status.

    Raises `DiscoveryError` when the server's name or the local address cannot be used.
    """
    limit_s = LIFETIME_LIMIT_S if options.lifetime else None
    if limit_s is not None:
        _STDERR.print(f"Measuring the mapping lifetime, up to {limit_s / 60:g} minutes.")
    server = _address(options.server)
    found = asyncio.run(discover(server, bind=options.bind, lifetime_limit_s=limit_s))
    if options.json:
        print(json.dumps({**found.to_dict(), "meaning": meaning(found)}, indent=2))
    else:
        console = PlainConsole()
        console.print(_shown(found))
        console.print(meaning(found), soft_wrap=True)
    return UNKNOWN if found.nat is None and not found.udp_blocked else 0


def _address(text: str) -> Address:
    if _is_ipv6(text):
        raise DiscoveryError(
            f"{text!r} is an IPv6 address: jamlab asks STUN servers over IPv4 only, so give a name "
            "or an IPv4 address"
        )
    host, colon, port = text.partition(":")
    if not host or (colon and not (port.isdecimal() and len(port) <= 5)):
        raise DiscoveryError(
            f"{text!r} is not a server: give a name or IPv4 address, optionally a port, as in "
            f"stun.example.org:{STUN_PORT}"
        )
    return host, int(port) if port else STUN_PORT


def _is_ipv6(text: str) -> bool:
    """Return whether a text is an IPv6 address, or one in brackets with a port or without."""
    literal = text[1:].partition("]")[0] if text.startswith("[") else text
    try:
        ipaddress.IPv6Address(literal)
    except ValueError:
        return False
    return True


def _shown(found: Discovery) -> Table:
    table = Table(title=literal(f"NAT towards {_at(found.server)}"), box=None, title_justify="left")
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column()
    rows = _rows(found)
    for name, field, value, words in rows if found.nat is not None else rows[:1]:
        known = value is not None
        table.add_row(name, value or "–", literal(words if known else found.reasons[field]))
    return table


def _rows(found: Discovery) -> list[tuple[str, str, str | None, str]]:
    """Return name, field, value and explanation of each row."""
    blocked = None if found.udp_blocked is None else not found.udp_blocked
    return [
        ("UDP", "udp_blocked", _yes(blocked), _trip(found)),
        ("NAT", "nat", _yes(found.nat), _seen(found)),
        ("mapping", "mapping", found.mapping, _WORDS.get(found.mapping, "")),
        ("filtering", "filtering", found.filtering, _WORDS.get(found.filtering, "")),
        ("hairpinning", "hairpinning", _yes(found.hairpinning), "to our own outside address"),
        ("ports preserved", "ports_preserved", _yes(found.ports_preserved), ""),
        ("lifetime", "lifetime_s", _lifetime(found), "without a packet"),
    ]


def _seen(found: Discovery) -> str:
    if found.mapped is None or found.mapped == found.local:
        return f"{_at(found.local)} inside and outside"
    return f"{_at(found.local)} → {_at(found.mapped)}"


def _trip(found: Discovery) -> str:
    if found.round_trip_s is None:
        return found.reasons.get("nat", "")
    return f"round trip {1000 * found.round_trip_s:.1f} ms"


def _lifetime(found: Discovery) -> str | None:
    if found.lifetime_s is None:
        return None
    low_s, high_s = found.lifetime_s
    return f"over {low_s:.0f} s" if high_s == math.inf else f"{low_s:.0f} to {high_s:.0f} s"


def _yes(value: bool | None) -> str | None:
    return None if value is None else ("yes" if value else "no")


def _at(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
