"""Signalling messages between peers, and the events of a room.

A signal is sent as the broadcast payload of the browser's service::

    {"type": "offer" | "answer" | "ice-candidate" | "report",
     "targetPeerId": str, "senderPeerId": str, "data": {…}}

with a session description (``{"type", "sdp"}``) or an ICE candidate (``{"candidate", "sdpMid",
"sdpMLineIndex"}``, W3C WebRTC §4.8.1) as data. A report is any object, between participants that
measure; browsers ignore the type.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from jamlab.fields import FieldError, read
from jamlab.signaling.looks import can_be_seen

MAX_SIGNAL_BYTES = 64 * 1024
"""Length of the longest signal as JSON; a description with all candidates has about 6 KB."""

MAX_NAME = 128
"""Characters in the longest name of a room or a participant."""


def is_name(value: object) -> bool:
    """Return whether a value is a valid name of a room or a participant."""
    return isinstance(value, str) and len(value) <= MAX_NAME and can_be_seen(value)


class MalformedSignalError(ValueError):
    """A signal does not have the form above; the message names the field."""


class SignalType(StrEnum):
    """The kind of a signal's data."""

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

        Raises `MalformedSignalError` if a field is missing or wrong, or the signal is too long.
        """
        try:
            signal = read(payload, cls)
        except FieldError as error:
            known = f"; it is one of {', '.join(SignalType)}" if error.path == "type" else ""
            raise MalformedSignalError(f"signal {error}{known}") from None
        signal.check_length()
        return signal

    def check_length(self) -> None:
        """Raise MalformedSignalError if longer than `MAX_SIGNAL_BYTES` or not writable as JSON."""
        try:
            length = len(json.dumps(self.to_payload()))
        except (TypeError, ValueError, RecursionError):
            raise MalformedSignalError("signal field 'data' cannot be written as JSON") from None
        if length > MAX_SIGNAL_BYTES:
            raise MalformedSignalError(
                f"a signal has at most {MAX_SIGNAL_BYTES} bytes, this one has {length}: "
                "shorten its data"
            )


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A participant has joined the room."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A participant has left the room."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class SignalingLost:
    """The connection to the room is lost; the channel is reconnecting."""

    at_s: float
    """Time of the event, by the event loop's clock."""


@dataclass(frozen=True, slots=True)
class SignalingRestored:
    """The connection to the room is restored; events of the missed joins and leaves follow."""

    at_s: float
    """Time of the event, by the event loop's clock."""


ChannelEvent: TypeAlias = Signal | PeerJoined | PeerLeft | SignalingLost | SignalingRestored
"""An event that a participant receives from its room."""
