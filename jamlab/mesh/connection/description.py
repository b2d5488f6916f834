"""Validation of a peer's session descriptions and candidates, before aiortc applies them.

aiortc applies a description piece by piece, partly in tasks that are not awaited. An error half-way
leaves a connection in between two states, an exception that is logged instead of raised, or a
socket that asyncio closes because a port number is out of range. So every possible error is checked
here first, and aiortc gets a description of the one section that is used
(`jamlab.mesh.connection.opus_section`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from aiortc import RTCIceCandidate, RTCSessionDescription
from msgspec import Meta, Struct, field

from jamlab.fields import read
from jamlab.media.candidate_line import read_candidate_line
from jamlab.mesh.connection.errors import MalformedCandidateError, MalformedDescriptionError
from jamlab.mesh.connection.opus_section import Place, read_opus_section

MAX_SDP_CHARS = 100_000
"""Longest SDP that is read; a browser's for one audio stream has about 5000 characters, and one
with many video streams some ten thousands."""

MAX_CANDIDATES = 100
"""Most candidates of one peer: each is checked from each of our addresses (RFC 8445 §6.1.2.5)."""

_MOST_INDEX = 65_535  # an unsigned short


@dataclass
class RemoteDescription(RTCSessionDescription):
    """A peer's Opus section as a description for aiortc, and its place among the others."""

    place: Place


class _Description(Struct):
    type: str
    sdp: Annotated[str, Meta(max_length=MAX_SDP_CHARS)]


class _Candidate(Struct):
    candidate: str
    mid: str | None = field(name="sdpMid", default=None)
    index: int | float | None = field(name="sdpMLineIndex", default=None)  # JSON has one number


def read_description(description: Mapping[str, Any], kind: str, peer_id: str) -> RemoteDescription:
    """Check a description, ``{"type": "offer" | "answer", "sdp": str}``, and return it for aiortc.

    Raises `MalformedDescriptionError`, with the reason, when it cannot be used or is not of `kind`.
    """
    try:
        fields = read(description, _Description)
        if fields.type != kind:
            raise ValueError(f"'type' must be {kind!r}")
        sdp, place = read_opus_section(fields.sdp, kind, MAX_CANDIDATES)
    except ValueError as error:
        raise MalformedDescriptionError(
            f"{kind} from {peer_id!r} cannot be used: {error}"
        ) from error
    return RemoteDescription(sdp, kind, place)


def read_candidate(candidate: Mapping[str, Any], peer_id: str) -> RTCIceCandidate | None:
    """Check a candidate, ``{"candidate": "candidate:…", "sdpMid": …, "sdpMLineIndex": …}``.

    None stands for the empty string, or null, the end of candidates (W3C WebRTC §4.8.1.1). Raises
    `MalformedCandidateError`, with the reason, when the candidate is malformed.
    """
    try:
        return _read_candidate(candidate)
    except ValueError as error:
        raise MalformedCandidateError(
            f"candidate from {peer_id!r} cannot be used: {error}"
        ) from error


def _read_candidate(candidate: Mapping[str, Any]) -> RTCIceCandidate | None:
    if isinstance(candidate, Mapping) and candidate.get("candidate", "") is None:
        return None
    fields = read(candidate, _Candidate)
    if not fields.candidate:
        return None
    if fields.mid is None and fields.index is None:
        raise ValueError("it has neither 'sdpMid' nor 'sdpMLineIndex'")
    parsed = read_candidate_line(fields.candidate)
    parsed.sdpMid, parsed.sdpMLineIndex = fields.mid, _index(fields.index)
    return parsed


def _index(number: float | None) -> int | None:
    if number is None:
        return None
    if not 0 <= number <= _MOST_INDEX or number != int(number):
        raise ValueError(f"its 'sdpMLineIndex' is not an integer of 0 to {_MOST_INDEX}")
    return int(number)
