"""Trains that were heard in the channels of a recording, and their tables."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jamlab.audio.metronome import IDENTITIES
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.listening.train import Train
from jamlab.measure.recording.reader import AudioFile
from jamlab.measure.recording.record import ARRIVALS, CLICKS


@dataclass(frozen=True, slots=True)
class Heard:
    """The trains in each channel of a file."""

    file: AudioFile
    seconds: float
    channels: Sequence[Sequence[Train]]
    is_damaged: bool
    """Whether a pipe ended with sound that cannot be decoded."""

    @property
    def trains(self) -> list[Train]:
        """The trains of all channels."""
        return [train for channel in self.channels for train in channel]


def tables_of(heard: Sequence[Heard]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row per arrival, and one per click and arrival."""
    arrivals: list[tuple[float, ...]] = []
    clicks: list[tuple[float, ...]] = []
    for file, channel, order, train, base in _ordered(heard):
        number = len(arrivals) + 1
        readings = train.readings
        span = readings[-1].number - readings[0].number
        beat = (readings[-1].at - readings[0].at) / span
        arrivals.append(
            (
                *(number, file, channel, train.voice, order),
                60 * SAMPLE_RATE / beat,
                len(readings),
                span + 1 - len(readings),
                float(np.median([each.level_dbfs for each in readings])),
                float(np.median([each.confidence for each in readings])),
                readings[0].at / SAMPLE_RATE,
                readings[-1].at / SAMPLE_RATE,
            )
        )
        clicks += [
            (number, each.number - base, each.at / SAMPLE_RATE, each.confidence, each.level_dbfs)
            for each in readings
        ]
    return pd.DataFrame(arrivals, columns=[*ARRIVALS]), pd.DataFrame(clicks, columns=[*CLICKS])


def _ordered(heard: Sequence[Heard]) -> Iterator[tuple[int, int, int, Train, int]]:
    """Yield file, channel, order, train, and the number at which the numbers of its voice begin."""
    for file, one in enumerate(heard, 1):
        least: dict[int, int] = {}
        for train in one.trains:
            first = train.readings[0].number // IDENTITIES * IDENTITIES
            least[train.voice] = min(first, least.get(train.voice, first))
        for channel, trains in enumerate(one.channels, 1):
            orders: dict[int, int] = {}
            for train in sorted(trains, key=lambda train: (train.voice, _phase(train))):
                orders[train.voice] = orders.get(train.voice, 0) + 1
                yield file, channel, orders[train.voice], train, least[train.voice]


def _phase(train: Train) -> float:
    """Return when a train's clicks come, compared with other trains of its voice."""
    return float(np.median([each.at - each.number * train.beat for each in train.readings]))


def described(heard: Heard) -> dict[str, object]:
    """Return name, rate, length, format and faults of a recording."""
    file = heard.file
    return {
        "name": name_of(file.path),
        "rate": file.rate,
        "header_rate": file.header_rate,
        "channels": file.channels,
        "seconds": heard.seconds,
        "format": file.format,
        "unusable": file.faults.unusable.tolist(),
        "clipped": file.faults.clipped.tolist(),
    }


def name_of(path: Path) -> str:
    """Return a file's name as text, whatever bytes it has."""
    return os.fsencode(path.name).decode("utf-8", "replace")
