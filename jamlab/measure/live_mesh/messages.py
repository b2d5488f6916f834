"""What participants tell each other to measure a mesh: a request, and a report in answer.

Who measures asks every member to take part (`MeshRequest`), each then plays its own voice's clicks,
listens for the others', and answers with what it emitted and heard (`MeshReport`), or that it is
busy. All of it comes from other machines, so it is checked here, field by field: what is not as
described is one `MalformedReportError`, whatever it is.

On the wire both are JSON objects with a ``kind`` (`REQUEST`, `REPORT`, `BUSY`) and the request's
``token``. Times are seconds of the teller's clock, counted from ``began_s`` where there are many.
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
"""From the start of a performance to its first click."""
MAX_CLICKS = 200
"""Clicks of a voice; below the number after which identities return."""
MAX_CLICKING_S = 30.0
"""How long anybody can be asked to click."""
MAX_ARRIVALS = 200
"""Packets of a peer in a report."""

_DECIMALS = 7

Token: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z]{1,128}\Z")]
Since: TypeAlias = Annotated[float, Meta(ge=-300, le=300)]
"""Seconds since a performance began, by the clock of the participant who tells."""
Timestamp: TypeAlias = Annotated[int, Meta(ge=0, lt=RTP_TIMESTAMPS)]
"""An RTP timestamp."""
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 48)]
Frames: TypeAlias = Annotated[int, Meta(ge=0, le=SAMPLE_RATE)]


class MalformedReportError(ValueError):
    """A request or report that is not as described here."""


class MeshRequest(Struct, frozen=True, tag_field="kind", tag=REQUEST):
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
            raise PlanError("everybody has a voice of its own, numbered from 0")
        if not all(map(is_name, self.voices)):
            raise PlanError("field 'voices' has a name that nobody can have")

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
    """What one participant noted of another; made by `since`.

    Parameters
    ----------
    heard : tuple of float or None
        When each click was heard; None for those that were not.
    confidences : tuple of float
        Correlation coefficient of each, 0 to 1.
    arrivals : tuple
        Packets of the other's: RTP timestamp, and when it had come.
    origin : int, optional
        RTP timestamp, on our own stream to the other, of the frame our card captured at `began_s`.
    played_frames, concealed_frames : int
        What became of the other's sound while clicks were played.
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
        """Count times from a performance's start, in steps that are worth sending.

        Parameters
        ----------
        began_s : float
            When it was, by the same clock as all other times.
        clicks : iterable of (float, float)
            When each was heard, NaN when it was not, and its correlation coefficient.
        arrivals : iterable of (int, float)
            RTP timestamps of packets, and when they had come.
        **figures
            The others, as above.
        """

        def after(at_s: float) -> float:
            return round(float(at_s) - began_s, _DECIMALS)

        told = [(None if math.isnan(at_s) else after(at_s), share) for at_s, share in clicks]
        return cls(
            heard=tuple(heard for heard, _ in told),
            confidences=tuple(round(float(share), 3) for _, share in told),
            arrivals=tuple((timestamp, after(at_s)) for timestamp, at_s in arrivals),
            **figures,
        )


class MeshReport(Struct, frozen=True, tag_field="kind", tag=REPORT):
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
            raise MalformedReportError("field 'hearings' has somebody who was not asked")
        for hearing in report.hearings.values():
            if not len(hearing.heard) == len(hearing.confidences) == request.clicks:
                raise MalformedReportError(
                    f"fields 'heard' and 'confidences' do not have {request.clicks} entries each"
                )
        return report


def busy(token: str) -> dict[str, Any]:
    """Return the answer of somebody who cannot take part now."""
    return {"kind": BUSY, "token": token}


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PlanError(f"the {name} is {value:g}: choose {low:g} to {high:g}")
