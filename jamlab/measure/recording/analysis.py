"""Analysis of recordings: which voices are in which channel, and when each of their clicks came."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from jamlab.audio.metronome import IDENTITIES
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.provenance import provenance
from jamlab.measure.recording.delays import alignments
from jamlab.measure.recording.listener import BLOCK_S, Listener, Voices
from jamlab.measure.recording.log import check_log, window_log
from jamlab.measure.recording.reader import AudioFile, RecordingError, open_recording
from jamlab.measure.recording.record import ARRIVALS, CLICKS, RecordingRecord
from jamlab.measure.recording.stopwatch import StopwatchPlan, stopwatch_notes
from jamlab.measure.recording.train import Train
from jamlab.measure.recording.true_rate import true_rate
from jamlab.measure.recording.windows import Window, Windows, check_every

MOST_FILES = 16

Taker: TypeAlias = Callable[[Window], object]
"""Takes a window that is complete."""

_SAME_TEMPO = 2e-3  # far more than clocks differ


@dataclass(frozen=True, slots=True)
class _Heard:
    """The trains in each channel of a file."""

    file: AudioFile
    seconds: float
    channels: Sequence[Sequence[Train]]
    is_damaged: bool
    """Whether a pipe ended with sound that cannot be decoded."""

    @property
    def trains(self) -> list[Train]:
        return [train for channel in self.channels for train in channel]


def analyse(
    *files: Path | str,
    bpm: float | None = None,
    target_ms: float | None = None,
    rate: int | None = None,
    every_s: float | None = None,
    log: Path | str | None = None,
    told: Taker | None = None,
    stopwatch: str | None = None,
    air_m: float | None = None,
) -> RecordingRecord:
    """Find the clicks of `jamlab click` in recordings, and when each of them came.

    Voices, tempo and numbers are found without being told. `jamlab.report.recording` has the
    tables: the delay between any two arrivals of a voice, in two channels, twice in one channel, or
    in two files, whose clocks are aligned by what both heard.

    Parameters
    ----------
    *files
        Recordings of any format, rate and number of channels; of one session if there are several.
        "-" is standard input. A pipe is analysed while it comes, and Ctrl-C ends it as its end
        does.
    bpm : float, optional
        The tempo that was played: another one is reported, and so is the skew of the clocks.
    target_ms : float, optional
        Limit of the 95th percentile of each delay, for the verdicts.
    rate : int, optional
        The true sample rate, if the files' headers are wrong.
    every_s : float, optional
        Length of a window, of one recording: its delays are told while it is read.
    log : Path or str, optional
        A file of the windows, .csv or .parquet. CSV grows with each window; Parquet is written at
        the end.
    told : callable, optional
        Called with each `Window` when it is complete.
    stopwatch : {"air", "network"}, optional
        The recording is of a stopwatch test, in which B's microphone hears A's clicks by this way;
        see `jamlab.measure.recording.stopwatch`.
    air_m : float, optional
        The way from loudspeaker to microphone that is in its delays, in metres.

    Raises
    ------
    RecordingError
        When a file is no recording, or has no clicks; states what to do.
    PlanError
        When a parameter is out of its range.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import example_take
    >>> with TemporaryDirectory() as folder:
    ...     record = analyse(example_take(Path(folder) / "take.wav"), bpm=119)
    >>> record.arrivals[["channel", "voice", "heard", "missed"]]
       channel  voice  heard  missed
    0        1      0     60       0
    1        2      0     58       2
    """
    _check(files, bpm, target_ms)
    StopwatchPlan.of(stopwatch, air_m)
    _check_windows(files, every_s, log)
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1, user_api="blas"))  # more threads wait all the time
        opened = [open_recording(path, rate) for path in files]
        if every_s is not None:
            _check_length(opened[0], every_s)
        written = None if log is None else stack.enter_context(window_log(Path(log)))
        takers = [each for each in (written and written.write, told) if each]
        heard = [_hear(file, every_s, takers) for file in opened]
    for one in heard:
        if not one.trains:
            raise RecordingError(_no_click(one))
    arrivals, clicks = _tables(heard)
    parameters = {
        "bpm": bpm,
        "target_ms": target_ms,
        "rate": rate,
        "every_s": every_s,
        "stopwatch": stopwatch,
        "air_m": air_m,
    }
    about = [_described(one) for one in heard]
    notes = [*_notes(heard, bpm)]
    record = RecordingRecord(
        arrivals, clicks, provenance(parameters, recordings=about, notes=notes)
    )
    notes += [*_notes_on_alignment(record), *stopwatch_notes(record)]
    notes += [written.fault] if written and written.fault else []
    return record


def _check(files: Sequence[Path | str], bpm: float | None, target_ms: float | None) -> None:
    if not 1 <= len(files) <= MOST_FILES:
        raise PlanError(f"files are {len(files)}: name 1 to {MOST_FILES} recordings")
    if bpm is not None and not 0 < bpm < math.inf:
        raise PlanError(f"bpm is {bpm}: choose above 0")
    if target_ms is not None and not 0 < target_ms < math.inf:
        raise PlanError(f"target_ms is {target_ms}: choose above 0 ms")


def _check_windows(
    files: Sequence[Path | str], every_s: float | None, log: Path | str | None
) -> None:
    if every_s is not None:
        check_every(every_s)
        if len(files) > 1:
            raise PlanError(
                f"every_s is {every_s:g} for {len(files)} files: name one, because the clocks of "
                "several are only aligned at their end"
            )
    if log is not None:
        if every_s is None:
            raise PlanError(f"log is {log}, and windows have no length: choose every_s, e.g. 10")
        check_log(Path(log))


def _check_length(file: AudioFile, every_s: float) -> None:
    if every_s > file.seconds:
        raise PlanError(
            f"every_s is {every_s:g}, and {file.path} has {file.seconds:.1f} s: choose no more"
        )


def _hear(file: AudioFile, every_s: float | None, takers: Sequence[Taker]) -> _Heard:
    """Read a recording, and hand on its windows as soon as they are complete."""
    listeners, frames, is_damaged = _listeners(file), 0, False
    windows = Windows([each.trains for each in listeners], every_s) if every_s else None
    try:
        with file.ended_by_ctrl_c():
            for block in file.blocks(BLOCK_S):
                frames += len(block)
                for listener, channel in zip(listeners, block.T, strict=True):
                    listener.hear(np.ascontiguousarray(channel))
                _hand_on(windows.complete(frames / SAMPLE_RATE) if windows else (), takers)
    except RecordingError:
        if not (file.arriving and frames):
            raise
        is_damaged = True
    if frames == 0:
        raise RecordingError(f"{file.path} has no samples: record at least a few clicks")
    trains = [listener.end() for listener in listeners]
    _hand_on(windows.rest(frames / SAMPLE_RATE) if windows else (), takers)
    return _Heard(file, frames / SAMPLE_RATE, trains, is_damaged)


def _listeners(file: AudioFile) -> list[Listener]:
    voices = Voices()
    return [Listener(voices) for _ in range(file.channels)]


def _hand_on(windows: Iterable[Window], takers: Sequence[Taker]) -> None:
    for window in windows:
        for taker in takers:
            taker(window)


def _no_click(heard: _Heard) -> str:
    path, rate = heard.file.path, heard.file.rate
    if heard.file.arriving is None and (true := true_rate(heard.file)):
        return (
            f"{path} has clicks that fit {true} samples a second, and its header says {rate}: "
            f"analyse it again with --rate {true}"
        )
    where = "it" if heard.file.channels == 1 else f"any of its {heard.file.channels} channels"
    return (
        f"no click is heard in {where}, in {path} ({heard.seconds:.1f} s): play the file that "
        "`jamlab click` writes, louder or nearer, and record at least four clicks of it"
    )


def _tables(heard: Sequence[_Heard]) -> tuple[pd.DataFrame, pd.DataFrame]:
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


def _ordered(heard: Sequence[_Heard]) -> Iterator[tuple[int, int, int, Train, int]]:
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


def _described(heard: _Heard) -> dict[str, object]:
    file = heard.file
    return {
        "name": _name(file.path),
        "rate": file.rate,
        "header_rate": file.header_rate,
        "channels": file.channels,
        "seconds": heard.seconds,
        "format": file.format,
        "unusable": file.faults.unusable.tolist(),
        "clipped": file.faults.clipped.tolist(),
    }


def _name(path: Path) -> str:
    """Return a file's name as text, whatever bytes it has."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def _notes(heard: Sequence[_Heard], bpm: float | None) -> Iterator[str]:
    for one in heard:
        name = _name(one.file.path)
        if one.file.rate != one.file.header_rate:
            yield (
                f"{name} was read at {one.file.rate} samples a second, as told; its header says "
                f"{one.file.header_rate}."
            )
        if one.is_damaged:
            yield f"{name} ended at {one.seconds:.1f} s, where its sound is damaged."
        yield from _notes_on_sound(name, one.file)
        if bpm is not None:
            yield from _notes_on_tempo(name, one.trains, bpm)


