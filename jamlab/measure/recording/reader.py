"""Reading of recordings: any format that libsndfile or FFmpeg decodes, as blocks at 48 kHz.

libsndfile is tried first; FFmpeg reads what it does not, e.g. AAC and the sound track of a video.
A recording is read once, block by block, so that memory does not grow with its length. FFmpeg is
given the open file and may open nothing else: a playlist or a stream description is no recording.
A pipe is read by FFmpeg, which needs no seeking for the usual formats, and is open from the start.
"""

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from samplerate import Resampler

from jamlab.audio.conversion.channels import Samples
from jamlab.audio.conversion.rate_converter import FILTER
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.pipe import STANDARD_INPUT, Pipe, is_pipe, opened_pipe
from jamlab.process.signals import instead_of_ctrl_c

LEAST_RATE, MOST_RATE = 8_000, 768_000
MOST_CHANNELS = 64
FULL_SCALE = 0.9999
"""Magnitude from which a sample counts as clipped, if the next one is as large."""

_READ_FRAMES = 65_536
_REMEDY = "name a recording, e.g. WAV, FLAC, MP3, Opus, AAC, or a video with a sound track"


class RecordingError(ValueError):
    """Raised for a file that cannot be analysed; states what is wrong and what to do."""


@dataclass(slots=True)
class Faults:
    """Counts of samples that are not sound, by channel; they grow while a recording is read."""

    unusable: NDArray[np.int64]
    """NaN or infinite; they are read as silence."""
    clipped: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arriving:
    """A pipe that is open."""

    pipe: Pipe
    source: Iterator[Samples]
    held: ExitStack
    """Closes it."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A recording that can be read; `blocks` does so once."""

    path: Path
    rate: int
    channels: int
    format: str
    """Of the file and of its samples, e.g. "WAV PCM_24"."""
    header_rate: int = 0
    """The rate in the file; `rate` differs from it where the user knows better."""
    faults: Faults = field(default_factory=lambda: _no_faults(0))
    frames: int = 0
    """How many the header says there are; 0 where it does not."""
    arriving: Arriving | None = None
    """What is read, if it is a pipe."""

    @property
    def seconds(self) -> float:
        """Its length by the header; infinite where that is not known."""
        return self.frames / self.rate if self.frames else math.inf

    def ended_by_ctrl_c(self) -> AbstractContextManager[None]:
        """Let Ctrl-C end a pipe inside the block, instead of interrupting the program."""
        return instead_of_ctrl_c(self.arriving.pipe.end) if self.arriving else nullcontext()

    def blocks(self, seconds: float) -> Iterator[Samples]:
        """Yield the recording at 48 kHz in blocks of that length, the last one shorter."""
        with self._source() as source:
            yield from _regular(self._converted(source), round(seconds * SAMPLE_RATE))

    @contextmanager
    def _source(self) -> Iterator[Iterator[Samples]]:
        if self.arriving is not None:
            with self.arriving.held:
                yield self.arriving.source
                self.arriving.pipe.raise_interruption()
            return
        with _decoded(self.path) as (_, source):
            yield source

    def _converted(self, source: Iterator[Samples]) -> Iterator[Samples]:
        """Yield finite samples at 48 kHz; clipped ones are counted at the file's rate."""
        if self.rate == SAMPLE_RATE:
            yield from map(self._checked, source)
            return
        resampler, ratio = Resampler(FILTER, self.channels), SAMPLE_RATE / self.rate
        for samples in source:
            converted = resampler.process(self._checked(samples), ratio)
            yield converted.reshape(-1, self.channels)
        silence = np.zeros((self.rate // 10, self.channels), np.float32)  # pushes the last ones out
        yield resampler.process(silence, ratio).reshape(-1, self.channels)

    def _checked(self, samples: Samples) -> Samples:
        if np.abs(samples).max(initial=0.0) < FULL_SCALE:  # nor is one NaN
            return np.ascontiguousarray(samples, np.float32)
        finite = np.isfinite(samples)
        if not finite.all():
            self.faults.unusable[:] += (~finite).sum(axis=0)
            samples = np.where(finite, samples, np.float32(0))
        full = np.abs(samples) >= FULL_SCALE
        self.faults.clipped[:] += (full[1:] & full[:-1]).sum(axis=0)
        return np.ascontiguousarray(samples, np.float32)


def _no_faults(channels: int) -> Faults:
    return Faults(np.zeros(channels, np.int64), np.zeros(channels, np.int64))


def open_recording(path: Path | str, rate: int | None = None) -> AudioFile:
    """Open a recording and read what its header says.

    `rate` is the true sample rate, where the header's is wrong. Raises `RecordingError` for what is
    no recording.
    """
    path = Path(path)
    if is_pipe(path):
        return _arriving(path, rate)
    with _decoded(path) as (about, _):
        return _fit(about, rate)


def _arriving(path: Path, rate: int | None) -> AudioFile:
    shown = Path("standard input") if path == STANDARD_INPUT else path
    with ExitStack() as stack:
        try:
            pipe = stack.enter_context(opened_pipe(path))
        except OSError as error:
            raise _unreadable(shown, error) from error
        try:
            about, source = stack.enter_context(_by_ffmpeg(shown, pipe, "it comes by a pipe"))
        except RecordingError as error:
            if pipe.is_empty:
                raise RecordingError(f"{shown} is empty: {_REMEDY}") from error
            raise
        finally:
            pipe.raise_interruption()
        arriving = Arriving(pipe, source, stack.pop_all())
        return replace(_fit(about, rate), frames=0, arriving=arriving)


def _fit(about: AudioFile, rate: int | None) -> AudioFile:
    """Return a file that is read at its true rate; refuse a rate or channels beyond the limits."""
    true = about.rate if rate is None else rate
    if not LEAST_RATE <= true <= MOST_RATE:
        raise RecordingError(
            f"{about.path} has {true} samples a second: clicks are found at {LEAST_RATE} to "
            f"{MOST_RATE}; record at 48000, or give the true rate"
        )
    if about.channels > MOST_CHANNELS:
        raise RecordingError(
            f"{about.path} has {about.channels} channels, more than {MOST_CHANNELS}: export the "
            "ones with clicks"
        )
    return replace(about, rate=true, header_rate=about.rate, faults=_no_faults(about.channels))


@contextmanager
def _decoded(path: Path) -> Iterator[tuple[AudioFile, Iterator[Samples]]]:
    """Yield a file and its samples, in blocks of any length."""
    _check_file(path)
    try:
        with (
            path.open("rb") as content,  # by its number, as soundfile takes UTF-8 names only
            soundfile.SoundFile(content.fileno(), closefd=False) as file,
        ):
            kind = f"{file.format} {file.subtype}"
            about = AudioFile(path, file.samplerate, file.channels, kind, frames=file.frames)
            yield about, _by_soundfile(path, file)
        return
    except soundfile.LibsndfileError as error:
        refusal = str(error.error_string).rstrip(".")
    with path.open("rb") as content, _by_ffmpeg(path, content, refusal) as decoded:
        yield decoded


@contextmanager
def _by_ffmpeg(
    path: Path, content: Any, refusal: str
) -> Iterator[tuple[AudioFile, Iterator[Samples]]]:
    with _container(path, content, refusal) as container:
        stream = _sound_of(path, container)
        name = f"{container.format.name} {stream.codec_context.name}"
        frames = round((container.duration or 0) / av.time_base * stream.rate)
        about = AudioFile(path, stream.rate, stream.channels, name, frames=frames)
        yield about, _frames(path, container, stream)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise RecordingError(f"{path} is a folder: {_REMEDY}")
        with path.open("rb") as content:
            if not content.read(1):
                raise RecordingError(f"{path} is empty: {_REMEDY}")
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{os.fspath(path)!r} is no name of a file: {_REMEDY}") from error


def _unreadable(path: Path, error: OSError) -> RecordingError:
    return RecordingError(
        f"{path} cannot be read ({error.strerror or error}): check its name and its rights"
    )


def _by_soundfile(path: Path, file: soundfile.SoundFile) -> Iterator[Samples]:
    try:
        yield from file.blocks(_READ_FRAMES, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _damaged(path, str(error.error_string).rstrip(".")) from error


@contextmanager
def _container(path: Path, content: Any, refusal: str) -> Iterator[Any]:
    try:
        opened = av.open(
            content,
            metadata_errors="ignore",
            container_options={"protocol_whitelist": "none"},
        )
    except (av.FFmpegError, ValueError) as error:
        raise RecordingError(
            f"{path} is not sound that can be read ({refusal}): {_REMEDY}"
        ) from error
    with opened:
        yield opened


def _sound_of(path: Path, container: Any) -> Any:
    if not container.streams.audio:
        raise RecordingError(f"{path} has no sound track: {_REMEDY}")
    stream = container.streams.audio[0]
    if not stream.rate or not stream.channels:
        raise RecordingError(f"{path} does not say its rate or channels: export it as WAV")
    return stream


def _frames(path: Path, container: Any, stream: Any) -> Iterator[Samples]:
    to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    try:
        for frame in container.decode(stream):
            frame.pts = None
            for converted in to_float.resample(frame):
                yield np.asarray(converted.to_ndarray().T, np.float32)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, fault: str) -> RecordingError:
    return RecordingError(f"{path} is damaged ({fault}): export it again, or cut it before that")


def _regular(source: Iterator[Samples], frames: int) -> Iterator[Samples]:
    """Yield samples in blocks of equal length, the last one shorter."""
    waiting: list[Samples] = []
    count = 0
    for samples in source:
        waiting.append(samples)
        count += len(samples)
        while count >= frames:
            joined = np.concatenate(waiting)
            yield joined[:frames]
            waiting, count = [joined[frames:].copy()], count - frames  # lets go of the block
    if count:
        yield np.concatenate(waiting)
