"""What participants tell each other to measure a mesh: a request, and a report in answer.

Who measures asks every member to take part (`MeshRequest`), each then plays its own voice's clicks,
listens for the others', and answers with what it emitted and heard (`MeshReport`), or that it is
busy. All of it comes from other machines, so it is checked here, field by field: what is not as
described is one `MalformedReportError`, whatever it is.

On the wire both are JSON objects with a ``kind`` (`REQUEST`, `REPORT`, `BUSY`) and the request's
``token``. Times are seconds of the teller's clock, counted from ``began_s`` where there are many.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from jamlab.audio.metronome import VOICES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.signaling.messages import is_name

T = TypeVar("T")

REQUEST, REPORT, BUSY = "mesh request", "mesh report", "mesh busy"

LEAD_S = 1.0
"""From the start of a performance to its first click."""
MAX_CLICKS = 200
"""Clicks of a voice; below the number after which identities return."""
MAX_CLICKING_S = 30.0
"""How long anybody can be asked to click."""
MAX_ARRIVALS = 200
"""Packets of a peer in a report."""

_AWAY_S = 300.0  # no time in a report is further from its beginning
_DECIMALS = 7
_TIMESTAMPS = 1 << 32


class MalformedReportError(ValueError):
    """A request or report that is not as described here."""


@dataclass(frozen=True)
class MeshRequest:
    """What everybody is asked to do.

    Parameters
    ----------
    token : str
        Which measurement it is.
    bpm : float
        Tempo of the clicks, 30 to 600.
    clicks : int
        How many of them, 3 to `MAX_CLICKS`, in at most `MAX_CLICKING_S`.
    voices : mapping
        Everybody's voice, by name: 2 to 32 participants.

    Raises
    ------
    PlanError
        Names the parameter and its range.
    """

    token: str
    bpm: float
    clicks: int
    voices: Mapping[str, int]

    def __post_init__(self) -> None:
        _check_range("bpm", self.bpm, 30.0, 600.0)
        _check_range("number of clicks", self.clicks, 3, MAX_CLICKS)
        _check_range("seconds of clicks", self.clicks * 60 / self.bpm, 0.0, MAX_CLICKING_S)
        _check_range("number of participants", len(self.voices), 2, VOICES)
        if set(self.voices.values()) != set(range(len(self.voices))):
            raise PlanError("everybody has a voice of its own, numbered from 0")

    @property
    def lasts_s(self) -> float:
        """Seconds from a performance's start until its last click has sounded."""
        return LEAD_S + (self.clicks + 1) * 60 / self.bpm

    def metronome(self, name: str) -> Metronome:
        """Return a participant's metronome; beats are spread so that not all sound at once."""
        later_s = self.voices[name] / len(self.voices) * 60 / self.bpm
        return Metronome(self.bpm, self.voices[name], first_s=LEAD_S + later_s)

    def to_data(self) -> dict[str, Any]:
        """Return the object to send."""
        return {"kind": REQUEST, **{f.name: getattr(self, f.name) for f in fields(self)}}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "MeshRequest":
        """Read a request; raises `MalformedReportError`."""
        voices = _mapping(data, "voices")
        if not all(is_name(name) for name in voices):
            raise MalformedReportError("field 'voices' has a name that nobody can have")
        try:
            return cls(
                token=_token(data),
                bpm=_number(data, "bpm", 0.0, 1e6),
                clicks=_count(data, "clicks", 1_000_000),
                voices={name: _count(voices, name, VOICES - 1) for name in voices},
            )
        except PlanError as error:
            raise MalformedReportError(str(error)) from None


@dataclass(frozen=True)
class Hearing:
    """What one participant noted of another.

    Parameters
    ----------
    heard_s : tuple of float
        When each click was heard, by the hearer's clock; NaN for those that were not.
    confidences : tuple of float
        Correlation coefficient of each, 0 to 1.
    arrivals : tuple
        Packets of the other's: RTP timestamp, and when it had come, by the hearer's clock.
    origin : int, optional
        RTP timestamp, on our own stream to the other, of the frame our card captured at `began_s`.
    played_frames, concealed_frames : int
        What became of the other's sound while clicks were played.
    """

    heard_s: tuple[float, ...]
    confidences: tuple[float, ...]
    arrivals: tuple[tuple[int, float], ...]
    origin: int | None
    played_frames: int
    concealed_frames: int

    def to_data(self, began_s: float) -> dict[str, Any]:
        """Return it as JSON's types; times count from `began_s`."""
        return {
            "heard": [
                None if math.isnan(at_s) else round(at_s - began_s, _DECIMALS)
                for at_s in self.heard_s
            ],
            "confidences": [round(confidence, 3) for confidence in self.confidences],
            "arrivals": [[when, round(at_s - began_s, _DECIMALS)] for when, at_s in self.arrivals],
            "origin": self.origin,
            "played_frames": self.played_frames,
            "concealed_frames": self.concealed_frames,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], clicks: int, began_s: float) -> "Hearing":
        """Read it back; raises `MalformedReportError`."""

        def heard(value: object) -> float:
            return math.nan if value is None else began_s + _checked(value, "heard", *_NEAR)

        def arrival(value: object) -> tuple[int, float]:
            if not isinstance(value, list) or len(value) != 2:
                raise MalformedReportError("field 'arrivals' has an entry that is not a pair")
            timestamp = _whole(value[0], "arrivals", _TIMESTAMPS - 1)
            return timestamp, began_s + _checked(value[1], "arrivals", *_NEAR)

        origin = data.get("origin")
        return cls(
            _tuple(data, "heard", clicks, clicks, heard),
            _tuple(data, "confidences", clicks, clicks, lambda x: _checked(x, "confidences", 0, 1)),
            _tuple(data, "arrivals", 0, MAX_ARRIVALS, arrival),
            None if origin is None else _whole(origin, "origin", _TIMESTAMPS - 1),
            _count(data, "played_frames"),
            _count(data, "concealed_frames"),
        )


