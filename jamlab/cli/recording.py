"""``jamlab click`` and ``jamlab analyse``: clicks for any system, and delays in recordings."""

import argparse
import json
import math
from pathlib import Path

from rich.table import Table

from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.results import err, out
from jamlab.measure.digits import plain
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.click_file import WHOLE_BAND_RATE, ClickTrack, write_clicks
from jamlab.measure.recording.delays import delay_table
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.stopwatch import Stopwatch, Way, stopwatch
from jamlab.measure.recording.verdicts import recording_verdicts
from jamlab.measure.recording.windows import Window
from jamlab.measure.verdict import exit_status, overall
from jamlab.report.page.html import notebook_path, render
from jamlab.terminal import literal

NOTEBOOK = "11_any_system"
PAGE = "any-system.html"
"""Name of the page next to a record."""

_TRACK_OPTIONS = {"voice": "voices", "bpm": "bpm", "seconds": "length_s", "level": "level_dbfs"}
_ANALYSIS_OPTIONS = {
    "bpm": "bpm",
    "target-ms": "target_ms",
    "every": "every_s",
    "log": "log",
    "stopwatch": "stopwatch",
    "air-m": "air_m",
}
_MOST_ROWS = 12


def add_click(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab click``."""
    track = ClickTrack()
    parser.add_argument("--out", type=arguments.page, required=True, help="the file, .wav or .flac")
    parser.add_argument(
        "--voice",
        type=int,
        nargs="+",
        default=track.voices,
        help="voice, 0 to 31; several: one in each channel. Players of one recording need "
        "different ones (default: 0)",
    )
    parser.add_argument("--bpm", type=float, default=track.bpm, help="tempo (default: %(default)g)")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"length (default: {track.seconds:.0f} at the default tempo, two rounds of all "
        "clicks, so that a player may repeat the file)",
    )
    parser.add_argument(
        "--level",
        type=float,
        default=track.level_dbfs,
        help="peak of the clicks in dBFS (default: %(default)g)",
    )
    parser.add_argument(
        "--rate", type=int, default=track.rate, help="sample rate (default: %(default)s)"
    )
    parser.add_argument(
        "--channels", type=int, help="number of channels (default: as many as voices)"
    )
    parser.set_defaults(run=run_click)


def run_click(options: argparse.Namespace) -> int:
    """Write a file of clicks, and return the exit status; raises `PlanError`."""
    voices = tuple(options.voice)
    with arguments.named_by_option(_TRACK_OPTIONS, PlanError):
        track = ClickTrack(
            voices,
            options.bpm,
            options.seconds,
            options.level,
            options.rate,
            len(voices) if options.channels is None else options.channels,
        )
        write_clicks(track, options.out)
    if track.rate < WHOLE_BAND_RATE:
        err.print(
            f"At {track.rate} Hz the file lacks the upper part of the clicks' band: they are found "
            f"less far below other sound than at {WHOLE_BAND_RATE} Hz or more."
        )
    named = "voice" if len(voices) == 1 else "voices"
    out.print(
        f"{options.out}: {track.seconds:.0f} s of {named} {', '.join(map(str, voices))} at "
        f"{track.bpm:g} bpm. Play it, record what is heard, and run jamlab analyse RECORDING.",
        soft_wrap=True,
    )
    return 0


def add_analyse(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab analyse``."""
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a recording with clicks of `jamlab click`, of any format and rate; several: of one "
        "session, recorded by several devices; -: standard input, analysed while it comes",
    )
    parser.add_argument("--bpm", type=float, help="the tempo that was played, to be checked")
    parser.add_argument("--rate", type=int, help="the true sample rate, if a header is wrong")
    parser.add_argument(
        "--target-ms", type=float, help="judge the 95th percentile of every delay by this limit"
    )
    _add_windows_and_stopwatch(parser)
    parser.add_argument("--out", type=arguments.folder, help="folder for the record and its page")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run_analyse)


def _add_windows_and_stopwatch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=float,
        metavar="SECONDS",
        help="tell the delays of every so many seconds while one recording is read",
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="a file of them: .csv, which grows, or .parquet, written at the end",
    )
    parser.add_argument(
        "--stopwatch",
        choices=[*Way],
        help="the recording is of a stopwatch test at A: B's microphone hears A's clicks through "
        "air, in one room, or over the network, by B's loudspeaker",
    )
    parser.add_argument(
        "--air-m",
        type=float,
        metavar="METRES",
        help="way through air from loudspeaker to microphone that is in a stopwatch test's delays "
        "(default: from the direct sound in two channels, or 0 to 10 m)",
    )


