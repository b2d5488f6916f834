"""The one section of a peer's description that a connection needs: audio with Opus.

Browsers' applications offer more: data channels, rejected video, attributes of many extensions.
`read_opus_section` reads what one Opus stream over ICE and DTLS needs, checks it, and writes it as
a description of its own, so aiortc's parser sees nothing else. `Place` restores the other sections
in our answer, all of them rejected (RFC 8829 §5.3.1).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiortc import RTCIceCandidate

from jamlab.media.candidate_line import candidate_line, is_usable, read_candidate_line
from jamlab.media.red import RedFormat
from jamlab.media.sdp_sections import Attribute, Description, Scope, Section, read_sections

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_PROTOCOL = "UDP/TLS/RTP/SAVPF"
_PROTOCOLS = (  # all that an offer may have (RFC 8829 §5.1.2)
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
    "RTP/AVPF",
    "RTP/AVP",
)
_OPUS = re.compile(r"([0-9]{1,3}) +opus/48000(?:/[0-9]{1,3})?", re.IGNORECASE)
_RED = re.compile(r"([0-9]{1,3}) +red/48000/2", re.IGNORECASE)
_FORMATS = range(96, 128)  # RFC 3551 §3; aiortc answers no other with the peer's number
_RED_FORMATS = (*range(35, 64), *_FORMATS)  # browsers have more formats than those (RFC 5761 §4)
_ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 §5.4
_ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_PAIRS = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2})*", re.IGNORECASE)
_SETUPS = {"offer": ("actpass", "active", "passive"), "answer": ("active", "passive")}
_SSRC = re.compile(r"([0-9]{1,10})(?: .*)?")
_EXTENSION = re.compile(r"([0-9]{1,3})(?:/[a-z]+)? +(\S+)(?: .*)?")
_EXTENSIONS = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
)
_EXTENSION_IDS = range(1, 15)  # those of the one-byte form (RFC 8285 §4.2)


@dataclass(frozen=True)
class Place:
    """The place of the Opus section among the sections of a peer's description.

    `mid` is its media identification, made up when the peer states none (RFC 8829 §5.10);
    `transport` has the indices of the sections whose candidates are its own; `bundled` says whether
    the peer put it into a BUNDLE group; `red` has the payload types of redundant audio, if the peer
    takes any.
    """

    media: tuple[Section, ...]
    index: int
    mid: str
    transport: frozenset[int]
    bundled: bool
    red: RedFormat | None = None

    @property
    def name(self) -> tuple[str | None, int]:
        """Media identification, if the peer states one, and index, as our candidates state them."""
        return self.media[self.index].mid, self.index

    def has(self, candidate: RTCIceCandidate) -> bool:
        """Return whether a candidate is of the section's transport."""
        by_mid = {section.mid: section.index for section in self.media if section.mid}
        if candidate.sdpMid in by_mid:
            return by_mid[candidate.sdpMid] in self.transport
        if candidate.sdpMLineIndex is not None:
            return candidate.sdpMLineIndex in self.transport
        return candidate.sdpMid in ("", self.mid)

    def restored(self, answer: str) -> str:
        """Return our answer with the peer's other sections, all of them rejected.

        It repeats the peer's protocol, and states a media identification or a group only if the
        peer did (RFC 8829 §5.3.1).
        """
        ours = self.media[self.index]
        head, found, section = answer.partition("m=")
        section = section.replace(_PROTOCOL, ours.protocol, 1)
        if ours.mid is None:
            section = re.sub(r"a=mid:.*\r\n", "", section)
        if not self.bundled:
            head = re.sub(r"a=group:BUNDLE.*\r\n", "", head)
        own = found + section
        return head + "".join(own if each is ours else each.rejection for each in self.media)


