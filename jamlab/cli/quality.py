"""``jamlab quality``: bitrate, frame, latency and quality of every encoding."""

import argparse
import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.table import Table

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.cli.results import add_output, err, out
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.sound_quality.encodings import encodings_table
from jamlab.measure.sound_quality.plan import CABLE, SoundQualityPlan
from jamlab.measure.sound_quality.record import SoundQualityRecord
from jamlab.measure.sound_quality.run import measure_sound_quality
from jamlab.networks.model.profile import profile_names
from jamlab.report.page.html import notebook_path, render
from jamlab.terminal import literal

NOTEBOOK = "14_sound_quality"
FOLDER = "sound-quality"

_OPTIONS = {
    "duration": "duration_s",
    "settle": "settle_s",
    "sessions": "sessions",
    "block": "block_frames",
    "seed": "seed",
}
"""Names of options, and of their parameters in the plan."""
_HELP = {
    "duration": "seconds of music that are compared, in each session",
    "settle": "seconds of music before it, in which the playout buffer adapts",
    "sessions": "sessions of each encoding, with other delays and losses in each",
    "block": "frames of a block of the virtual sound cards",
    "seed": "seed of music, delays and losses; the same seed gives the same figures",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab quality``, with the plan's defaults."""
    default = {field.name: field.default for field in fields(SoundQualityPlan)}
    networks: Any = default["networks"]
    parser.add_argument(
        "--network",
        nargs="+",
        default=networks,
        metavar="NAME",
        help=f"networks between the participants: {CABLE}, which loses nothing, or "
        f"{', '.join(profile_names())} (default: {' and '.join(networks)})",
    )
    for option, words in _HELP.items():
        value: Any = default[_OPTIONS[option]]
        parser.add_argument(
            f"--{option}",
            type=int if isinstance(value, int) else float,
            default=value,
            help=f"{words} (default: %(default)s)",
        )
    add_output(parser, "figures")
    parser.set_defaults(run=run_quality, kept=None)


def run_quality(options: argparse.Namespace) -> int:
    """Run ``jamlab quality``: measure, write the report, and return the exit status."""
    chosen = {name: getattr(options, option) for option, name in _OPTIONS.items()}
    with arguments.named_by_option(_OPTIONS | {"network": "networks"}, PlanError):
        plan = SoundQualityPlan(tuple(options.network), **chosen)
    folder, page = options.out / FOLDER, options.out / f"{FOLDER}.html"
    with screen.progress_bar(err) as progress:
        record = measure_sound_quality(plan, progress=progress)
        options.kept = record.save(folder)
        progress(1.0, "writing the report")
        quality_page(folder, page)
    return tell_quality(record, page, as_json=options.json, folder=folder)


def quality_page(folder: Path, page: Path) -> None:
    """Write the page of a record of encodings."""
    render(notebook_path(NOTEBOOK), {"record": str(folder.resolve())}, page)


def tell_quality(
    record: SoundQualityRecord, page: Path, *, as_json: bool, folder: Path | None = None
) -> int:
    """Print the encodings, and where record and page lie; return the exit status."""
    table = encodings_table(record)
    if as_json:
        rows = [{key: _finite(value) for key, value in row.items()} for row in _records(table)]
        print(json.dumps(rows, indent=2))
        return 0
    out.print(_screen_table(record))
    if folder is not None:
        out.print(f"Record: {folder}", soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return 0


def _records(table: Any) -> list[dict[Any, Any]]:
    return list(table.to_dict("records"))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _screen_table(record: SoundQualityRecord) -> Table:
    table = Table(title="Encodings, medians of the sessions; * on the frontier", box=None)
    table.add_column("network", no_wrap=True)
    table.add_column("quality", no_wrap=True)
    for heading in ("frame", "kbit/s", "one way", "concealed", "SINAD", "zimtohrli"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _records(encodings_table(record)):
        table.add_row(
            literal(row["network"]),
            row["quality"],
            f"{1000 * row['frame_frames'] / SAMPLE_RATE:g} ms",
            f"{row['wire_bps'] / 1000:.0f}",
            _figure(row["latency_ms"], 1, " ms"),
            f"{row['concealed_share']:.1%}",
            _figure(row["sinad_db"], 0, " dB"),
            _figure(row["zimtohrli"], 2) + ("*" if row["frontier"] else " "),
        )
    table.caption = "kbit/s with headers; zimtohrli compares encodings of one piece: no MOS"
    return table


def _figure(value: float, places: int, unit: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:.{places}f}{unit}"
