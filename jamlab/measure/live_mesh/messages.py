"""Messages of a mesh measurement: a request, and a report in answer.

The measuring participant asks all participants to take part (`MeshRequest`). Each plays the clicks
of its own voice, listens for the others', and answers with its readings (`MeshReport`), or that it
is busy. The messages come from other machines, so every field is checked here: any fault raises
`MalformedReportError`.

Both are JSON objects with a ``kind`` (`REQUEST`, `REPORT`, `BUSY`) and the request's ``token``.
Times are seconds by the sender's clock; lists of times count from ``began_s``.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from jamlab.audio.metronome import VOICES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.fields import FieldError, read
from jamlab.measure.latency.plan import PlanError
from jamlab.media.rtp import RTP_TIMESTAMPS
from jamlab.signaling.messages import is_name

REQUEST, REPORT, BUSY = "mesh request", "mesh report", "mesh busy"

LEAD_S = 1.0
"""Time from the start of a performance to its first click."""
MAX_CLICKS = 200
"""Most clicks of a voice; below the number after which the clicks' identities repeat."""
MAX_CLICKING_S = 30.0
"""Longest time that a request may ask for."""
MAX_ARRIVALS = 200
"""Most packets of a peer in a report."""

_DECIMALS = 7

Token: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z]{1,128}\Z")]
Since: TypeAlias = Annotated[float, Meta(ge=-300, le=300)]
"""Seconds since the start of a performance, by the sender's clock."""
Timestamp: TypeAlias = Annotated[int, Meta(ge=0, lt=RTP_TIMESTAMPS)]
"""An RTP timestamp."""
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 48)]
Frames: TypeAlias = Annotated[int, Meta(ge=0, le=SAMPLE_RATE)]


class MalformedReportError(ValueError):
    """A request or report does not have its form; the message names the field."""


