"""ICE candidates as text (RFC 8839 §5.1), and which of them this package's ICE agent can use.

A candidate can be well formed and of no use here: over TCP, with the name of a host, or of a kind
that is not known. RFC 8839 §5.1 has such a candidate ignored, which is no error.
"""

import ipaddress
import re

from aioice.mdns import is_mdns_hostname
from aiortc import RTCIceCandidate

_PREFIX = re.compile(r"(?:a=)?candidate:")
_FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,32}")
_HOST = re.compile(r"[A-Za-z0-9.:%_-]{1,253}")
_NUMBER = re.compile(r"-?[0-9]+")
_RANGES = {"component": (1, 256), "priority": (0, (1 << 32) - 1), "port": (0, 65_535)}

_KINDS = ("host", "srflx", "prflx", "relay")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def read_candidate_line(line: str) -> RTCIceCandidate:
    """Read a candidate, with or without ``a=candidate:`` before it.

    Its related address and its extensions are left out. Raises `ValueError`, with the field at
    fault, when the line is not a candidate or a field is out of its range.
    """
    fields = _PREFIX.sub("", line, count=1).split()
    if len(fields) < 8:
        raise _error(line, "is not a candidate", "it has fewer than 8 fields")
    foundation, component, protocol, priority, host, port, word, kind = fields[:8]
    if word.lower() != "typ":
        raise _error(line, "is not a candidate", "its seventh field is not 'typ'")
    for name, token in (("transport", protocol), ("type", kind)):
        if not _TOKEN.fullmatch(token):
            raise _error(line, "is not a candidate", f"its {name} is not a token")
    if not _FOUNDATION.fullmatch(foundation):
        raise _error(line, "is out of range", "its foundation is not 1 to 32 letters or digits")
    if not _HOST.fullmatch(host):
        raise _error(line, "is out of range", "its address is neither an IP address nor a name")
    return RTCIceCandidate(
        component=_number(line, "component", component),
        foundation=foundation,
        ip=host,
        port=_number(line, "port", port),
        priority=_number(line, "priority", priority),
        protocol=protocol.lower(),
        type=kind.lower(),
    )


def is_usable(candidate: RTCIceCandidate) -> bool:
    """Return whether our ICE agent can check a candidate: UDP, RTP's component, and an address."""
    return (
        candidate.protocol == "udp"
        and candidate.component == 1
        and candidate.type in _KINDS
        and candidate.port > 0
        and (is_mdns_hostname(candidate.ip) or _is_unicast(candidate.ip))
    )


def candidate_line(candidate: RTCIceCandidate) -> str:
    """Return a candidate as the value of an ``a=candidate`` line."""
    return (
        f"{candidate.foundation} {candidate.component} {candidate.protocol} {candidate.priority} "
        f"{candidate.ip} {candidate.port} typ {candidate.type}"
    )


def _number(line: str, name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _error(line, "is not a candidate", f"its {name} is not a number")
    least, most = _RANGES[name]
    if len(text) > len(str(most)) or not least <= int(text) <= most:
        raise _error(line, "is out of range", f"its {name} is not {least} to {most}")
    return int(text)


def _error(line: str, verdict: str, reason: str) -> ValueError:
    return ValueError(f"{line[:200]!r} {verdict}: {reason}")


def _is_unicast(host: str) -> bool:
    """Return whether a host is an address of one interface, in the forms of RFC 8839 §5.1."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return False
    return not (address.is_unspecified or address.is_multicast or address == _BROADCAST)
