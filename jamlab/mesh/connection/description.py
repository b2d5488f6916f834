"""Validation of a peer's session descriptions and candidates, before aiortc applies them.

aiortc applies a description piece by piece, partly in tasks that are not awaited. An error half-way
leaves a connection in between two states, an exception that is logged instead of raised, or a
socket that asyncio closes because a port number is out of range. So every possible error is checked
here first.

A valid description has one media section, of audio with Opus, over ICE and DTLS (RFC 8829 §5.3):
the product offers nothing else.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

from aiortc import RTCIceCandidate, RTCIceParameters, RTCSessionDescription
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp
from msgspec import Meta, Struct, field

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.fields import read
from jamlab.mesh.connection.errors import MalformedCandidateError, MalformedDescriptionError

MAX_SDP_CHARS = 20_000
"""Longest SDP that is read; a browser's for one audio stream has about 5000 characters."""

MAX_CANDIDATES = 100
"""Most candidates of one peer: each is checked from each of our addresses (RFC 8445 §19.5.1)."""


class _Description(Struct):
    type: str
    sdp: Annotated[str, Meta(max_length=MAX_SDP_CHARS)]


class _Candidate(Struct):
    candidate: str
    mid: str | None = field(name="sdpMid", default=None)
    index: int | None = field(name="sdpMLineIndex", default=None)


_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,32}")
_ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 §5.4
_ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_HOST = re.compile(r"[A-Za-z0-9.:%_-]{1,253}")

Rule: TypeAlias = Callable[[MediaDescription], bool]

_RULES: tuple[tuple[str, Rule], ...] = (
    ("its media section is not audio", lambda m: m.kind == "audio"),
    ("its 'mid' is not a short token", lambda m: _matches(_TOKEN, m.rtp.muxId)),
    ("it has no Opus at 48 kHz", lambda m: any(map(_is_opus, m.rtp.codecs))),
    ("RTP and RTCP do not share a port", lambda m: m.rtcp_mux),
    ("its 'ice-ufrag' breaks RFC 8839", lambda m: _matches(_ICE_NAME, _ice(m).usernameFragment)),
    ("its 'ice-pwd' breaks RFC 8839", lambda m: _matches(_ICE_PASSWORD, _ice(m).password)),
    ("it lacks 'setup' or 'fingerprint'", lambda m: bool(m.dtls and m.dtls.fingerprints)),
    ("an 'extmap' is not 1 to 255", lambda m: all(0 < x.id < 256 for x in m.rtp.headerExtensions)),
    (f"it has more than {MAX_CANDIDATES} candidates", lambda m: _few(m.ice_candidates)),
    ("a candidate is out of range", lambda m: all(map(_is_usable, m.ice_candidates))),
)


def read_description(
    description: Mapping[str, Any], kind: str, peer_id: str
) -> RTCSessionDescription:
    """Check a description, ``{"type": "offer" | "answer", "sdp": str}``, and return it for aiortc.

    Raises `MalformedDescriptionError`, with the reason, when it cannot be used or is not of `kind`.
    """
    try:
        sdp = _sdp_of(description, kind)
        session = _parse(sdp)
        _judge(session, kind)
    except ValueError as error:
        raise MalformedDescriptionError(
            f"{kind} from {peer_id!r} cannot be used: {error}"
        ) from error
    return RTCSessionDescription(sdp=_with_direction(sdp, session), type=kind)


def read_candidate(candidate: Mapping[str, Any], peer_id: str) -> RTCIceCandidate | None:
    """Check a candidate, ``{"candidate": "candidate:…", "sdpMid": …, "sdpMLineIndex": …}``.

    None stands for the empty string, the end of candidates (W3C WebRTC §4.8.1.1). Raises
    `MalformedCandidateError`, with the reason, when the candidate cannot be used.
    """
    try:
        fields = read(candidate, _Candidate)
        return _parse_candidate(fields) if fields.candidate else None
    except ValueError as error:
        raise MalformedCandidateError(
            f"candidate from {peer_id!r} cannot be used: {error}"
        ) from error


# Descriptions


def _sdp_of(description: Mapping[str, Any], kind: str) -> str:
    fields = read(description, _Description)
    if fields.type != kind:
        raise ValueError(f"'type' must be {kind!r}")
    return fields.sdp


def _parse(sdp: str) -> SessionDescription:
    """Parse SDP, and serialise it once, as aiortc does whenever the description is read."""
    try:
        session = SessionDescription.parse(sdp)
        str(session)
    except Exception as error:  # aiortc's parser passes on any exception of its parts
        raise ValueError(f"its SDP cannot be read ({type(error).__name__}: {error})") from error
    return session


def _judge(session: SessionDescription, kind: str) -> None:
    if len(session.media) != 1:
        raise ValueError(f"it has {len(session.media)} media sections, not one")
    media = session.media[0]
    for fault, rule in _RULES:
        if not rule(media):
            raise ValueError(fault)
    if kind == "answer" and (not media.dtls or media.dtls.role not in ("client", "server")):
        raise ValueError("its 'setup' does not choose the DTLS client")
    for group in session.group:
        if group.semantic == "BUNDLE" and group.items != [media.rtp.muxId]:
            raise ValueError("its BUNDLE group names a media section that does not exist")


def _with_direction(sdp: str, session: SessionDescription) -> str:
    """Add the default direction of RFC 8866 §6.7, which aiortc does not assume."""
    if session.media[0].direction is not None:
        return sdp
    return sdp.rstrip("\r\n") + "\r\na=sendrecv\r\n"


def _matches(pattern: re.Pattern[str], text: str | None) -> bool:
    return text is not None and pattern.fullmatch(text) is not None


def _ice(media: MediaDescription) -> RTCIceParameters:
    return media.ice or RTCIceParameters()


def _is_opus(codec: RTCRtpCodecParameters) -> bool:
    return codec.mimeType.lower() == "audio/opus" and codec.clockRate == SAMPLE_RATE


def _few(candidates: list[RTCIceCandidate]) -> bool:
    return len(candidates) <= MAX_CANDIDATES


# Candidates


def _parse_candidate(fields: _Candidate) -> RTCIceCandidate:
    line = fields.candidate
    if fields.mid is None and fields.index is None:
        raise ValueError("it has neither 'sdpMid' nor 'sdpMLineIndex'")
    try:
        parsed = candidate_from_sdp(line.removeprefix("candidate:"))
    except (AssertionError, ValueError, IndexError) as error:
        raise ValueError(f"{line[:200]!r} is not a candidate") from error
    if not _is_usable(parsed):
        raise ValueError(f"{line[:200]!r} is out of range")
    parsed.sdpMid, parsed.sdpMLineIndex = fields.mid, fields.index
    return parsed


def _is_usable(candidate: RTCIceCandidate) -> bool:
    """Return whether a candidate's values are in their ranges (RFC 8839 §5.1)."""
    return (
        _matches(_HOST, candidate.ip)
        and 1 <= candidate.component <= 256
        and 0 <= candidate.port <= 65_535
        and 0 <= candidate.priority < 1 << 32
    )
