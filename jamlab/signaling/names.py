"""Names held by a secret: who may take a name that was lost, or take it over.

A member may give a secret when it joins, and shows everybody its digest. Only who has the secret
can show that digest, take the name over from a socket that may be dead, or have the name back
within a while of losing it: what everybody sees of a member makes nobody the member.
"""

import hashlib
import hmac

Name = tuple[str, str]
"""A topic, and a key in it."""


def digest(secret: str) -> str:
    """Return what is shown of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(secret: str | None, shown: str) -> bool:
    """Return whether a secret is that of which a digest is shown."""
    return secret is not None and hmac.compare_digest(digest(secret), shown)


class HeldNames:
    """Names whose bearers lost their sockets without leaving.

    Parameters
    ----------
    hold_s : float
        How long a name is kept for its bearer.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._held: dict[Name, tuple[str, float]] = {}

    def hold(self, name: Name, shown: str, now_s: float) -> None:
        """Keep a name for who has the secret of a digest."""
        self._held = {held: kept for held, kept in self._held.items() if kept[1] > now_s}
        self._held[name] = shown, now_s + self._hold_s

    def allows(self, name: Name, secret: str | None, now_s: float) -> bool:
        """Return whether a name is free, or kept for who has a secret."""
        shown, until_s = self._held.get(name, ("", now_s))
        return until_s <= now_s or is_same(secret, shown)

    def release(self, name: Name) -> None:
        """Keep a name no longer: it is borne again."""
        self._held.pop(name, None)