def _notes_on_sound(name: str, file: AudioFile) -> Iterator[str]:
    for channel, (unusable, clipped) in enumerate(
        zip(file.faults.unusable, file.faults.clipped, strict=True), 1
    ):
        if unusable:
            yield (
                f"{name}, channel {channel} has {unusable} samples that are NaN or infinite: they "
                "were taken for silence."
            )
        if clipped:
            yield (
                f"{name}, channel {channel} is clipped at {clipped} samples: lower the gain, "
                "because levels there are too low, and clicks may be missed."
            )


def _notes_on_tempo(name: str, trains: Iterable[Train], bpm: float) -> Iterator[str]:
    for voice in sorted({train.voice for train in trains}):
        longest = max(
            (train for train in trains if train.voice == voice),
            key=lambda train: len(train.readings),
        )
        found = 60 * SAMPLE_RATE / longest.beat
        off = found / bpm - 1
        if abs(off) > _SAME_TEMPO:
            yield f"{name} has voice {voice} at {found:.4g} bpm, and not at {bpm:g} bpm as told."
        elif abs(off) > 1e-6:
            yield (
                f"{name} has voice {voice} at {bpm:g} bpm; the player's clock runs "
                f"{abs(1e6 * off):.1f} ppm {'faster' if off > 0 else 'slower'} than the recorder's."
            )


def _notes_on_alignment(record: RecordingRecord) -> Iterator[str]:
    aligned = alignments(record)
    for file in sorted({int(file) for file in record.arrivals["file"]})[1:]:
        name, first = (record.files[number - 1]["name"] for number in (file, 1))
        if file not in aligned:
            yield f"{name} has no voice in common with {first}: there are no delays between them."
            continue
        each = aligned[file]
        yield (
            f"{name} is aligned with {first} by voice {each.voice}, to {each.spread_ms:.2g} ms; "
            f"its clock is {each.skew_ppm:+.1f} ppm off, which is removed. The first arrival of "
            "that voice counts as simultaneous in both: add 2.9 ms a metre for the way between."
        )
