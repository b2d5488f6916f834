"""Subscription to a room on a hub: the payload of a client's `phx_join`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from jamlab.fields import FieldError, read
from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.names import digest

PREFIX = "realtime:"
"""Prefix of the topic of a room; the rest is the room's name."""


class _Broadcast(Struct):
    ack: bool | None = None
    own: bool | None = msgspec.field(name="self", default=None)


class _Presence(Struct):
    key: str | None = None
    enabled: bool | None = None
    secret: str | None = None


class _Config(Struct):
    broadcast: _Broadcast | None = None
    presence: _Presence | None = None
    private: bool | None = None
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
        if config.private:
            raise RefusedError("a hub has no private rooms: join with private false")
        if config.postgres_changes:
            raise RefusedError("a hub has no database: join without postgres_changes")
        if presence.key:
            _check_name("a presence key", presence.key, limits.key_length)
        if presence.secret is not None and not 0 < len(presence.secret) <= limits.secret_length:
            most = limits.secret_length
            raise RefusedError(f"the secret of a presence key has 1 to {most} characters")
        return cls(
            presence.key or None,
            has_presence=bool(presence.enabled),
            wants_ack=bool(broadcast.ack),
            wants_own=bool(broadcast.own),
            secret=presence.secret,
        )


def check_topic(topic: str, limits: Limits) -> None:
    """Check that a topic is that of a room; raises RefusedError if it is not."""
    if not topic.startswith(PREFIX):
        raise RefusedError("unmatched topic")
    _check_name("the name of a room", topic.removeprefix(PREFIX), limits.room_length)


def _check_name(what: str, name: str, most: int) -> None:
    if not (0 < len(name) <= most and name.isprintable()):
        raise RefusedError(f"{what} has 1 to {most} printable characters")
