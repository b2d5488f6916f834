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
``join_ref``. Refs are strings by convention; Phoenix returns any JSON value as it came. A null
payload is an empty one, and what follows the payload in an array is skipped.

Sources: `RealtimeWeb.Socket.V2Serializer` and Phoenix's `V1.JSONSerializer`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias, TypeGuard

import msgspec
import numpy as np

BROADCAST = "broadcast"
"""Event of a message from one participant to the others."""

MAX_DEPTH = 64
"""Deepest nesting of objects and lists in a message, because every parser has a limit."""

MAX_REF = 128
"""Characters, or digits, of the longest ref; a join's is kept while its participant is there."""
_REF_LIMIT: int = 10**MAX_REF

Ref: TypeAlias = str | float | None
"""A ref: a string, a number, true or false, or none."""

_FORMS = {
    "1.0.0": "an object of topic, event, payload, ref",
    "2.0.0": "[join_ref, ref, topic, event, payload]",
}
# a string without an end reaches to the end of the text, so that no character is read twice
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = np.isin(np.arange(256), [*b"[{"])

_PUSH_KIND, _BROADCAST_KIND = 3, 4
_BYTES, _JSON = 0, 1


class Version(StrEnum):
    """Version of the serializer, `vsn` in a client's URL."""

    V1 = "1.0.0"
    V2 = "2.0.0"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in either direction."""

    topic: str
    event: str
    payload: Mapping[str, Any] = field(repr=False)
    """It may contain a key: a join has an access token."""
    ref: Ref = None
    join_ref: Ref = None


class MalformedFrameError(ValueError):
    """A frame is not a valid message."""

    def __init__(self, fault: str, to: Message | None = None) -> None:
        super().__init__(fault)
        self.to = to or Message("phoenix", "", {})
        """The message to reply to: its topic and refs, as far as they could be read."""


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
    value = _parse(frame)
    names = ("join_ref", "ref", "topic", "event", "payload")
    if version is Version.V1 and isinstance(value, dict):
        return _message(*map(value.get, names), form=_FORMS[version])
    if version is Version.V2 and isinstance(value, list) and len(value) >= len(names):
        return _message(*value[: len(names)], form=_FORMS[version])
    raise MalformedFrameError(f"a message must be {_FORMS[version]}")


def _message(
    join_ref: object, ref: object, topic: object, event: object, payload: Any, *, form: str
) -> Message:
    """Return a message of fields that are not validated."""
    refs = [each if _is_ref(each) else None for each in (ref, join_ref)]
    to = Message(topic if isinstance(topic, str) else "phoenix", "", {}, *refs)
    fields = {"topic": topic, "event": event}
    wrong = [name for name, value in fields.items() if not isinstance(value, str)]
    wrong += [name for name, value in (("ref", ref), ("join_ref", join_ref)) if not _is_ref(value)]
    if not isinstance(payload, dict | None):
        wrong.append("payload")
    if wrong:
        raise MalformedFrameError(f"a message must be {form}: its {wrong[0]} is wrong", to)
    return Message(to.topic, str(event), payload or {}, *refs)


def _is_ref(value: object) -> TypeGuard[Ref]:
    if isinstance(value, int):
        return abs(value) < _REF_LIMIT
    return isinstance(value, float | None) or (isinstance(value, str) and len(value) <= MAX_REF)


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


def _parse(text: str) -> Any:
    """Decode JSON; lone surrogates, NaN and infinities, which can break other parsers, fail."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise MalformedFrameError(f"a message has at most {MAX_DEPTH} levels of objects and lists")
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise MalformedFrameError("a message must be JSON in UTF-8") from None


def _depth(text: str) -> int:
    """Return the levels of objects and lists in JSON without parsing it, which costs more."""
    rest = _STRING.sub("", text).encode("ascii", "ignore")
    brackets = np.frombuffer(rest.translate(None, _NO_BRACKETS), np.uint8)
    return int(np.where(_OPENING[brackets], 1, -1).cumsum().max(initial=0))


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
        text = None if frame[6] == _BYTES else frame[start:].decode()
    except UnicodeDecodeError:
        raise MalformedFrameError("names and JSON in a binary frame must be UTF-8") from None
    to = Message(topic, BROADCAST, {}, ref or None, join_ref or None)
    try:
        payload = frame[start:] if text is None else _parse(text)
    except MalformedFrameError as error:
        raise MalformedFrameError(str(error), to) from None
    return replace(to, payload={"type": BROADCAST, "event": event, "payload": payload})


def _encode_broadcast(message: Message) -> bytes:
    """Encode a broadcast of bytes; topic and event came in binary, so their lengths fit a byte."""
    topic, event = message.topic.encode(), str(message.payload["event"]).encode()
    head = bytes((_BROADCAST_KIND, len(topic), len(event), 0, _BYTES))
    return b"".join((head, topic, event, message.payload["payload"]))
