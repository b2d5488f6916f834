"""What peers tell each other to connect: the product's signal, and who came and went.

On the wire a signal is the broadcast payload of the browser's service::

    {"type": "offer" | "answer" | "ice-candidate",
     "targetPeerId": str, "senderPeerId": str, "data": {…}}

with a session description (``{"type", "sdp"}``) or an ICE candidate (``{"candidate", "sdpMid",
"sdpMLineIndex"}``, W3C WebRTC §4.8.1) as data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

_JSON_NAMES: dict[type, str] = {str: "a string", Mapping: "an object"}


class MalformedSignalError(ValueError):
    """A signal that does not have the form above."""


class SignalType(StrEnum):
    """What a signal carries."""

    OFFER = "offer"
    ANSWER = "answer"
    ICE_CANDIDATE = "ice-candidate"


@dataclass(frozen=True, slots=True)
class Signal:
    """One message from a peer to a peer."""

    type: SignalType
    sender_peer_id: str
    target_peer_id: str
    data: Mapping[str, Any]

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
            Names the field that is missing or wrong.
        """
        if not isinstance(payload, Mapping):
            raise MalformedSignalError(f"a signal is an object, not {type(payload).__name__}")
        kind = _field(payload, "type", str)
        if kind not in set(SignalType):
            known = ", ".join(SignalType)
            raise MalformedSignalError(f"signal field 'type' is one of {known}, not {kind!r}")
        return cls(
            SignalType(kind),
            _field(payload, "senderPeerId", str),
            _field(payload, "targetPeerId", str),
            _field(payload, "data", Mapping),
        )


def _field(payload: Mapping[str, Any], name: str, kind: type) -> Any:
    value = payload.get(name)
    if not isinstance(value, kind) or not value:
        raise MalformedSignalError(
            f"signal field {name!r} is missing, empty or not {_JSON_NAMES[kind]}"
        )
    return value


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """Somebody came into the room."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """Somebody went out of the room."""

    peer_id: str


ChannelEvent: TypeAlias = Signal | PeerJoined | PeerLeft
"""What a member of a room gets to hear."""
