"""``jamlab latency --device``: round-trip latency of this machine's sound card, by clicks."""

import argparse
import json
from pathlib import Path

import pandas as pd
from rich.table import Table

from jamlab.audio.card import MicrophoneUnavailableError
from jamlab.audio.portaudio import Device, DeviceError, better_host, pair_named
from jamlab.cli import arguments
from jamlab.cli.machine.microphone import OR_NOTHING, add_argument, microphone_access
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.sound_card.loopback import LoopbackPlan, loopback_table
from jamlab.measure.sound_card.record import CardRecord, measure_card
from jamlab.terminal import PlainConsole, literal

_STDERR = PlainConsole(stderr=True, soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab latency``."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--device",
        action="store_true",
        help="measure the sound card: its output has to reach its input, by a cable or the air",
    )
    parser.add_argument("--input", help="name of the card's input (default: the system's)")
    parser.add_argument("--output", help="name of the card's output (default: the system's)")
    add_argument(parser, OR_NOTHING)
    default = LoopbackPlan()
    parser.add_argument(
        "--block-frames",
        type=int,
        nargs="+",
        default=default.block_frames,
        help=f"block sizes to measure (default: {' '.join(map(str, default.block_frames))})",
    )
    parser.add_argument(
        "--clicks", type=int, default=default.clicks, help="clicks per size (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=arguments.folder, help="folder for a record, for `verify --card`"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab latency`` and return its exit status.

    Raises `DeviceError` when a card cannot or may not be used, or its clicks do not come back,
    `MicrophoneError` without an answer about the microphone, `PlanError` when a parameter is out of
    its range, and `RecordError` when the record cannot be written.
    """
    plan = LoopbackPlan(tuple(options.block_frames), options.clicks)
    allowed = _allowed(options)
    _announce(plan, *pair_named(allowed, options.output))
    record = measure_card(plan, allowed, options.output)
    table = loopback_table(record.loopback)
    if options.json:
        print(json.dumps(table.to_dict("records"), indent=2))
    else:
        devices = record.provenance["devices"]
        PlainConsole().print(_shown(table, [devices[way]["name"] for way in ("output", "input")]))
    if options.out is not None:
        _keep(record, options.out)
    return 0


def _announce(plan: LoopbackPlan, source: Device, output: Device) -> None:
    blocks = ", ".join(map(str, plan.block_frames))
    better = better_host(output)
    faster = f"; {better} is here too and faster" if better else ""
    _STDERR.print(
        f"Playing {plan.clicks} clicks from {output.name!r} to {source.name!r} at blocks of "
        f"{blocks} frames: the output has to reach the input now. They are devices of "
        f"{output.host}{faster}."
    )


def _keep(record: CardRecord, folder: Path) -> None:
    record.save(folder)
    block_frames = LatencyPlan().block_frames
    at = "" if block_frames in record.block_sizes else f" --block-frames {record.block_sizes[0]}"
    use = f"jamlab verify --card {folder}{at}"
    _STDERR.print(f"The record is in {folder}: {use} adds the card to a mesh's latency.")


def _allowed(options: argparse.Namespace) -> str | int | None:
    """Return the requested input; raise `DeviceError` when no input may be used."""
    access = microphone_access(options.microphone, options.input, OR_NOTHING)
    try:
        access.check()
    except MicrophoneUnavailableError as error:
        raise DeviceError(f"the measurement needs an input. {error}") from error
    return options.input if access.input_device is None else access.input_device


def _shown(table: pd.DataFrame, names: list[str]) -> Table:
    channels = " and ".join(f"{channel:g}" for channel in sorted({*table["channel"]}))
    title = f"Clicks from {names[0]!r} to {names[1]!r}, heard in channel {channels}"
    shown = Table(title=literal(title), box=None)
    for heading in ("block", "round trip", "", "spread", "heard", "confidence"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in table.to_dict("records"):
        shown.add_row(
            f"{row['block_frames']:g} frames",
            f"{row['round_trip_ms']:.2f} ms",
            f"{row['round_trip_frames']:.1f} frames",
            f"{row['spread_frames']:.2f} frames",
            f"{row['heard_share']:.0%}",
            f"{row['confidence']:.2f}",
        )
    return shown
