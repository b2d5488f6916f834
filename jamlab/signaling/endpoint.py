"""Where a signalling service is, and the key to it: given, or from the environment."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

URL_VARIABLE = "JAMLAB_SUPABASE_URL"
"""Environment variable of the URL."""

KEY_VARIABLE = "JAMLAB_SUPABASE_KEY"
"""Environment variable of the key."""

_SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}
_PATH = "/realtime/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the service is, and the key to it.

    Raises
    ------
    ValueError
        The URL cannot be one of a Realtime service.
    """

    url: str
    """``https://PROJECT.supabase.co``, or the address of a socket, such as
    ``wss://…/realtime/v1``; once made, always the latter."""
    key: str = field(repr=False)

    @classmethod
    def find(cls, url: str | None = None, key: str | None = None) -> "Endpoint":
        """Return the endpoint given, or what the environment says where nothing is.

        Raises
        ------
        ValueError
            The URL or the key is missing, or the URL cannot be one.
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
    # the URL is not repeated: what should not be in it may be the key
    if not valid:
        raise ValueError(
            "a signalling URL is https://PROJECT.supabase.co or ws://HOST:PORT/…, this one has no "
            "such scheme, host and port"
        )
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("a signalling URL holds no key, user or query: give the key by itself")
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