class MeshRequest(Struct, frozen=True, tag_field="kind", tag=REQUEST):
    """A request to all participants to play clicks and to report.

    Raises `PlanError`, which names parameter and range, when one is out of range: 30 to 600 bpm; 3
    to `MAX_CLICKS` clicks, in at most `MAX_CLICKING_S`; 2 to 32 voices, by the participants' names.
    """

    token: Token
    bpm: float
    clicks: Count
    voices: Mapping[str, Count]

    def __post_init__(self) -> None:
        _check_range("bpm", self.bpm, 30.0, 600.0)
        _check_range("number of clicks", self.clicks, 3, MAX_CLICKS)
        _check_range("seconds of clicks", self.clicks * 60 / self.bpm, 0.0, MAX_CLICKING_S)
        _check_range("number of participants", len(self.voices), 2, VOICES)
        if set(self.voices.values()) != set(range(len(self.voices))):
            raise PlanError("field 'voices': number the voices from 0, one for each participant")
        if not all(map(is_name, self.voices)):
            raise PlanError("field 'voices' has a name that is not valid for a participant")

    @property
    def lasts_s(self) -> float:
        """Seconds from the start of a performance to the end of its last click."""
        return LEAD_S + (self.clicks + 1) * 60 / self.bpm

    def metronome(self, name: str) -> Metronome:
        """Return a participant's metronome; the participants' beats are spread over an interval."""
        later_s = self.voices[name] / len(self.voices) * 60 / self.bpm
        return Metronome(self.bpm, self.voices[name], first_s=LEAD_S + later_s)

    def to_data(self) -> dict[str, Any]:
        """Return the object to send."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "MeshRequest":
        """Read a request; raises `MalformedReportError`."""
        try:
            return read(data, cls)
        except FieldError as error:
            raise MalformedReportError(str(error)) from None


class Hearing(Struct, frozen=True):
    """One participant's readings of another; made by `since`.

    Parameters
    ----------
    heard : tuple of float or None
        Time at which each click was heard; None for clicks that were not.
    confidences : tuple of float
        Correlation coefficient of each click, 0 to 1.
    arrivals : tuple
        Packets of the other participant: RTP timestamp and time of arrival.
    origin : int, optional
        RTP timestamp, in our own stream to the other, of the frame our card captured at `began_s`.
    played_frames, concealed_frames : int
        Frames of the other's sound during the clicks.
    """

    heard: tuple[Since | None, ...]
    confidences: tuple[Share, ...]
    arrivals: Annotated[tuple[tuple[Timestamp, Since], ...], Meta(max_length=MAX_ARRIVALS)]
    played_frames: Count
    concealed_frames: Count
    origin: Timestamp | None = None

    @classmethod
    def since(
        cls,
        began_s: float,
        clicks: Iterable[tuple[float, float]],
        arrivals: Iterable[tuple[int, float]],
        **figures: Any,
    ) -> "Hearing":
        """Return readings whose times count from the start of a performance, rounded for sending.

        All times given are by one clock. A click is the time at which it was heard, NaN if it was
        not, and its correlation coefficient; an arrival is a packet's RTP timestamp and its time.
        """

        def after(at_s: float) -> float:
            return round(float(at_s) - began_s, _DECIMALS)

        readings = [(None if math.isnan(at_s) else after(at_s), share) for at_s, share in clicks]
        return cls(
            heard=tuple(heard for heard, _ in readings),
            confidences=tuple(round(float(share), 3) for _, share in readings),
            arrivals=tuple((timestamp, after(at_s)) for timestamp, at_s in arrivals),
            **figures,
        )


class MeshReport(Struct, frozen=True, tag_field="kind", tag=REPORT):
    """One participant's report: its clock, its card, and its readings of the others.

    Parameters
    ----------
    token : str
        Token of the request.
    began_s : float
        Time at which its card captured and played frame 0 of the performance, by its own clock.
    frame_s : float
        Duration of its card's frames by that clock.
    clock_error_s : float
        Largest difference between its clock and its machine's wall clock.
    packet_frames : int
        Length of its Opus frames: no packet is sent before its last sample is captured.
    sending_frames, playing_frames : int
        The least delay that its codec and card add to a path from it, and to a path to it.
    card_blocks, card_underruns : int
        Blocks that its card played, and blocks that came too late.
    lag_p99_ms : float
        99th percentile of its event loop's lag.
    hearings : mapping
        Its readings of each of the others, by name.
    """

    token: Token
    began_s: Annotated[float, Meta(ge=-1e11, le=1e11)]
    frame_s: Annotated[float, Meta(ge=0.99 / SAMPLE_RATE, le=1.01 / SAMPLE_RATE)]
    clock_error_s: Annotated[float, Meta(ge=0, le=1)]
    packet_frames: Frames
    sending_frames: Frames
    playing_frames: Frames
    card_blocks: Count
    card_underruns: Count
    lag_p99_ms: Annotated[float, Meta(ge=0, le=1e6)]
    hearings: Mapping[str, Hearing]

    def to_data(self) -> dict[str, Any]:
        """Return the object to send."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any], request: MeshRequest) -> "MeshReport":
        """Read a report in answer to a request; raises `MalformedReportError`."""
        try:
            report = read(data, cls)
        except FieldError as error:
            raise MalformedReportError(str(error)) from None
        if not set(report.hearings) <= set(request.voices):
            raise MalformedReportError(
                "field 'hearings' has a participant that is not in the request"
            )
        for hearing in report.hearings.values():
            if not len(hearing.heard) == len(hearing.confidences) == request.clicks:
                raise MalformedReportError(
                    f"fields 'heard' and 'confidences' do not have {request.clicks} entries each"
                )
        return report


def busy(token: str) -> dict[str, Any]:
    """Return the answer of a participant that cannot take part now."""
    return {"kind": BUSY, "token": token}


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PlanError(f"the {name} is {value:g}: choose {low:g} to {high:g}")
