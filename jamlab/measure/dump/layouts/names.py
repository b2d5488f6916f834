"""Names of events and states: one for all spellings of browsers, past and present.

Chromium's log has called the same event ``iceConnectionStateChange`` and
``iceconnectionstatechange``, its value ``ICEConnectionStateConnected``, ``connected`` and
``"connected"``; rtcstats calls it ``oniceconnectionstatechange``.
"""

import re

STATES = {
    "signalingstatechange": "signaling state",
    "icegatheringstatechange": "gathering state",
    "iceconnectionstatechange": "ICE state",
    "connectionstatechange": "connection state",
}
"""Events that change a state, and the names of these states."""

_EVENTS = frozenset(
    (
        *STATES,
        "icecandidate",
        "icecandidateerror",
        "track",
        "negotiationneeded",
        "datachannel",
    )
)
_OLD = {"renegotiationneeded": "negotiationneeded"}
_PREFIX = re.compile(r"(?i)^(?:ice)?(?:connection|gathering|signaling)state(?=[a-z])")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def event_kind(name: str) -> str:
    """Return the W3C name of an event; any other name as it is."""
    plain = name.lower().removeprefix("on")
    plain = _OLD.get(plain, plain)
    return plain if plain in _EVENTS else name


def state(value: str) -> str:
    """Return the W3C name of a state, e.g. "connected" for ``ICEConnectionStateConnected``."""
    plain = _PREFIX.sub("", value.strip().strip('"'))
    return _HUMP.sub("-", plain).lower()