def run_analyse(options: argparse.Namespace) -> int:
    """Analyse recordings, print what was heard, and return the exit status.

    Raises `RecordingError` for a file that cannot be analysed, `PlanError` when a parameter is out
    of its range, and `RecordError` when the record cannot be written.
    """
    with arguments.named_by_option(_ANALYSIS_OPTIONS, PlanError):
        record = analyse(
            *options.files,
            bpm=options.bpm,
            target_ms=options.target_ms,
            rate=options.rate,
            every_s=options.every,
            log=options.log,
            told=None if options.every is None else _tell_window,
            stopwatch=options.stopwatch,
            air_m=options.air_m,
        )
    page = None
    if options.out is not None:
        options.kept = record.save(options.out)
        page = options.out / PAGE
        recording_page(options.out, page)
    return tell_recording(record, page, as_json=options.json)


def _tell_window(window: Window) -> None:
    delays = window.delays
    said = f"{_clock(window.begin_s)} to {_clock(window.end_s)}: "
    if delays.empty:
        said += "no delay"
    elif not delays["heard"].any():
        said += f"nothing came back of {delays['sent'].sum()} clicks"
    else:
        said += f"median {delays['median_ms'].max():.1f} ms"
        said += " at worst" if len(delays) > 1 else ""
        said += f", {delays['dropped'].sum()} of {delays['sent'].sum()} dropped"
    err.print(said, soft_wrap=True)


def _clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds, with decimals where it has any."""
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    whole, part = f"{rest:06.3f}".split(".")
    decimals = part.rstrip("0")
    return f"{hours}:{minutes:02}:{whole}" + (f".{decimals}" if decimals else "")


def recording_page(folder: Path, page: Path) -> None:
    """Write the page of a recording's record."""
    render(notebook_path(NOTEBOOK), {"record": str(folder.resolve())}, page)


def tell_recording(record: RecordingRecord, page: Path | None, *, as_json: bool) -> int:
    """Print verdicts, arrivals, delays and notes; return the exit status, 0 without a target."""
    judged = recording_verdicts(record)
    status = exit_status(overall(judged)) if judged else 0
    if as_json:
        print(json.dumps(_as_json(record), indent=2))
        return status
    if judged:
        out.print(screen.sentence({"Recording": judged}))
        out.print(screen.verdict_table(judged))
    out.print(_arrivals(record))
    out.print(_delays(record))
    if read := stopwatch(record):
        out.print(_stopwatch(read))
    for note in record.provenance["notes"]:
        out.print(literal(f"Note: {note}"), soft_wrap=True)
    if page is not None:
        out.print(f"Report: {page}", soft_wrap=True)
    return status


def _stopwatch(read: Stopwatch) -> Table:
    table = Table(title="Stopwatch test", box=None, padding=(0, 1, 0, 0), show_header=False)
    for name, value in read.facts().items():
        table.add_row(name, value)
    return table


def _as_json(record: RecordingRecord) -> dict[str, object]:
    return {
        "files": record.files,
        "notes": record.provenance["notes"],
        "arrivals": record.arrivals.to_dict("records"),
        "delays": [
            {str(key): _finite(value) for key, value in row.items()}
            for row in delay_table(record).to_dict("records")
        ],
        "stopwatch": read.facts() if (read := stopwatch(record)) else None,
        "verdicts": [screen.as_json(verdict) for verdict in recording_verdicts(record)],
    }


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arrivals(record: RecordingRecord) -> Table:
    table = Table(title="Heard", box=None, padding=(0, 1, 0, 0))
    table.add_column("where")
    for heading in ("voice", "bpm", "clicks", "missed", "level", "confidence", "from", "to"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in record.arrivals.to_dict("records"):
        table.add_row(
            literal(record.name(int(row["arrival"]))),
            str(row["voice"]),
            f"{row['bpm']:.4g}",
            str(row["heard"]),
            str(row["missed"]),
            plain(row["level_dbfs"], "dBFS"),
            f"{row['confidence']:.2f}",
            f"{row['first_s']:.1f} s",
            f"{row['last_s']:.1f} s",
        )
    return table


def _delays(record: RecordingRecord) -> Table:
    delays = delay_table(record)
    table = Table(title="Delays, ms", box=None, padding=(0, 1, 0, 0))
    table.add_column("from, to")
    for heading in ("median", "p95", "jitter", "heard", "skew, ppm", "level, dB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in delays.head(_MOST_ROWS).to_dict("records"):
        times = (f"{row[column]:.2f}" for column in ("median_ms", "p95_ms", "jitter_ms"))
        table.add_row(
            literal(f"{row['from_name']} → {row['to_name']}"),
            *times,
            f"{row['heard_share']:.1%}",
            f"{row['skew_ppm']:.1f}",
            f"{row['level_db']:.1f}",
        )
    if delays.empty:
        table.caption = "No voice arrives twice, so there is no delay to tell."
    elif len(delays) > _MOST_ROWS:
        table.caption = f"{len(delays) - _MOST_ROWS} more are in the record's page"
    return table
