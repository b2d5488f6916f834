"""A reader of pages as a browser sees them: text, tables, and every address they could load."""

import base64
import re
from html.parser import HTMLParser

_FETCHING = {
    "src",
    "srcset",
    "href",
    "xlink:href",
    "action",
    "formaction",
    "poster",
    "data",
    "ping",
}
_IN_STYLE = re.compile(r"""url\(\s*['"]?([^'")]*)|@import\s+['"]?([^'";]*)""")
_VOID = {"meta", "img", "br", "hr", "link", "input", "base"}


class Page(HTMLParser):
    """What a page shows and where it reaches.

    A namespace (``xmlns``) is a name and is never fetched, so it is no address; a ``data:`` image
    is opened and read in turn.
    """

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.addresses = []
        self.words = []
        self.images = []
        self.headings = []  # (level, id, words)
        self.tables = []  # (class, rows), a row being the words of its cells
        self._open = []
        self.feed(text)
        self.close()

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def ids(self):
        return [value for _, name, value in self.attributes if name == "id"]

    @property
    def links(self):
        return [
            v.removeprefix("#") for tag, name, v in self.attributes if (tag, name) == ("a", "href")
        ]

    def table(self, name):
        """Return the rows of the first table of a class."""
        return next(rows for classes, rows in self.tables if classes == name)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in _VOID:
            self._open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), dict(attributes).get("id"), ""))
        if tag == "table":
            self.tables.append((dict(attributes).get("class"), []))
        if tag == "tr":
            self.tables[-1][1].append([])
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        for name, value in attributes:
            self.attributes.append((tag, name, value))
            if name in _FETCHING:
                self._note(value or "")
            if name == "style":
                self._note_style(value or "")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" in self._open:
            self._note_style(data)
            return
        self.words.append(data)
        if any(re.fullmatch("h[1-6]", tag) for tag in self._open):
            level, anchor, words = self.headings.pop()
            self.headings.append((level, anchor, " ".join(f"{words}{data}".split())))
        if {"td", "th"} & set(self._open):
            cells = self.tables[-1][1][-1]
            cells[-1] = " ".join(f"{cells[-1]} {data}".split())

    def _note_style(self, style):
        for url, imported in _IN_STYLE.findall(style):
            self._note(url or imported)

    def _note(self, address):
        svg = "data:image/svg+xml;base64,"
        if address.startswith(svg):
            image = Page(base64.b64decode(address.removeprefix(svg)).decode())
            self.images.append(image)
            self.addresses += image.addresses
        elif not address.startswith(("#", "data:")):
            self.addresses.append(address)
