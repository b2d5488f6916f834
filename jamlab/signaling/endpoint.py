"""URL and key of a signalling service, from arguments or the environment."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

URL_VARIABLE = "JAMLAB_SUPABASE_URL"

KEY_VARIABLE = "JAMLAB_SUPABASE_KEY"

_SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}
_PATH = "/realtime/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """URL and key of a signalling service; raises ValueError if the URL cannot be Realtime's."""

    url: str
    """Given as ``https://PROJECT.supabase.co`` or as a socket's URL, ``wss://…/realtime/v1``; the
    attribute is always the latter."""
    key: str = field(repr=False)

    @classmethod
    def find(cls, url: str | None = None, key: str | None = None) -> "Endpoint":
        """Return the endpoint, with the environment's URL or key in place of a missing one.

        Raises ValueError if the URL or the key is missing, or the URL is not valid.
        """
        return cls(
            _setting(url, URL_VARIABLE, "URL", "--hub"), _setting(key, KEY_VARIABLE, "key", "--key")
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _socket_url(self.url))


def _socket_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in _SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    # errors do not repeat the URL, because it may contain the key
    if not valid:
        raise ValueError(
            "the signalling URL has no valid scheme, host or port: give "
            "https://PROJECT.supabase.co or ws://HOST:PORT/…"
        )
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError(
            "the signalling URL contains a key, user or query: give the URL without, and the key "
            "separately"
        )
    path = parts.path.rstrip("/").removesuffix("/websocket")
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path or _PATH, "", ""))


def _setting(given: str | None, variable: str, what: str, option: str) -> str:
    value = given or os.environ.get(variable)
    if not value:
        raise ValueError(
            f"the signalling service has no {what}: give it as an argument (jamlab join: {option}) "
            f"or set {variable}"
        )
    return value