def read_opus_section(sdp: str, kind: str, most_candidates: int) -> tuple[str, Place]:
    """Return a description of a peer's Opus section alone, and the section's place.

    `kind` is "offer" or "answer". Of more candidates than the most, those of the highest priority
    are kept (RFC 8445 §6.1.2.5). Raises `ValueError`, with line and attribute, when there is no
    such section or it cannot be used.
    """
    description = read_sections(sdp)
    section = _chosen(description)
    bundle = _bundle(description, section)
    scopes = [section, *bundle[:1], description.session]
    name, password = _ice(section, scopes)
    transport = _transport(description, section, bundle, name)
    mid = section.mid or _unused(description)
    lines = [
        *_head(description, mid),
        f"m=audio 9 {_PROTOCOL} {_opus(section)}",
        "c=IN IP4 0.0.0.0",
        f"a={_direction(section, description)}",
        f"a=mid:{mid}",
        _mux(section, scopes),
        f"a=rtpmap:{_opus(section)} opus/48000/2",
        *_extensions(section, description),
        *_ssrc(section),
        f"a=ice-ufrag:{name}",
        f"a=ice-pwd:{password}",
        *_fingerprints(section, scopes),
        _setup(section, scopes, kind),
        *next(filter(None, map(_candidates, transport)), [])[:most_candidates],
    ]
    indices = frozenset(each.index for each in transport)
    bundled = section in bundle
    place = Place(description.media, section.index, mid, indices, bundled, _red(section))
    return "".join(f"{line}\r\n" for line in lines), place


# The choice of the section


def _chosen(description: Description) -> Section:
    audio = [section for section in description.media if section.kind == "audio"]
    if not audio:
        raise ValueError("it has no m=audio section")
    live = [section for section in audio if section.is_live]
    if not live:
        raise ValueError(f"{audio[0].place}: its port is 0, which rejects the section")
    chosen = next((section for section in live if _opus(section) is not None), None)
    if chosen is None:
        raise ValueError(
            f"{live[0].place}: it has no Opus at 48 kHz: no a=rtpmap:… opus/48000/2 with a payload "
            "type of its m= line, 96 to 127"
        )
    if chosen.protocol not in _PROTOCOLS:
        raise ValueError(f"{chosen.place}: {chosen.protocol[:32]!r} is not {_PROTOCOL!r}")
    _check_mid(chosen)
    return chosen


def _check_mid(section: Section) -> None:
    stated = section.first("mid")
    if stated is not None and section.mid is None:
        raise ValueError(f"{stated.place}: its 'mid' is not a token of 1 to 32 characters")


def _opus(section: Section) -> int | None:
    """Return the payload type of Opus that the peer prefers; None without one."""
    found = _formats(section, _OPUS)
    return next((number for number in found if number in _FORMATS), None)


def _red(section: Section) -> RedFormat | None:
    """Return the payload types of redundant frames of that Opus alone; None without such a format.

    One with other frames inside, or none stated, is ignored.
    """
    opus = _opus(section)
    for number in _formats(section, _RED):
        stated = (each.value.partition(" ") for each in section.all("fmtp"))
        inside = next((value for name, _, value in stated if name == str(number)), "").split("/")
        usable = number in _RED_FORMATS and len(inside) > 1 and {*inside} == {str(opus)}
        if usable and opus is not None:
            return RedFormat(number, opus)
    return None


def _formats(section: Section, name: re.Pattern[str]) -> list[int]:
    """Return the payload types of a name, in the order of the ``m=`` line."""
    names: dict[str, str] = {}
    for each in section.all("rtpmap"):
        names.setdefault(each.value.split(" ")[0], each.value)
    found = (name.fullmatch(names.get(each, "")) for each in section.formats)
    return [int(each[1]) for each in found if each]


def _bundle(description: Description, section: Section) -> list[Section]:
    """Return the live sections in the section's BUNDLE group, in the group's order (RFC 9143)."""
    by_mid = {each.mid: each for each in description.media if each.mid and each.is_live}
    for group in description.groups("BUNDLE"):
        if section.mid in group:
            return [by_mid[mid] for mid in dict.fromkeys(group) if mid in by_mid]
    return []


def _transport(
    description: Description, section: Section, bundle: Sequence[Section], name: str
) -> list[Section]:
    """Return the section, and the first of its group if they may have one transport.

    A browser that gathers for the whole group states its candidates in the first section alone. One
    that gathers for each section has sockets for the others, which it closes when we reject them.
    """
    if (
        section in bundle[1:]
        and _first((bundle[0], description.session), "ice-ufrag").value == name
    ):
        return [section, bundle[0]]
    return [section]


def _unused(description: Description) -> str:
    used = {section.mid for section in description.media}
    return next(str(n) for n in range(len(description.media) + 1) if str(n) not in used)


# Its attributes


def _first(scopes: Sequence[Scope], *names: str) -> Attribute:
    """Return the first attribute of some names in the first scope that has one."""
    found = (scope.first(*names) for scope in scopes)
    return next(filter(None, found), Attribute(0, names[0], ""))


def _needed(section: Section, scopes: Sequence[Scope], name: str) -> Attribute:
    attribute = _first(scopes, name)
    if not attribute.line:
        raise ValueError(f"{section.place}: it has no 'a={name}'")
    return attribute


