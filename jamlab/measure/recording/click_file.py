"""A sound file of coded clicks, to be played by anything.

At 48 kHz the file has the metronome's own samples; at other rates these are resampled by
libsamplerate, without a delay. Below `WHOLE_BAND_RATE` a file has only the lower part of the
clicks' band. They are still found, with a lower confidence: the square root of the part's share of
the click's energy.

By default the track has two rounds of all identities, so that a player that repeats the file
without a gap goes on with the next identity.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from samplerate import Resampler

from jamlab.audio.metronome import CLICK_BAND_HZ, IDENTITIES, VOICES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.process.whole_files import written_whole

WHOLE_BAND_RATE = round(2 * CLICK_BAND_HZ[1])
"""Least sample rate of a file that has the clicks' whole band."""
LEAST_RATE, MOST_RATE = 8_000, 384_000
FORMATS = {".wav": "WAV", ".flac": "FLAC"}
"""Formats of files by their suffixes."""

_ROUNDS = 2
_LEAST_S = 0.1
_MOST_CHANNELS = 64
_BLOCK_FRAMES = SAMPLE_RATE
_CONVERTER = "sinc_best"


@dataclass(frozen=True, slots=True)
class ClickTrack:
    """Parameters of a file of clicks; raises `PlanError` when a value is out of its range.

    Examples
    --------
    >>> ClickTrack(bpm=60).seconds
    458.0
    """

    voices: tuple[int, ...] = (0,)
    """One voice for all channels, or one for each channel."""
    bpm: float = 119.0
    """The beat is no whole number of audio frames, so that clicks meet a system in every phase."""
    length_s: float | None = None
    """Length of the track; by default two rounds of all identities."""
    level_dbfs: float = -12.0
    rate: int = SAMPLE_RATE
    channels: int = 1

    def __post_init__(self) -> None:
        if not LEAST_RATE <= self.rate <= MOST_RATE:
            raise PlanError(
                f"rate is {self.rate} Hz: choose {LEAST_RATE} to {MOST_RATE}, because at less too "
                "little of the clicks' band is left"
            )
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise PlanError(f"channels is {self.channels}: choose 1 to {_MOST_CHANNELS}")
        if not all(voice in range(VOICES) for voice in self.voices):
            named = ", ".join(map(str, self.voices))
            raise PlanError(f"voices is {named}: choose 0 to {VOICES - 1}")
        if len(self.voices) not in (1, self.channels) or len({*self.voices}) < len(self.voices):
            raise PlanError(
                f"voices is {', '.join(map(str, self.voices))}: choose one for all of the "
                f"{self.channels} channels, or a different one for each of them"
            )
        try:
            self.metronomes()
        except ValueError as error:
            raise PlanError(str(error).removeprefix("Metronome ")) from error
        if self.length_s is not None and not _LEAST_S <= self.length_s < 100_000:
            raise PlanError(
                f"length_s is {self.length_s}: choose {_LEAST_S:g} to 100000 seconds, for a click "
                "has to fit in"
            )

    def metronomes(self) -> list[Metronome]:
        """Return the metronome of each voice."""
        return [Metronome(self.bpm, voice, self.level_dbfs) for voice in self.voices]

    @property
    def seconds(self) -> float:
        """Length of the track."""
        return _ROUNDS * IDENTITIES * 60 / self.bpm if self.length_s is None else self.length_s

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the track at its rate, in blocks of shape ``(frames, channels)``."""
        left = round(self.seconds * self.rate)
        source = self._at_48k()
        for block in source if self.rate == SAMPLE_RATE else self._resampled(source):
            if len(block[:left]):
                yield block[:left]
            left -= len(block)
            if left <= 0:
                return

    def _at_48k(self) -> Iterator[NDArray[np.float32]]:
        metronomes = self.metronomes()
        for start in range(0, math.ceil(self.seconds * SAMPLE_RATE) + 1, _BLOCK_FRAMES):
            voices = [each.block(start, _BLOCK_FRAMES)[:, :1] for each in metronomes]
            block = np.concatenate(voices, axis=1)
            yield np.ascontiguousarray(np.broadcast_to(block, (_BLOCK_FRAMES, self.channels)))

    def _resampled(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        resampler, ratio = Resampler(_CONVERTER, self.channels), self.rate / SAMPLE_RATE
        silence = np.zeros((_BLOCK_FRAMES, self.channels), np.float32)
        for block in blocks:
            yield resampler.process(block, ratio).reshape(-1, self.channels)
        yield resampler.process(silence, ratio, True).reshape(-1, self.channels)


def write_clicks(track: ClickTrack, path: Path) -> Path:
    """Write a track to a WAV or FLAC file with 24 bits, whole or not at all; returns its path.

    Raises `PlanError` for another suffix, or a rate or number of channels that the format lacks.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_clicks(ClickTrack(length_s=2.0), Path(folder) / "metronome.flac").name
    'metronome.flac'
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise PlanError(f"{path} is neither .wav nor .flac: name a file that ends in one of them")
    with written_whole(path.parent, path.name) as aside:
        try:
            with (
                (aside / path.name).open("wb") as content,
                soundfile.SoundFile(
                    content.fileno(),
                    "w",
                    track.rate,
                    track.channels,
                    "PCM_24",
                    format=FORMATS[suffix],
                    closefd=False,
                ) as file,
            ):
                for block in track.blocks():
                    file.write(block)
        except soundfile.LibsndfileError as error:
            raise PlanError(
                f"{path} cannot be written ({error.error_string}): choose fewer channels, another "
                "rate, or the other format"
            ) from error
    return path
