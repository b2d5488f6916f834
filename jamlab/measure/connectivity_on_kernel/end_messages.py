"""Messages between the process of an ICE agent (an end) and its parent: lines of JSON.

The parent sends requests, ``[number, step, argument]``. The process answers in any order, but sends
each state before the results that follow from it::

    ["ready"]                      the agent exists
    ["state", time_s, kind, state] time by CLOCK_MONOTONIC, which all processes of a machine share
    ["candidate", init]            a candidate for the peer: RTCIceCandidateInit, null at their end
    ["done", number, result]
    ["over", number, stage]        the attempt has failed: `AttemptError`
    ["broken", reason]             the process cannot continue

The parent checks every message, for a process forwards data from the network.
"""

import json
from typing import Any, Literal, TypeAlias

import msgspec
from aioice import Candidate
from aiortc import RTCSessionDescription
from msgspec import Struct

from jamlab.fields import read

MOST_BYTES = 1 << 18
"""Longest line; a description has some thousand bytes."""


class _Line(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A message: a list whose first element is its kind."""


class Ready(_Line, frozen=True, tag="ready"):
    """The agent exists."""


class State(_Line, frozen=True, tag="state"):
    """The agent has entered a state."""

    time_s: float
    kind: Literal["ice", "connection"]
    state: str


class Found(_Line, frozen=True, tag="candidate"):
    """The agent has found a candidate, or there will be no more."""

    candidate: dict[str, Any] | None


class Done(_Line, frozen=True, tag="done"):
    """A step is complete."""

    number: int
    result: Any


class Over(_Line, frozen=True, tag="over"):
    """A step has failed, and with it the attempt."""

    number: int
    stage: Literal["gathering", "checks", "DTLS"]


class Broken(_Line, frozen=True, tag="broken"):
    """The process cannot continue."""

    reason: str


_Description: TypeAlias = RTCSessionDescription | tuple[list[str], str, str]
Message: TypeAlias = Ready | State | Found | Done | Over | Broken


def line(*words: Any) -> bytes:
    """Return a message as a line of JSON."""
    return json.dumps(words).encode() + b"\n"


def message(received: bytes) -> Message:
    """Return the message in a line from a process; raises ValueError for other lines."""
    try:
        decoded: Message = msgspec.json.decode(received, type=Message)
    except (ValueError, RecursionError):
        raise ValueError(f"it sent {received[:80]!r}") from None
    return decoded


def packed(description: Any) -> Any:
    """Return an offer or an answer, of either level, as JSON types."""
    if isinstance(description, RTCSessionDescription):
        return {"type": description.type, "sdp": description.sdp}
    candidates, username, password = description
    return [[candidate.to_sdp() for candidate in candidates], username, password]


def unpacked(description: Any) -> Any:
    """Return the description in JSON types from `packed`; raises ValueError for other data."""
    described: _Description = read(description, _Description)  # type: ignore[arg-type]
    if isinstance(described, RTCSessionDescription):
        return described
    candidates, username, password = described
    return [Candidate.from_sdp(sdp) for sdp in candidates], username, password


def pair(result: Any) -> tuple[Candidate, Candidate]:
    """Return the candidate pair of a result, local and remote; raises ValueError for other data."""
    local, remote = read(result, tuple[str, str])
    return Candidate.from_sdp(local), Candidate.from_sdp(remote)
