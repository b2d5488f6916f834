"""The page of a `BrowserPeer` as the kernel sees it: what it says, and what it is told."""

from jamlab.widgets import BrowserPeer

PAGE, OTHER_PAGE = "0" * 32, "f" * 32


def reading(page=PAGE, **changed):
    """Return a message with the state of a page."""
    plain = {
        "kind": "reading",
        "page": page,
        "permission": "granted",
        "isPlaying": True,
        "levelDbfs": -12.5,
        "peers": {},
        "warnings": [],
        "news": "",
    }
    return plain | changed


def candidate(address="192.0.2.7", kind="host"):
    """Return a candidate of a browser (RFC 8839 §5.1)."""
    line = f"candidate:1 1 udp 2113937151 {address} 50000 typ {kind}"
    return {"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0}


class PagedPeer(BrowserPeer):
    """A widget whose views are the test's.

    Attributes
    ----------
    told : list of dict
        The messages to all views.
    """

    def __init__(self, *arguments, **options):
        self.told = []
        super().__init__(*arguments, **options)

    def send(self, content, buffers=None):
        self.told.append(content)

    def says(self, kind, page=PAGE, **content):
        """Hear a message of a view, as it comes from the front end."""
        self._hear(self, {"kind": kind, "page": page, **content}, None)

    def joins(self, page=PAGE, *, take_over=False):
        self.says("join", page, takeOver=take_over)

    def of_kind(self, kind, page=PAGE):
        return [each for each in self.told if each["kind"] == kind and each["page"] == page]
