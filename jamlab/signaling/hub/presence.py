"""Presence state of one room on a hub (Phoenix Presence).

Each presence key has a list of metas, each with a `phx_ref` of its own, so that clients can tell
which of them came and went. Here a key belongs to one participant, so it has at most one meta; a
new meta has the `phx_ref` of the one it replaces as `phx_ref_prev`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from jamlab.signaling.hub.limits import RefusedError

_RESERVED = ("phx_ref", "phx_ref_prev", "presence_ref")
"""Names that the service and the clients add to a meta; a participant's own are removed."""

Diff = dict[str, Any]
"""Payload of `presence_diff`."""


class Presences:
    """The presences in one room; `new_ref` returns a new string with each call."""

    def __init__(self, new_ref: Callable[[], str]) -> None:
        self._new_ref = new_ref
        self._said: dict[str, dict[str, Any]] = {}
        self._metas: dict[str, dict[str, Any]] = {}

    def state(self) -> dict[str, Any]:
        """Return the payload of `presence_state`."""
        return _grouped(self._metas)

    def track(self, key: str, payload: Mapping[str, Any]) -> Diff | None:
        """Set a participant's presence; return the change, None for none."""
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
        """Remove a participant's presence; return the change, None for none."""
        if key not in self._metas:
            return None
        del self._said[key]
        return {"joins": {}, "leaves": _grouped({key: self._metas.pop(key)})}


def read_presence(payload: Mapping[str, Any], most_bytes: int) -> Mapping[str, Any] | None:
    """Return the presence in a presence call; None for untrack.

    Raises `RefusedError` if the call is neither track nor untrack, or the presence is not an object
    or too long.
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