def _head(description: Description, mid: str) -> list[str]:
    lite = ["a=ice-lite"] if description.session.first("ice-lite") else []
    return ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *lite, f"a=group:BUNDLE {mid}"]


def _direction(section: Section, description: Description) -> str:
    """Return the direction, by default that of the session, or both ways (RFC 8866 §6.7)."""
    return _first((section, description.session), *DIRECTIONS).name


def _mux(section: Section, scopes: Sequence[Scope]) -> str:
    if not _first(scopes, "rtcp-mux").line:
        raise ValueError(
            f"{section.place}: RTP and RTCP do not share a port: it has no 'a=rtcp-mux'"
        )
    return "a=rtcp-mux"


def _ice(section: Section, scopes: Sequence[Scope]) -> tuple[str, str]:
    name = _needed(section, scopes, "ice-ufrag")
    password = _needed(section, scopes, "ice-pwd")
    for attribute, pattern, least in ((name, _ICE_NAME, 4), (password, _ICE_PASSWORD, 22)):
        if not pattern.fullmatch(attribute.value):
            raise ValueError(
                f"{attribute.place}: its '{attribute.name}' breaks RFC 8839 §5.4: it is not "
                f"{least} to 256 letters, digits, '+' or '/'"
            )
    return name.value, password.value


def _fingerprints(section: Section, scopes: Sequence[Scope]) -> list[str]:
    """Return the fingerprints of hash functions that aiortc has; others are ignored (RFC 8122 §5).

    Those of the section count rather than those of the session.
    """
    _needed(section, scopes, "fingerprint")
    stated = next(filter(None, (scope.all("fingerprint") for scope in scopes)))
    lines = [line for each in stated if (line := _fingerprint(each.value)) is not None]
    if not lines:
        raise ValueError(
            f"{stated[0].place}: no 'fingerprint' is usable: one of {', '.join(_DIGEST_BYTES)} is "
            "needed, as pairs of hexadecimal digits with colons between"
        )
    return lines


def _fingerprint(value: str) -> str | None:
    words = value.split()
    if len(words) != 2 or not _PAIRS.fullmatch(words[1]):
        return None
    algorithm, digest = words[0].lower(), words[1].upper()
    if _DIGEST_BYTES.get(algorithm) != digest.count(":") + 1:
        return None
    return f"a=fingerprint:{algorithm} {digest}"


def _setup(section: Section, scopes: Sequence[Scope], kind: str) -> str:
    setup = _needed(section, scopes, "setup")
    value = setup.value.lower()
    if value not in _SETUPS[kind]:
        reason = "does not choose the DTLS client" if kind == "answer" else "is not usable"
        choices = " or ".join(_SETUPS[kind])
        raise ValueError(f"{setup.place}: its 'setup' {reason}: it is not {choices}")
    return f"a=setup:{value}"


def _ssrc(section: Section) -> list[str]:
    """Return the first SSRC, by which aiortc recognises the stream before its first packet."""
    found = (_SSRC.fullmatch(each.value) for each in section.all("ssrc"))
    numbers = (int(each[1]) for each in found if each)
    return [f"a=ssrc:{number} cname:-" for number in numbers if number < 1 << 32][:1]


def _extensions(section: Section, description: Description) -> list[str]:
    """Return the header extensions that aiortc has, without their own attributes (RFC 8285 §5)."""
    kept: dict[str, int] = {}
    for each in [*section.all("extmap"), *description.session.all("extmap")]:
        found = _EXTENSION.fullmatch(each.value)
        if found is None or found[2] not in _EXTENSIONS or int(found[1]) not in _EXTENSION_IDS:
            continue
        if int(found[1]) not in kept.values():
            kept.setdefault(found[2], int(found[1]))
    return [f"a=extmap:{number} {uri}" for uri, number in kept.items()]


def _candidates(section: Section) -> list[str]:
    """Return the usable candidates of a section, by their priority."""
    usable: dict[tuple[str, int], RTCIceCandidate] = {}
    for each in section.all("candidate"):
        with suppress(ValueError):  # what is not understood is ignored (RFC 8839 §5.1)
            candidate = read_candidate_line(each.value)
            if is_usable(candidate):
                usable.setdefault((candidate.ip, candidate.port), candidate)
    ordered = sorted(usable.values(), key=lambda candidate: -candidate.priority)
    return [f"a=candidate:{candidate_line(candidate)}" for candidate in ordered]
