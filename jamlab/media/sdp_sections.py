"""A session description as its sections and their attributes (RFC 8866 §5), with line numbers.

Only ``m=`` and ``a=`` lines are read. All others say nothing that WebRTC needs: addresses are those
of ICE candidates, and times and bandwidths are not used.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE_END = re.compile(r"\r\n|\r|\n")
_VISIBLE = re.compile(r"[!-~]+")
_PORT = re.compile(r"([0-9]{1,5})(?:/[0-9]+)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,32}")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An ``a=`` line; `value` is empty when it has none."""

    line: int
    name: str
    value: str

    @property
    def place(self) -> str:
        """The line's number and its attribute, for messages."""
        return f"line {self.line}, a={self.name}"


@dataclass(frozen=True, slots=True)
class Scope:
    """The attributes of the session, or of one media section."""

    attributes: list[Attribute] = field(default_factory=list)

    def all(self, *names: str) -> list[Attribute]:
        """Return the attributes of some names, in order."""
        return [each for each in self.attributes if each.name in names]

    def first(self, *names: str) -> Attribute | None:
        """Return the first attribute of some names; None without one."""
        return next((each for each in self.attributes if each.name in names), None)


@dataclass(frozen=True, slots=True)
class Section(Scope):
    """A media section: its ``m=`` line and its attributes."""

    index: int = 0
    line: int = 0
    kind: str = ""
    port: int = 0
    protocol: str = ""
    formats: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The number and the beginning of its ``m=`` line, for messages."""
        return f"line {self.line}, m={self.kind[:32]}"

    @property
    def mid(self) -> str | None:
        """Its media identification (RFC 5888 §4); None when it has none of 1 to 32 characters."""
        stated = self.first("mid")
        return stated.value if stated and _TOKEN.fullmatch(stated.value) else None

    @property
    def is_live(self) -> bool:
        """Whether it is offered: its port is 0 when it is not (RFC 8829 §5.2.1).

        ``a=bundle-only`` says that the port is 0 for another reason (RFC 9143 §6).
        """
        return self.port > 0 or self.first("bundle-only") is not None

    @property
    def rejection(self) -> str:
        """The section in our answer when we do not want it (RFC 8829 §5.3.1)."""
        mid = f"a=mid:{self.mid}\r\n" if self.mid is not None else ""
        formats = " ".join(self.formats)
        return f"m={self.kind} 0 {self.protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n{mid}"


@dataclass(frozen=True, slots=True)
class Description:
    """A session description: what holds for the whole session, and its media sections."""

    session: Scope
    media: tuple[Section, ...]

    def groups(self, semantics: str) -> Iterable[list[str]]:
        """Return the media identifications in each group of some semantics (RFC 5888 §5)."""
        stated = (each.value.split() for each in self.session.all("group"))
        return [words[1:] for words in stated if words and words[0] == semantics]


def read_sections(sdp: str) -> Description:
    """Read a description's sections.

    Raises `ValueError`, with the line, when a media section has no proper beginning, or two have
    the same media identification.
    """
    scopes: list[Scope] = [Scope()]
    for number, line in enumerate(_LINE_END.split(sdp), 1):
        if line.startswith("m="):
            scopes.append(_section(len(scopes) - 1, number, line))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            scopes[-1].attributes.append(Attribute(number, name.strip(), value.strip()))
    media = tuple(scope for scope in scopes if isinstance(scope, Section))
    _check_identifications(media)
    return Description(scopes[0], media)


def _section(index: int, number: int, line: str) -> Section:
    words = line[2:].split()
    if len(words) < 4 or not all(map(_VISIBLE.fullmatch, words)):
        raise ValueError(
            f"line {number}, m=: {line[:80]!r} is not a media type, a port, a protocol and formats"
        )
    port = _PORT.fullmatch(words[1])
    if port is None or int(port[1]) > 65_535:
        raise ValueError(f"line {number}, m={words[0][:32]}: its port is not 0 to 65535")
    return Section([], index, number, words[0], int(port[1]), words[2], tuple(words[3:]))


def _check_identifications(media: Iterable[Section]) -> None:
    seen = set[str]()
    for section in media:
        if section.mid in seen:
            raise ValueError(f"{section.place}: another section has the same 'mid'")
        if section.mid is not None:
            seen.add(section.mid)
