"""What peers tell each other: the product's signal, and who came and went.

On the wire a signal is the broadcast payload of the browser's service::

    {"type": "offer" | "answer" | "ice-candidate" | "report",
     "targetPeerId": str, "senderPeerId": str, "data": {…}}

with a session description (``{"type", "sdp"}``) or an ICE candidate (``{"candidate", "sdpMid",
"sdpMLineIndex"}``, W3C WebRTC §4.8.1) as data. A report is any object, between
participants that measure; browsers ignore the type.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from jamlab.fields import FieldError, read

MAX_SIGNAL_BYTES = 64 * 1024
"""Length of the longest signal as JSON; a description with every candidate has about 6 KB."""

MAX_NAME = 128
"""Characters in the longest name of a room or a member."""


def is_name(value: object) -> bool:
    """Return whether this can be the name of a room or a member."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


class MalformedSignalError(ValueError):
    """A signal that does not have the form above."""


class SignalType(StrEnum):
    """What a signal carries."""

    OFFER = "offer"
    ANSWER = "answer"
    ICE_CANDIDATE = "ice-candidate"
    REPORT = "report"


class Signal(Struct, frozen=True, rename="camel"):
    """One message from a peer to a peer."""

    type: SignalType
    sender_peer_id: Annotated[str, Meta(min_length=1)]
    target_peer_id: Annotated[str, Meta(min_length=1)]
    data: Annotated[Mapping[str, Any], Meta(min_length=1)]

    def to_payload(self) -> dict[str, Any]:
        """Return the broadcast payload."""
        return {
            "type": self.type.value,
            "targetPeerId": self.target_peer_id,
            "senderPeerId": self.sender_peer_id,
            "data": dict(self.data),
        }

    @classmethod
    def from_payload(cls, payload: object) -> "Signal":
        """Read a broadcast payload.

        Raises
        ------
        MalformedSignalError
            Names the field that is missing or wrong, or says that the signal is too long.
        """
        try:
            signal = read(payload, cls)
        except FieldError as error:
            known = f"; it is one of {', '.join(SignalType)}" if error.path == "type" else ""
            raise MalformedSignalError(f"signal {error}{known}") from None
        signal.check_length()
        return signal

    def check_length(self) -> None:
        """Check that the signal can be sent.

        Raises
        ------
        MalformedSignalError
            It is longer than `MAX_SIGNAL_BYTES`, or its data is not JSON.
        """
        try:
            length = len(json.dumps(self.to_payload()))
        except (TypeError, ValueError, RecursionError):
            raise MalformedSignalError("signal field 'data' is not JSON") from None
        if length > MAX_SIGNAL_BYTES:
            raise MalformedSignalError(
                f"a signal has at most {MAX_SIGNAL_BYTES} bytes, this one {length}: say less in it"
            )


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """Somebody came into the room."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """Somebody went out of the room."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class SignalingLost:
    """Nothing can be heard or said in the room for now; the member is on its way back."""

    at_s: float
    """When, by the event loop's clock."""


@dataclass(frozen=True, slots=True)
class SignalingRestored:
    """The member is in the room again; what it missed of who came and went is told next."""

    at_s: float
    """When, by the event loop's clock."""


ChannelEvent: TypeAlias = Signal | PeerJoined | PeerLeft | SignalingLost | SignalingRestored
"""What a member of a room gets to hear."""
