"""What a client asks for when it joins a room on a hub: the payload of `phx_join`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.names import digest

PREFIX = "realtime:"
"""How the topic of a room begins; the rest is the room's name."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """How a member wants to be in a room."""

    key: str | None
    """The presence key it gave, if it gave one: its name."""
    has_presence: bool
    """Whether it wants to be told who is there."""
    wants_ack: bool
    """Whether it wants a reply to each broadcast."""
    wants_own: bool
    """Whether it wants to hear its own broadcasts."""
    secret: str | None = field(default=None, repr=False)
    """By what it holds its name (see `names`)."""

    @property
    def shown(self) -> str | None:
        """What everybody may see of the secret."""
        return None if self.secret is None else digest(self.secret)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], limits: Limits) -> "Subscription":
        """Read the payload of a join.

        Raises
        ------
        RefusedError
            Something in it is not of its type, or asks for what a hub does not have.
        """
        config = _object(payload, "config")
        broadcast, presence = _object(config, "broadcast"), _object(config, "presence")
        if _flag(config, "private"):
            raise RefusedError("a hub has no private rooms: join with private false")
        if config.get("postgres_changes"):
            raise RefusedError("a hub has no database: join without postgres_changes")
        key = presence.get("key") or None
        if not (key is None or isinstance(key, str)):
            raise RefusedError("the presence key is a string")
        if key is not None:
            _check_name("a presence key", key, limits.key_length)
        return cls(
            key,
            has_presence=_flag(presence, "enabled"),
            wants_ack=_flag(broadcast, "ack"),
            wants_own=_flag(broadcast, "self"),
            secret=_secret(presence, limits.secret_length),
        )


def check_topic(topic: str, limits: Limits) -> None:
    """Check that a topic is that of a room.

    Raises
    ------
    RefusedError
        It is not.
    """
    if not topic.startswith(PREFIX):
        raise RefusedError("unmatched topic")
    _check_name("the name of a room", topic.removeprefix(PREFIX), limits.room_length)


def _check_name(what: str, name: str, most: int) -> None:
    if not (0 < len(name) <= most and name.isprintable()):
        raise RefusedError(f"{what} has 1 to {most} printable characters")


def _secret(presence: Mapping[str, Any], most: int) -> str | None:
    secret = presence.get("secret")
    if secret is None or (isinstance(secret, str) and 0 < len(secret) <= most):
        return secret
    raise RefusedError(f"the secret of a presence key has 1 to {most} characters")


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RefusedError(f"{name} is an object")
    return value


def _flag(parent: Mapping[str, Any], name: str) -> bool:
    value = parent.get(name)
    if not (value is None or isinstance(value, bool)):
        raise RefusedError(f"{name} is true or false")
    return bool(value)
