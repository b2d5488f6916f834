"""Who may open a socket to a hub: the key, the version and the path of a request."""

import hmac
import ipaddress
import json
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from jamlab.signaling.phoenix import Version

DEFAULT_KEY = "jamlab"
"""Everybody knows it, so it is good on this machine only."""

PATH = "/socket"
"""Where a hub is: the path of self-hosted Realtime. The hosted one's serves as well."""

_PATHS = {f"{base}/websocket" for base in (PATH, "/realtime/v1")}
_HEADERS = ("x-api-key", "apikey")


class HubError(ValueError):
    """A hub that cannot be where it was told to be."""


def check_key(key: str, host: str) -> None:
    """Check that a hub may be at an address with a key.

    Raises
    ------
    HubError
        There is no key, or the default one where others can reach the hub.
    """
    if not key:
        raise HubError("a hub has a key: give one that is not empty")
    if key == DEFAULT_KEY and not is_loopback(host):
        raise HubError(
            f"everybody knows the hub's default key: give a key of your own to listen at {host!r}, "
            "or listen at 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Return whether an address is surely one that only this machine reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(connection: ServerConnection, request: Request, key: str) -> Response | None:
    """Return the answer to a request that may not open a socket, None for one that may."""
    path, query = _split(request)
    given = [*chain(*map(request.headers.get_all, _HEADERS)), *query.get("apikey", [])]
    if path not in _PATHS:
        return refuse(connection, HTTPStatus.NOT_FOUND, f"there is only {PATH}/websocket")
    if not given:
        return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is missing")
    if not hmac.compare_digest(given[0].encode(errors="replace"), key.encode()):
        return refuse(connection, HTTPStatus.UNAUTHORIZED, "API key is wrong")
    if _vsn(query) not in set(Version):
        return refuse(connection, HTTPStatus.BAD_REQUEST, "vsn is 1.0.0 or 2.0.0")
    return None


def refuse(connection: ServerConnection, status: HTTPStatus, error: str) -> Response:
    """Return an answer as the hosted service gives it."""
    response = connection.respond(status, json.dumps({"error": error}))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def version_of(request: Request) -> Version:
    """Return the version of a request that was not refused; without `vsn` it is the first."""
    return Version(_vsn(_split(request)[1]))


def _split(request: Request) -> tuple[str, dict[str, list[str]]]:
    """Return the path of a request and its query."""
    path, _, query = request.path.partition("?")
    return path, parse_qs(query)


def _vsn(query: dict[str, list[str]]) -> str:
    return query.get("vsn", [Version.V1])[0]
