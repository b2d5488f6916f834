"""Notices of a session to its user, in the product's wording."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jamlab.audio.permission import REQUIRED


class NoticeKind(StrEnum):
    """Subject of a notice."""

    JOINED = "joined"
    NEW_KEY = "new key"
    RETRYING = "retrying"
    RELAYING = "relaying"
    NO_AUDIO = "no audio"
    RESTORED = "restored"
    MICROPHONE = "microphone"
    CARD_LOST = "card lost"
    CARD_BACK = "card back"
    SIGNALING_LOST = "signaling lost"
    SIGNALING_RESTORED = "signaling restored"
    SERVERS_USELESS = "servers useless"
    SERVERS_BACK = "servers back"
    HIGH_LATENCY = "high latency"
    NORMAL_LATENCY = "normal latency"


_TEXTS = {
    NoticeKind.JOINED: "A participant joined the session",
    NoticeKind.NEW_KEY: "This name has a new key: the participant restarted, or is another person",
    NoticeKind.RETRYING: "Direct audio connection failed, retrying…",
    NoticeKind.RELAYING: "Direct audio connection failed, using relay mode",
    NoticeKind.NO_AUDIO: "No audio connection: the session goes on without it, and tries again",
    NoticeKind.RESTORED: "Audio connection restored",
    NoticeKind.MICROPHONE: REQUIRED,
    NoticeKind.CARD_LOST: "Sound card lost: the session goes on without it",
    NoticeKind.CARD_BACK: "Sound card is back",
    NoticeKind.SIGNALING_LOST: "Connection to the session service lost: audio plays on",
    NoticeKind.SIGNALING_RESTORED: "Connection to the session service restored",
    NoticeKind.SERVERS_USELESS: "A STUN or TURN server does not work, some connections may fail",
    NoticeKind.SERVERS_BACK: "A STUN or TURN server that did not work answers again",
    NoticeKind.HIGH_LATENCY: "High latency detected, audio may be delayed",
    NoticeKind.NORMAL_LATENCY: "Latency is back to normal",
}

_HINTS = {
    NoticeKind.HIGH_LATENCY: "use a wired network, or move nearer to the Wi-Fi access point",
}


_ENDS = {
    NoticeKind.RESTORED: (NoticeKind.RETRYING, NoticeKind.RELAYING, NoticeKind.NO_AUDIO),
    NoticeKind.CARD_BACK: (NoticeKind.CARD_LOST,),
    NoticeKind.SIGNALING_RESTORED: (NoticeKind.SIGNALING_LOST,),
    NoticeKind.SERVERS_BACK: (NoticeKind.SERVERS_USELESS,),
    NoticeKind.NORMAL_LATENCY: (NoticeKind.HIGH_LATENCY,),
}
"""Warnings that end with a piece of good news."""

_NEWS = {NoticeKind.JOINED, *_ENDS}
"""Notices that are news, not warnings."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user."""

    kind: NoticeKind
    at_s: float
    """Time of the event loop's clock."""
    peer_id: str = ""
    """The peer the notice is about; empty when it is about the whole session."""
    reason: str = ""
    """What has happened, and often what to do, beyond the kind's own sentence."""

    @property
    def text(self) -> str:
        """The sentence to show."""
        return _TEXTS[self.kind]

    @property
    def sentence(self) -> str:
        """The sentence to show, with the name of the peer."""
        if self.peer_id and self.kind is NoticeKind.JOINED:
            return f"{self.peer_id} joined the session"
        return f"{self.peer_id}: {self.text}" if self.peer_id else self.text

    @property
    def hint(self) -> str:
        """Cause or remedy; empty when there is none to name."""
        return self.reason or _HINTS.get(self.kind, "")


class NoticeBoard:
    """The notices that still apply: each warning until good news ends it, and the latest news.

    A warning replaces earlier ones on the same subject, such as the attempts to reach one peer.
    """

    def __init__(self) -> None:
        self.news: Notice | None = None
        """The latest news; the next notice of any kind replaces it."""
        self._standing: list[Notice] = []

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """Warnings that still apply, in the order of their notices."""
        return tuple(self._standing)

    def note(self, notice: Notice) -> None:
        """Add a notice, and drop the ones it ends or replaces."""
        is_news = notice.kind in _NEWS
        over = _ENDS.get(notice.kind, ()) if is_news else _alike(notice.kind)
        self._drop(over, notice.peer_id)
        self.news = notice if is_news else None
        if not is_news:
            self._standing.append(notice)

    def end(self, kind: NoticeKind) -> None:
        """Drop a warning about the whole session without any news."""
        self._drop((kind,), "")

    def forget(self, peer_id: str) -> None:
        """Drop everything about a peer that has left."""
        self._drop(NoticeKind, peer_id)
        if self.news is not None and self.news.peer_id == peer_id:
            self.news = None

    def _drop(self, kinds: Iterable[NoticeKind], peer_id: str) -> None:
        over = {*kinds}
        self._standing = [n for n in self._standing if n.peer_id != peer_id or n.kind not in over]


def _alike(kind: NoticeKind) -> tuple[NoticeKind, ...]:
    return next((alike for alike in _ENDS.values() if kind in alike), (kind,))
