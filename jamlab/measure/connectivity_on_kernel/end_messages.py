"""What the process of an end and its parent say to each other: lines of JSON.

The parent asks, ``[number, step, argument]``; the process tells, in any order but each state before
what came of it::

    ["ready"]                      the end is there
    ["state", time_s, kind, state] by CLOCK_MONOTONIC, which all processes of a machine share
    ["done", number, result]
    ["over", number, stage]        the attempt is: `AttemptError`
    ["broken", reason]             the process cannot go on

Nothing that a process says is trusted to be well formed, for it repeats what it was told from the
network.
"""

import json
from typing import Any, Literal, TypeAlias

import msgspec
from aioice import Candidate
from aiortc import RTCSessionDescription
from msgspec import Struct

from jamlab.fields import read

MOST_BYTES = 1 << 18
"""Length of a line that nobody exceeds: a description has some thousand bytes."""


class _Line(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A list that begins with its kind."""


class Ready(_Line, frozen=True, tag="ready"):
    """The end is there."""


class State(_Line, frozen=True, tag="state"):
    """An end came into a state."""

    time_s: float
    kind: Literal["ice", "connection"]
    state: str


class Done(_Line, frozen=True, tag="done"):
    """A step was taken."""

    number: int
    result: Any


class Over(_Line, frozen=True, tag="over"):
    """A step ended the attempt."""

    number: int
    stage: Literal["gathering", "checks", "DTLS"]


class Broken(_Line, frozen=True, tag="broken"):
    """The process cannot go on."""

    reason: str


_Description: TypeAlias = RTCSessionDescription | tuple[list[str], str, str]
Message: TypeAlias = Ready | State | Done | Over | Broken


def line(*words: Any) -> bytes:
    """Return what is said as a line."""
    return json.dumps(words).encode() + b"\n"


def message(said: bytes) -> Message:
    """Return what a process said.

    Raises
    ------
    ValueError
        When it makes no sense.
    """
    try:
        told: Message = msgspec.json.decode(said, type=Message)
    except (ValueError, RecursionError):
        raise ValueError(f"it said {said[:80]!r}") from None
    return told


def packed(description: Any) -> Any:
    """Return an offer or an answer, at either level, as JSON can hold it."""
    if isinstance(description, RTCSessionDescription):
        return {"type": description.type, "sdp": description.sdp}
    candidates, username, password = description
    return [[candidate.to_sdp() for candidate in candidates], username, password]


def unpacked(description: Any) -> Any:
    """Return the offer or the answer that `packed` made JSON of.

    Raises
    ------
    ValueError
        When it is none.
    """
    described: _Description = read(description, _Description)  # type: ignore[arg-type]
    if isinstance(described, RTCSessionDescription):
        return described
    candidates, username, password = described
    return [Candidate.from_sdp(sdp) for sdp in candidates], username, password


def pair(result: Any) -> tuple[Candidate, Candidate]:
    """Return the local and the remote candidate of a pair.

    Raises
    ------
    ValueError
        When it is none.
    """
    local, remote = read(result, tuple[str, str])
    return Candidate.from_sdp(local), Candidate.from_sdp(remote)
