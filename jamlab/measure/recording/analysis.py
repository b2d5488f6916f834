"""Analysis of recordings: which voices are in which channel, and when each of their clicks came."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.provenance import provenance
from jamlab.measure.recording.heard import Heard, described, tables_of
from jamlab.measure.recording.listening.listener import BLOCK_S, Listener, Voices
from jamlab.measure.recording.log import check_log, window_log
from jamlab.measure.recording.notes import notes_on, notes_on_alignment
from jamlab.measure.recording.reader import AudioFile, RecordingError, open_recording
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.stopwatch import StopwatchPlan, stopwatch_notes
from jamlab.measure.recording.true_rate import true_rate
from jamlab.measure.recording.windows import Window, Windows, check_every

MOST_FILES = 16

Taker: TypeAlias = Callable[[Window], object]
"""Takes a window that is complete."""


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
    arrivals, clicks = tables_of(heard)
    parameters = {
        "bpm": bpm,
        "target_ms": target_ms,
        "rate": rate,
        "every_s": every_s,
        "stopwatch": stopwatch,
        "air_m": air_m,
    }
    about = [described(one) for one in heard]
    notes = [*notes_on(heard, bpm)]
    record = RecordingRecord(
        arrivals, clicks, provenance(parameters, recordings=about, notes=notes)
    )
    notes += [*notes_on_alignment(record), *stopwatch_notes(record)]
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
            raise PlanError(
                f"log is {log}, and there are no windows: add every_s (--every), e.g. 10"
            )
        check_log(Path(log))


def _check_length(file: AudioFile, every_s: float) -> None:
    if every_s > file.seconds:
        raise PlanError(
            f"every_s is {every_s:g}, and {file.path} has {file.seconds:.1f} s: choose no more"
        )


def _hear(file: AudioFile, every_s: float | None, takers: Sequence[Taker]) -> Heard:
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
    return Heard(file, frames / SAMPLE_RATE, trains, is_damaged)


def _listeners(file: AudioFile) -> list[Listener]:
    voices = Voices()
    return [Listener(voices) for _ in range(file.channels)]


def _hand_on(windows: Iterable[Window], takers: Sequence[Taker]) -> None:
    for window in windows:
        for taker in takers:
            taker(window)


def _no_click(heard: Heard) -> str:
    path, rate = heard.file.path, heard.file.rate
    unusable = sum(heard.file.faults.unusable)  # before it is read again
    if heard.file.arriving is None and (true := true_rate(heard.file)):
        return (
            f"{path} has clicks that fit {true} samples a second, and its header says {rate}: "
            f"analyse it again with --rate {true}"
        )
    if unusable:
        return (
            f"no click is heard in {path} ({heard.seconds:.1f} s), of which {unusable} samples are "
            "NaN or infinite: write it anew with the program that recorded it"
        )
    where = "it" if heard.file.channels == 1 else f"any of its {heard.file.channels} channels"
    return (
        f"no click is heard in {where}, in {path} ({heard.seconds:.1f} s): play the file that "
        "`jamlab click` writes, louder or nearer, and record at least four clicks of it"
    )
