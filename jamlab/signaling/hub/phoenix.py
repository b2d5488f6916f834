"""Decoder and encoder of Phoenix channel frames in Supabase Realtime's dialect.

A message has a topic, an event and a payload; `ref` numbers a client's request and its reply;
`join_ref` is the `ref` of the join that the message belongs to. On the wire it is one of ::

    vsn 1.0.0  {"topic": …, "event": …, "payload": {…}, "ref": …, "join_ref": …}      text
    vsn 2.0.0  [join_ref, ref, topic, event, payload]                                 text
               03 |join_ref| |ref| |topic| |event| |meta| encoding, these, payload    to the server
               04 |topic| |event| |meta| encoding, these, payload                     to the client

where ``|x|`` is the length of x in UTF-8 in one byte, `encoding` is 0 for bytes and 1 for JSON, and
the event is the broadcast's own: that of the message is ``broadcast``. Clients also understand a
broadcast of JSON as text, so only bytes are sent to them in binary. A server with vsn 1 sends no
``join_ref``.

Sources: `RealtimeWeb.Socket.V2Serializer` and Phoenix's `V1.JSONSerializer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

BROADCAST = "broadcast"
"""Event of a message from one participant to the others."""

MAX_DEPTH = 64
"""Deepest nesting of objects and lists in a message, because every parser has a limit."""

_Array: TypeAlias = tuple[str | None, str | None, str, str, dict[str, Any]]
_MOST_CHARS = 60  # of the fault, in the reason for closing a socket

_PUSH_KIND, _BROADCAST_KIND = 3, 4
_BYTES, _JSON = 0, 1


class Version(StrEnum):
    """Version of the serializer, `vsn` in a client's URL."""

    V1 = "1.0.0"
    V2 = "2.0.0"


class MalformedFrameError(ValueError):
    """A frame is not a valid message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in either direction."""

    topic: str
    event: str
    payload: Mapping[str, Any] = field(repr=False)
    """It may contain a key: a join has an access token."""
    ref: str | None = None
    join_ref: str | None = None


def broadcast(topic: str, event: str, payload: object) -> Message:
    """Return a broadcast of JSON or bytes."""
    return Message(topic, BROADCAST, {"type": BROADCAST, "event": event, "payload": payload})


def reply(to: Message, status: str, response: Mapping[str, Any]) -> Message:
    """Return the reply to a request; the status is ``ok`` or ``error``."""
    payload = {"status": status, "response": response}
    return Message(to.topic, "phx_reply", payload, to.ref, to.join_ref)


def decode(frame: str | bytes, version: Version) -> Message:
    """Read a text or binary frame from a client, which is not validated.

    Raises `MalformedFrameError` if it is not a message, or cannot be forwarded as JSON in UTF-8.
    """
    if isinstance(frame, bytes):
        if version is not Version.V2:
            raise MalformedFrameError(f"vsn {version} has no binary frames")
        return _decode_push(frame)
    if version is Version.V1:
        form = "an object of topic, event, payload, ref"
        message: Message = _parse(frame, Message, form)
    else:
        form = "[join_ref, ref, topic, event, payload]"
        join_ref, ref, topic, event, payload = _parse(frame, _Array, form)
        message = Message(topic, event, payload, ref, join_ref)
    _check_depth(frame, message.payload, MAX_DEPTH - 1)
    return message


def encode(message: Message, version: Version) -> str | bytes | None:
    """Return the frame for a client; None when its version cannot carry it (bytes in vsn 1)."""
    if isinstance(message.payload.get("payload"), bytes):
        return _encode_broadcast(message) if version is Version.V2 else None
    topic, event, payload, ref = message.topic, message.event, message.payload, message.ref
    if version is Version.V2:
        return _dump([message.join_ref, ref, topic, event, payload])
    return _dump({"topic": topic, "event": event, "payload": payload, "ref": ref})


def _dump(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _parse(text: str, kind: Any, form: str) -> Any:
    """Decode JSON; lone surrogates, NaN and infinities, which can break other parsers, fail."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        fault = str(error)[:_MOST_CHARS]
        raise MalformedFrameError(f"a message must be {form}: {fault}") from None
    except (ValueError, RecursionError):
        raise MalformedFrameError("a message must be JSON in UTF-8") from None


def _check_depth(text: str, value: object, most: int) -> None:
    if text.count("[") + text.count("{") > most and _is_deeper(value, most):
        raise MalformedFrameError(f"a message has at most {MAX_DEPTH} levels of objects and lists")


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        nested = [item for item in level if isinstance(item, dict | list)]
        if not nested:
            return False
        level = [i for n in nested for i in (n.values() if isinstance(n, dict) else n)]
    return bool(level)


def _decode_push(frame: bytes) -> Message:
    """Decode a binary broadcast."""
    if len(frame) < 7 or frame[0] != _PUSH_KIND or frame[6] not in (_BYTES, _JSON):
        raise MalformedFrameError("a binary frame must be a broadcast of JSON or bytes")
    fields, start = [], 7
    for length in frame[1:6]:
        fields.append(frame[start : start + length])
        start += length
    if start > len(frame):
        raise MalformedFrameError("a binary frame is shorter than its lengths")
    try:
        join_ref, ref, topic, event, _meta = (part.decode() for part in fields)
        payload = frame[start:] if frame[6] == _BYTES else _content(frame[start:].decode())
    except UnicodeDecodeError:
        raise MalformedFrameError("names and JSON in a binary frame must be UTF-8") from None
    body = {"type": BROADCAST, "event": event, "payload": payload}
    return Message(topic, BROADCAST, body, ref or None, join_ref or None)


def _content(text: str) -> Any:
    value = _parse(text, Any, "JSON")
    _check_depth(text, value, MAX_DEPTH)
    return value


def _encode_broadcast(message: Message) -> bytes:
    """Encode a broadcast of bytes; topic and event came in binary, so their lengths fit a byte."""
    topic, event = message.topic.encode(), str(message.payload["event"]).encode()
    head = bytes((_BROADCAST_KIND, len(topic), len(event), 0, _BYTES))
    return b"".join((head, topic, event, message.payload["payload"]))
