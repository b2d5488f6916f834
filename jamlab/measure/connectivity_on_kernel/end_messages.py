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
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from aioice import Candidate
from aiortc import RTCSessionDescription

from jamlab.measure.connectivity.ends import CHECKS, DTLS, GATHERING

MOST_BYTES = 1 << 18
"""Length of a line that nobody exceeds: a description has some thousand bytes."""

_KINDS = "ice", "connection"
_STAGES = GATHERING, CHECKS, DTLS


class Ready:
    """The end is there."""


@dataclass(frozen=True)
class State:
    """An end came into a state."""

    time_s: float
    kind: str
    state: str


@dataclass(frozen=True)
class Done:
    """A step was taken."""

    number: int
    result: Any


@dataclass(frozen=True)
class Over:
    """A step ended the attempt."""

    number: int
    stage: str


@dataclass(frozen=True)
class Broken:
    """The process cannot go on."""

    reason: str


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
    match _json(said):
        case ["ready"]:
            return Ready()
        case ["state", float(time_s), str(kind), str(state)]:
            if kind in _KINDS and math.isfinite(time_s):
                return State(time_s, kind, state)
        case ["done", int(number), result]:
            return Done(number, result)
        case ["over", int(number), str(stage)]:
            if stage in _STAGES:
                return Over(number, stage)
        case ["broken", str(reason)]:
            return Broken(reason)
    raise ValueError(f"it said {said[:80]!r}")


def _json(said: bytes) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        raise ValueError(f"it said {said[:80]!r}") from None


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
    match description:
        case {"type": str(kind), "sdp": str(sdp)}:
            return RTCSessionDescription(type=kind, sdp=sdp)
        case [list(candidates), str(username), str(password)]:
            return [candidate(sdp) for sdp in candidates], username, password
    raise ValueError("it described its end by what is no description")


def candidate(sdp: Any) -> Candidate:
    """Return a candidate.

    Raises
    ------
    ValueError
        When the text is none.
    """
    if not isinstance(sdp, str):
        raise ValueError(f"it named {sdp!r} as a candidate")
    return Candidate.from_sdp(sdp)
