"""What the members of one room on a hub say about themselves (Phoenix Presence).

Under a member's key is a list of metas, each with a `phx_ref` of its own, so that clients can tell
which of them came and went. Here one member has a key, so there is one meta at most; a new one has
the `phx_ref` of that which it replaces as `phx_ref_prev`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from jamlab.signaling.hub.limits import RefusedError

_RESERVED = ("phx_ref", "phx_ref_prev", "presence_ref")
"""Names the service and the clients put into a meta; somebody else's would confuse them."""

Diff = dict[str, Any]
"""The payload of `presence_diff`."""


class Presences:
    """Who is there, and what they say.

    Parameters
    ----------
    new_ref : callable
        Returns a string it has never returned before.
    """

    def __init__(self, new_ref: Callable[[], str]) -> None:
        self._new_ref = new_ref
        self._said: dict[str, dict[str, Any]] = {}
        self._metas: dict[str, dict[str, Any]] = {}

    def state(self) -> dict[str, Any]:
        """Return the payload of `presence_state`."""
        return _grouped(self._metas)

    def track(self, key: str, payload: Mapping[str, Any]) -> Diff | None:
        """Show a member, or what it says now; returns what changed, None for nothing."""
        said = {name: value for name, value in payload.items() if name not in _RESERVED}
        if self._said.get(key) == said:
            return None
        meta = {**said, "phx_ref": self._new_ref()}
        left = {key: self._metas[key]} if key in self._metas else {}
        if left:
            meta["phx_ref_prev"] = left[key]["phx_ref"]
        self._said[key], self._metas[key] = said, meta
        return {"joins": _grouped({key: meta}), "leaves": _grouped(left)}

    def untrack(self, key: str) -> Diff | None:
        """Show a member no longer; returns what changed, None for nothing."""
        if key not in self._metas:
            return None
        del self._said[key]
        return {"joins": {}, "leaves": _grouped({key: self._metas.pop(key)})}


def read_presence(payload: Mapping[str, Any], most_bytes: int) -> Mapping[str, Any] | None:
    """Return what a member says about itself, None if it takes that back.

    Raises
    ------
    RefusedError
        It does neither, or what it says is not an object or too long.
    """
    event, said = payload.get("event"), payload.get("payload", {})
    if not (isinstance(event, str) and event.lower() in ("track", "untrack")):
        raise RefusedError("unknown presence event")
    if event.lower() == "untrack":
        return None
    if not isinstance(said, Mapping):
        raise RefusedError("Presence track payload must be a map")
    length = len(json.dumps(said, ensure_ascii=False).encode())
    if length > most_bytes:
        raise RefusedError(f"a presence has at most {most_bytes} bytes, this one {length}")
    return said


def _grouped(metas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {key: {"metas": [meta]} for key, meta in metas.items()}
