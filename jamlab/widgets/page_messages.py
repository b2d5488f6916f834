"""Messages of the page that shows a `jamlab.widgets.BrowserPeer`; they come from outside.

Every message is an object with a ``kind`` and the ``page`` it comes from: a notebook may be open in
several. All lengths and ranges are limited here.
"""

import math
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from jamlab.fields import read
from jamlab.mesh.reach import Phase
from jamlab.signaling.messages import MAX_NAME, MalformedSignalError, Signal, is_name

SILENT_DBFS = -120.0
"""Level of silence in a reading."""

Page: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
"""Random number of one view of the widget."""

Permission: TypeAlias = Literal[
    "prompt", "granted", "listen only", "denied", "missing", "insecure", "failed"
]
"""State of the microphone in the browser; all but the first two are reasons for silence."""

_Level: TypeAlias = Annotated[float, Meta(ge=SILENT_DBFS, le=60.0)]
_Duration: TypeAlias = Annotated[float, Meta(ge=0.0, le=3600.0)]
_Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
_Sentence: TypeAlias = Annotated[str, Meta(max_length=1000)]
_PeerName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class _Message(Struct, frozen=True, tag_field="kind", rename="camel"):
    page: Page


class Hello(_Message, frozen=True, tag="hello"):
    """A view is drawn, and asks for what it has to know."""


class Join(_Message, frozen=True, tag="join"):
    """The page joins the room, and may take the place of another page."""

    take_over: bool


class Leave(_Message, frozen=True, tag="leave"):
    """The page leaves the room."""


class Mute(_Message, frozen=True, tag="mute"):
    """The user has pressed *Mute*."""

    on: bool


class PageSignal(_Message, frozen=True, tag="signal"):
    """A signal to a peer, in the form of `jamlab.signaling.messages.Signal`; see `signal_from`."""

    type: str
    target: str
    data: dict[str, Any]


class PeerReading(Struct, frozen=True, rename="camel", kw_only=True):
    """A peer as the browser connects to it and hears it; unknown figures are None."""

    state: Phase
    level_dbfs: _Level = SILENT_DBFS
    """Highest peak since the last reading, of the louder channel, before the mix."""
    route: Literal["direct", "relay"] | None = None
    round_trip_s: _Duration | None = None
    """Round trip of the network."""
    jitter_buffer_s: _Duration | None = None
    """Mean delay in the browser's jitter buffer."""
    concealed_share: _Share | None = None


class Reading(_Message, frozen=True, tag="reading", kw_only=True):
    """The state of the page, four times a second; it also says that the page is still there."""

    permission: Permission
    is_playing: bool
    """False while the browser waits for a click before it plays any sound."""
    level_dbfs: _Level = SILENT_DBFS
    """Highest peak of the microphone since the last reading, of the louder channel."""
    peers: Annotated[dict[_PeerName, PeerReading], Meta(max_length=256)] = {}
    warnings: Annotated[list[_Sentence], Meta(max_length=256)] = []
    news: _Sentence = ""

    def __post_init__(self) -> None:
        levels = [self.level_dbfs, *(peer.level_dbfs for peer in self.peers.values())]
        if not all(map(math.isfinite, levels)) or not all(map(is_name, self.peers)):
            raise ValueError("has a level that is no number, or a name that cannot be shown")


PageMessage: TypeAlias = Hello | Join | Leave | Mute | PageSignal | Reading


def read_message(content: object) -> PageMessage:
    """Read a message of the page; raises `jamlab.fields.FieldError` if it has a fault."""
    return read(content, PageMessage)  # type: ignore[arg-type]


def signal_from(message: PageSignal, sender: str) -> Signal:
    """Return the signal of a page's message; the sender is not the page's to choose.

    Raises `MalformedSignalError` if it has a fault or is too long.
    """
    if not is_name(message.target):
        raise MalformedSignalError("signal field 'targetPeerId': is no name of a participant")
    return Signal.from_payload(
        {
            "type": message.type,
            "senderPeerId": sender,
            "targetPeerId": message.target,
            "data": message.data,
        }
    )


def hides_addresses(signal: Signal) -> bool | None:
    """Return whether a candidate has a name of mDNS in place of its address; None for no candidate.

    Browsers hide the addresses of a page that may not capture (RFC 8828 §5, mode 2 and 3).
    """
    fields = str(signal.data.get("candidate", "")).split()
    return None if len(fields) < 5 else fields[4].lower().endswith(".local")