@dataclass(frozen=True)
class MeshReport:
    """What one participant emitted and heard.

    Parameters
    ----------
    token : str
        Which request it answers.
    began_s : float
        When its card's frame 0 of the performance was captured and played, by its own clock.
    frame_s : float
        How long its card's frames last by that clock, in seconds.
    clock_error_s : float
        How far its clock can be from its machine's wall clock.
    packet_frames : int
        Length of its Opus frames: no packet is sent before its last sample is captured.
    sending_frames, playing_frames : int
        The least its codec and card add to a path that begins, and to one that ends, with it.
    card_blocks, card_underruns : int
        Blocks its card played, and those that came too late.
    lag_p99_ms : float
        Its event loop's lag, 99th percentile.
    hearings : mapping
        What it noted of each of the others, by name.
    """

    token: str
    began_s: float
    frame_s: float
    clock_error_s: float
    packet_frames: int
    sending_frames: int
    playing_frames: int
    card_blocks: int
    card_underruns: int
    lag_p99_ms: float
    hearings: Mapping[str, Hearing]

    def to_data(self) -> dict[str, Any]:
        """Return the object to send."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "hearings"}
        hearings = {name: each.to_data(self.began_s) for name, each in self.hearings.items()}
        return {"kind": REPORT, **told, "hearings": hearings}

    @classmethod
    def from_data(cls, data: Mapping[str, Any], request: MeshRequest) -> "MeshReport":
        """Read a report in answer to a request; raises `MalformedReportError`."""
        began_s = _number(data, "began_s", -1e11, 1e11)
        hearings = _mapping(data, "hearings")
        if not set(hearings) <= set(request.voices):
            raise MalformedReportError("field 'hearings' has somebody who was not asked")
        return cls(
            token=_token(data),
            began_s=began_s,
            frame_s=_number(data, "frame_s", 0.99 / SAMPLE_RATE, 1.01 / SAMPLE_RATE),
            clock_error_s=_number(data, "clock_error_s", 0.0, 1.0),
            packet_frames=_count(data, "packet_frames", SAMPLE_RATE),
            sending_frames=_count(data, "sending_frames", SAMPLE_RATE),
            playing_frames=_count(data, "playing_frames", SAMPLE_RATE),
            card_blocks=_count(data, "card_blocks"),
            card_underruns=_count(data, "card_underruns"),
            lag_p99_ms=_number(data, "lag_p99_ms", 0.0, 1e6),
            hearings={
                name: Hearing.from_data(_mapping(hearings, name), request.clicks, began_s)
                for name in hearings
            },
        )


def busy(token: str) -> dict[str, Any]:
    """Return the answer of somebody who cannot take part now."""
    return {"kind": BUSY, "token": token}


# Fields

_NEAR = -_AWAY_S, _AWAY_S


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PlanError(f"the {name} is {value:g}: choose {low:g} to {high:g}")


def _token(data: Mapping[str, Any]) -> str:
    token = data.get("token")
    if not isinstance(token, str) or not is_name(token):
        raise MalformedReportError("field 'token' is not a short string")
    return token


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise MalformedReportError(f"field {name!r} is not an object")
    return value


def _checked(value: object, name: str, low: float, high: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # type: ignore[operator]
        raise MalformedReportError(f"field {name!r} is not a number from {low:g} to {high:g}")
    return float(value)  # type: ignore[arg-type]


def _whole(value: object, name: str, high: int) -> int:
    if not isinstance(value, int) or _checked(value, name, 0, high) != value:
        raise MalformedReportError(f"field {name!r} is not a whole number")
    return value


def _number(data: Mapping[str, Any], name: str, low: float, high: float) -> float:
    return _checked(data.get(name), name, low, high)


def _count(data: Mapping[str, Any], name: str, high: int = 1 << 48) -> int:
    return _whole(data.get(name), name, high)


def _tuple(
    data: Mapping[str, Any], name: str, least: int, most: int, read: Callable[[object], T]
) -> tuple[T, ...]:
    values = data.get(name)
    if not isinstance(values, list) or not least <= len(values) <= most:
        raise MalformedReportError(f"field {name!r} is not a list of {least} to {most} entries")
    return tuple(read(value) for value in values)
