"""Facts in session descriptions and candidates of a dump, in both layouts."""

import math
import re
from dataclasses import dataclass

from jamlab.measure.dump.layouts.values import fields, text

_PACKET = re.compile(r"(?m)^a=ptime:(\d{1,4})(?:\.\d+)?\s*$")
_FORMAT = re.compile(r"(?m)^a=fmtp:\d+ (?:.*[; ])?ptime=(\d{1,4})\b")
_CANDIDATE = re.compile(
    r"candidate:\S+ \d+ (?P<protocol>\S+) \d+ (?P<address>\S+) (?P<port>\d+) typ (?P<kind>\w+)"
)
_LONGEST = 2000  # characters of a candidate or of an error that are read
_URL = re.compile(r"\burl: ?(\S+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of ICE (RFC 8839)."""

    kind: str
    """Its type: host, srflx, prflx or relay."""
    protocol: str
    address: str

    @property
    def words(self) -> str:
        """The candidate in words, e.g. "relay udp 192.0.2.7:5000"."""
        return f"{self.kind} {self.protocol} {self.address}"


def description(value: object) -> str:
    """Return the SDP of a call's value; "" without one."""
    written = fields(value).get("sdp") if isinstance(value, dict) else value
    if not isinstance(written, str):
        return ""
    _, found, sdp = written.partition("v=0")
    return f"{found}{sdp}"


def packet_ms(sdp: str) -> float:
    """Return the duration of audio packets that a description asks for; NaN without one.

    RFC 8866 §6.4, and RFC 3264 §5.1: it is what the description's author wishes to receive.
    """
    _, audio, rest = sdp.partition("m=audio")
    media = rest.partition("\nm=")[0] if audio else ""
    found = _PACKET.search(media) or _FORMAT.search(media)
    return float(found[1]) if found and int(found[1]) else math.nan


def candidate(value: object) -> Candidate | None:
    """Return the candidate of an event's value; None without one (the end of candidates)."""
    written = fields(value).get("candidate") if isinstance(value, dict) else value
    found = _CANDIDATE.search(text(written, _LONGEST)) if isinstance(written, str) else None
    if found is None:
        return None
    place = f"{found['address']}:{found['port']}"
    return Candidate(found["kind"], found["protocol"].lower(), place)


def server(value: object) -> str:
    """Return the URL of the server that a candidate, or an error, came from; "" for none."""
    if isinstance(value, dict):
        return text(value.get("url"), 300)
    found = _URL.search(text(value, _LONGEST))
    return found[1].rstrip(",") if found else ""
