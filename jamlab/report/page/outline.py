"""The outline of a page: its headings, shifted by a level if needed, each with an anchor."""

import re
from dataclasses import dataclass
from html import unescape

_HEADING = re.compile(r"<h([1-6])(?:\s[^>]*)?>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_STYLE = re.compile(r'<style type="text/css">.*?</style>', re.DOTALL)
_TABLE_ID = re.compile(r'(<(?:table|th|td)\b[^>]*?) id="T_[^"]*"')
_COLUMN_HEAD = re.compile(r"<th(?=\s[^>]*col_heading)")
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page."""

    level: int
    """1 to 6, as in h1 to h6."""
    anchor: str
    words: str


def outlined(html: str, part: str, deeper: int) -> tuple[str, list[Heading]]:
    """Return HTML whose headings have anchors, and those headings in order.

    Anchors are made from the words alone and begin with the part's name, so they are always the
    same, and unique on a page with several parts. The anchors of `html` itself are removed,
    since another notebook may have the same. `deeper` is added to the level of each heading.
    """
    found: list[Heading] = []

    def anchored(match: re.Match[str]) -> str:
        words = " ".join(unescape(_TAG.sub("", match[2])).split())
        level = min(int(match[1]) + deeper, _DEEPEST)
        anchor = _unused(f"{part}-{_slug(words)}", {heading.anchor for heading in found})
        found.append(Heading(level, anchor, words))
        return f'<h{level} id="{anchor}">{match[2]}</h{level}>'

    return _HEADING.sub(anchored, _bare(html)), found


def _bare(html: str) -> str:
    """Return HTML whose tables have no style and no ids, which two parts might share."""
    return _COLUMN_HEAD.sub('<th scope="col"', _TABLE_ID.sub(r"\1", _STYLE.sub("", html)))


def _slug(words: str) -> str:
    return "-".join(re.findall(r"\w+", words.lower())) or "section"


def _unused(anchor: str, taken: set[str]) -> str:
    number, free = 1, anchor
    while free in taken:
        number += 1
        free = f"{anchor}-{number}"
    return free
