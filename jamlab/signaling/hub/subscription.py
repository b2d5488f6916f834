"""Subscription to a room on a hub: the payload of a client's `phx_join`.

As at the hosted service every field may be missing or null, presence is on by default, a flag may
be a string, and a presence key may be a number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from jamlab.fields import FieldError, read
from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.looks import can_be_seen
from jamlab.signaling.names import digest

PREFIX = "realtime:"
"""Prefix of the topic of a room; the rest is the room's name."""

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class _Broadcast(Struct):
    ack: Any = None
    own: Any = msgspec.field(name="self", default=None)


class _Presence(Struct):
    key: Any = None
    enabled: Any = None
    secret: str | None = None


class _Config(Struct):
    broadcast: _Broadcast | None = None
    presence: _Presence | None = None
    private: Any = None
    postgres_changes: Any = None


class _Join(Struct):
    config: _Config | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Options of a participant's join."""

    key: str | None
    """The presence key, if given: the participant's name."""
    has_presence: bool
    """Whether it wants the presence state and its changes."""
    wants_ack: bool
    """Whether it wants a reply to each broadcast."""
    wants_own: bool
    """Whether it wants its own broadcasts."""
    secret: str | None = field(default=None, repr=False)
    """Secret that owns the name (see `names`)."""

    @property
    def shown(self) -> str | None:
        """Public digest of the secret."""
        return None if self.secret is None else digest(self.secret)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], limits: Limits) -> "Subscription":
        """Read the payload of a join.

        Raises `RefusedError` if a field has the wrong type, or asks for a feature that a hub lacks.
        """
        try:
            config = read(payload, _Join).config or _Config()
        except FieldError as error:
            raise RefusedError(str(error)) from None
        broadcast, presence = config.broadcast or _Broadcast(), config.presence or _Presence()
        key = name_in(presence.key)
        if key is None and presence.key is not None:
            raise RefusedError("field 'config.presence.key': expected a string or a number")
        if _flag("private", config.private):
            raise RefusedError("a hub has no private rooms: join with private false")
        if config.postgres_changes:
            raise RefusedError("a hub has no database: join without postgres_changes")
        if key:
            _check_name("a presence key", key, limits.key_length)
        if presence.secret is not None and not 0 < len(presence.secret) <= limits.secret_length:
            most = limits.secret_length
            raise RefusedError(f"the secret of a presence key has 1 to {most} characters")
        return cls(
            key or None,
            has_presence=_flag("presence.enabled", presence.enabled, default=True),
            wants_ack=_flag("broadcast.ack", broadcast.ack),
            wants_own=_flag("broadcast.self", broadcast.own),
            secret=presence.secret,
        )


def name_in(value: object) -> str | None:
    """Return a name in JSON as a string: that of 42 is ``42``; None if it is not a name."""
    if isinstance(value, int | float):
        return json.dumps(value)
    return value if isinstance(value, str) else None


def _flag(name: str, value: object, *, default: bool = False) -> bool:
    """Return a flag of a join; raises RefusedError if it is none."""
    if value is None:
        return default
    text = str(value).lower()
    if not isinstance(value, bool | str) or text not in _FLAGS:
        raise RefusedError(f"field 'config.{name}': expected true or false")
    return _FLAGS[text]


def check_topic(topic: str, limits: Limits) -> None:
    """Check that a topic is that of a room; raises RefusedError if it is not."""
    if not topic.startswith(PREFIX):
        raise RefusedError("unmatched topic")
    _check_name("the name of a room", topic.removeprefix(PREFIX), limits.room_length)


def _check_name(what: str, name: str, most: int) -> None:
    if len(name) > most or not can_be_seen(name):
        raise RefusedError(f"{what} has 1 to {most} visible characters, and no control characters")
