"""Decompression of rtcstats: statistics and descriptions as differences from the ones before.

A sample of getStats has only what changed. A property that is missing keeps its value, an object
that is missing is unchanged but for its time, and null removes one. The common timestamp is at the
top; an object has its own where it differs. A changed dictionary has its changed keys only, and a
changed array is whole.

Of a description the sections that did not change are written as ``m=``, the first as ``v=``.
"""

from collections.abc import Mapping
from typing import Any

from jamlab.measure.dump.layouts.codes import PROPERTIES, TYPES

Reports = dict[str, dict[str, Any]]
"""The objects of a sample of getStats by their ids."""

_TIMES = ("t", "timestamp")


def restored(before: Reports, delta: Mapping[str, Any]) -> Reports:
    """Return a sample of getStats from the one before and a difference; neither is changed."""
    common = next((delta[key] for key in _TIMES if _is_number(delta.get(key))), None)
    after = {name: _untimed(report, common) for name, report in before.items()}
    for name, change in delta.items():
        if change is None:
            after.pop(name, None)
        elif isinstance(change, dict):
            after[name] = _changed(after.get(name, {}), change, common)
    return after


def _untimed(report: dict[str, Any], common: object) -> dict[str, Any]:
    return report if common is None else {**report, "timestamp": common}


def _changed(before: dict[str, Any], change: dict[str, Any], common: object) -> dict[str, Any]:
    named = {PROPERTIES.get(key, key): value for key, value in change.items()}
    if "type" in named and isinstance(named["type"], int):
        named["type"] = TYPES.get(named["type"], "")
    if not named.get("timestamp") and common is not None:  # files of version 2 write 0
        named["timestamp"] = common
    for key, value in named.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            named[key] = {**before[key], **value}
    return {**before, **named}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Descriptions:
    """The descriptions of one connection, from which the next are restored."""

    def __init__(self) -> None:
        self._local: dict[str, Any] = {}
        self._remote: dict[str, Any] = {}
        self._created: dict[str, Any] = {}

    def restore(self, method: str, value: Any) -> Any:
        """Return the value of a call with its description whole; any other value as it is."""
        if not isinstance(value, dict) or not isinstance(value.get("sdp"), str):
            return value
        if method in ("createOfferOnSuccess", "createAnswerOnSuccess"):
            self._created = _whole(self._local, value)
            return self._created
        if method in ("setLocalDescription", "setLocalDescriptionOnSuccess"):
            base = self._local if self._local.get("type") == value.get("type") else self._created
            self._local = _whole(base, value)
            return self._local
        if method == "setRemoteDescription":
            self._remote = _whole(self._remote, value)
            return self._remote
        return value


def _whole(base: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    if not base or base.get("type") != new.get("type"):
        return new
    old, changed = _sections(base["sdp"]), _sections(new["sdp"])
    whole = [
        old[n] if section in ("v=", "m=") and n < len(old) else section
        for n, section in enumerate(changed)
    ]
    return {**new, "sdp": "\r\n".join(whole) + "\r\n"}


def _sections(sdp: str) -> list[str]:
    """Return the sections of a description, each without the line's end at its end."""
    first, *media = sdp.split("\nm=")
    return [first.strip(), *(f"m={section}".strip() for section in media)]
