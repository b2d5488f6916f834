"""Latency of each click on a path, read from the recording of what was played."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.audio.card import VirtualCard
from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import ClickReading, correlate_click, read_clicks
from jamlab.measure.latency.participants import Participant
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.latency.record import CLICK_COLUMNS
from jamlab.measure.latency.stages import STAGES, StreamTimes

_SHOWN_BEFORE = SAMPLE_RATE // 200


class Emitter(Protocol):
    """What is known of the participant whose clicks are sought: it may have been elsewhere."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def metronome(self) -> Metronome:
        """Its clicks."""

    @property
    def card(self) -> VirtualCard:
        """Its card, for the card's timeline."""


@dataclass(frozen=True)
class Path:
    """A path of clicks, from a participant's microphone to a loudspeaker."""

    measurement: str
    emitter: Emitter
    listener: Participant
    """The participant that heard the clicks: the peer, or in a round trip the emitter."""
    peer: str
    """Name of the participant at the other end."""
    start: int
    """Emitter's first frame whose clicks count."""
    stop: int
    """Emitter's first frame after that whose clicks do not count."""
    times: StreamTimes | None
    """Packet times at both ends, where they are known."""
    session: int = 0

    @property
    def clicks(self) -> range:
        """Numbers of the clicks that count."""
        return self.emitter.metronome.clicks_between(self.start, self.stop)

    @property
    def heard_from(self) -> float:
        """The listener's frame that is played when the emitter captures frame `start`."""
        return self.listener.card.frame_at(self.emitter.card.time_of(self.start))

    def recording(self, after: int, frames: int) -> NDArray[np.float32]:
        """Return the listener's left loudspeaker channel; frames count from `heard_from`."""
        return self.listener.recording.block(round(self.heard_from) + after, frames)[:, 0]

    @property
    def rounding(self) -> float:
        """Frames that rounding `heard_from` to a whole frame takes from every delay."""
        return round(self.heard_from) - self.heard_from

    def readings(self) -> list[ClickReading]:
        """Search the recording for every click; the delays do not include `rounding`."""
        frames = self.stop - self.start + int(MAX_LATENCY_S * SAMPLE_RATE) + CLICK_FRAMES
        return read_clicks(
            self.recording(0, frames),
            self.emitter.metronome,
            self.clicks,
            max_delay_s=MAX_LATENCY_S,
            origin=self.start,
        )


Readings: TypeAlias = Sequence[tuple[Path, list[ClickReading]]]
"""Paths, each with its click readings."""


def click_table(readings: Readings) -> pd.DataFrame:
    """Return a row per click and path, with the columns of `record.CLICK_COLUMNS`."""
    rows = [_row(path, reading) for path, found in readings for reading in found]
    return pd.DataFrame(rows, columns=list(CLICK_COLUMNS)).astype(CLICK_COLUMNS)


def _row(path: Path, reading: ClickReading) -> tuple[object, ...]:
    return (
        path.session,
        path.measurement,
        path.emitter.name,
        path.peer,
        reading.index,
        (reading.onset - path.start) / SAMPLE_RATE,
        (reading.delay + path.rounding) / SAMPLE_RATE * 1000,
        reading.confidence,
        *_stages_ms(path, reading),
    )


def _stages_ms(path: Path, reading: ClickReading) -> tuple[float, ...]:
    stages = path.times.at(reading.onset) if path.times and reading.heard else None
    if stages is None:
        return (np.nan,) * len(STAGES)
    return tuple(stage_s * 1000 for stage_s in astuple(stages))


def waveform_table(readings: Readings) -> pd.DataFrame:
    """Return the waveforms of one click per measurement: emitted, played and correlated.

    It is the middle one of the clicks heard on the measurement's first path, or, when none was
    heard, of all its clicks. A row per frame has ``session``, ``measurement``, ``sender``,
    ``receiver``, ``click``, ``time_ms`` (since the click was emitted), ``emitted`` and ``played``
    (amplitudes) and ``correlation`` (magnitude of the coefficient, 0 to 1, for the click beginning
    there).
    """
    shown: dict[str, pd.DataFrame] = {}
    for path, found in readings:
        if path.measurement not in shown:
            candidates = [reading for reading in found if reading.heard] or found
            shown[path.measurement] = _waveform(path, candidates[len(candidates) // 2])
    return pd.concat(shown.values(), ignore_index=True)


def _waveform(path: Path, reading: ClickReading) -> pd.DataFrame:
    index, onset = reading.index, reading.onset - path.start
    delay = int(reading.delay) if reading.heard else 0
    frames = _SHOWN_BEFORE + delay + 2 * CLICK_FRAMES
    played = path.recording(onset - _SHOWN_BEFORE, frames + CLICK_FRAMES)
    click = path.emitter.metronome.click(index)
    emitted = np.zeros(frames, dtype=np.float32)
    emitted[_SHOWN_BEFORE : _SHOWN_BEFORE + CLICK_FRAMES] = click
    return pd.DataFrame(
        {
            "session": path.session,
            "measurement": path.measurement,
            "sender": path.emitter.name,
            "receiver": path.peer,
            "click": index,
            "time_ms": (np.arange(frames) - _SHOWN_BEFORE) / SAMPLE_RATE * 1000,
            "emitted": emitted,
            "played": played[:frames],
            "correlation": correlate_click(played.astype(np.float64), click)[1][:frames],
        }
    )
