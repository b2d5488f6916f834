"""What a session tells its user, in the product's words."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jamlab.audio.permission import REQUIRED


class NoticeKind(StrEnum):
    """What there is to tell."""

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
    NoticeKind.JOINED: "Somebody joined the session",
    NoticeKind.NEW_KEY: "Another key than before: joined anew, or somebody else under this name",
    NoticeKind.RETRYING: "Direct audio connection failed, retrying…",
    NoticeKind.RELAYING: "Direct audio connection failed, using relay mode",
    NoticeKind.NO_AUDIO: "No audio connection: the session goes on without it, and tries again",
    NoticeKind.RESTORED: "Audio connection restored",
    NoticeKind.MICROPHONE: REQUIRED,
    NoticeKind.CARD_LOST: "Sound card lost: the session goes on without it",
    NoticeKind.CARD_BACK: "Sound card is back",
    NoticeKind.SIGNALING_LOST: "Connection to the session service lost: audio plays on",
    NoticeKind.SIGNALING_RESTORED: "Connection to the session service restored",
    NoticeKind.SERVERS_USELESS: "A STUN or TURN server is of no use, connecting may take longer",
    NoticeKind.SERVERS_BACK: "A STUN or TURN server that was of no use answers again",
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
"""What good news puts an end to."""

_NEWS = {NoticeKind.JOINED, *_ENDS}
"""What is told once, and stands for nothing."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a user should read."""

    kind: NoticeKind
    at_s: float
    """When, by the event loop's clock."""
    peer_id: str = ""
    """Whom it is about, empty when it is about everybody."""
    reason: str = ""
    """What has happened, and often what to do, where the kind alone does not say."""

    @property
    def text(self) -> str:
        """The sentence to show."""
        return _TEXTS[self.kind]

    @property
    def sentence(self) -> str:
        """The sentence to show, with whom it is about."""
        if self.peer_id and self.kind is NoticeKind.JOINED:
            return f"{self.peer_id} joined the session"
        return f"{self.peer_id}: {self.text}" if self.peer_id else self.text

    @property
    def hint(self) -> str:
        """What the user can do about it, or why it is so; empty when there is nothing to say."""
        return self.reason or _HINTS.get(self.kind, "")


class NoticeBoard:
    """What stands of what was told: a warning until good news ends it, and the latest news.

    Of the warnings about one thing, such as the ways tried to reach a peer, the latest stands.
    """

    def __init__(self) -> None:
        self.news: Notice | None = None
        """The latest news that is no warning; what is told next takes its place."""
        self._standing: list[Notice] = []

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What stands, in the order it was told."""
        return tuple(self._standing)

    def note(self, notice: Notice) -> None:
        """Take what is told."""
        is_news = notice.kind in _NEWS
        over = _ENDS.get(notice.kind, ()) if is_news else _alike(notice.kind)
        self._drop(over, notice.peer_id)
        self.news = notice if is_news else None
        if not is_news:
            self._standing.append(notice)

    def end(self, kind: NoticeKind) -> None:
        """Let a warning about everybody stand no longer, though there is no news of it."""
        self._drop((kind,), "")

    def forget(self, peer_id: str) -> None:
        """Let nothing stand about a peer, who has gone."""
        self._drop(NoticeKind, peer_id)
        if self.news is not None and self.news.peer_id == peer_id:
            self.news = None

    def _drop(self, kinds: Iterable[NoticeKind], peer_id: str) -> None:
        over = {*kinds}
        self._standing = [n for n in self._standing if n.peer_id != peer_id or n.kind not in over]


def _alike(kind: NoticeKind) -> tuple[NoticeKind, ...]:
    return next((alike for alike in _ENDS.values() if kind in alike), (kind,))
