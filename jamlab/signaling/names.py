"""Ownership of names by a secret: the right to take over a name, or to get a lost one back.

A participant may give a secret when it joins, and shows the secret's digest to all others. Only the
owner of the secret can show that digest, take the name over from a socket that may be dead, or get
the name back for a while after losing it. The public digest does not allow impersonation.
"""

import hashlib
import hmac

Name = tuple[str, str]
"""A topic, and the look of a presence key in it (see `looks`)."""


def digest(secret: str) -> str:
    """Return the public digest of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(secret: str | None, shown: str) -> bool:
    """Return whether a digest is that of a secret."""
    return secret is not None and hmac.compare_digest(digest(secret), shown)


class HeldNames:
    """Names reserved for `hold_s` for participants that lost their sockets without leaving."""

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._held: dict[Name, tuple[str, float]] = {}

    def hold(self, name: Name, shown: str, now_s: float) -> None:
        """Reserve a name for the owner of the secret of a digest."""
        self._held = {held: kept for held, kept in self._held.items() if kept[1] > now_s}
        self._held[name] = shown, now_s + self._hold_s

    def allows(self, name: Name, secret: str | None, now_s: float) -> bool:
        """Return whether a name is free, or reserved for the owner of a secret."""
        shown, until_s = self._held.get(name, ("", now_s))
        return until_s <= now_s or is_same(secret, shown)

    def release(self, name: Name) -> None:
        """End the reservation of a name, which is in use again."""
        self._held.pop(name, None)
