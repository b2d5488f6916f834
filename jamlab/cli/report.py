"""``jamlab report``: write the report of an earlier run anew, or of a browser's dump."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from jamlab.cli import arguments, kernel_latency, playout, quality, recording
from jamlab.cli import tables as screen
from jamlab.cli.results import (
    Further,
    acceptance_page,
    add_card,
    browser_page,
    card_for,
    connectivity_page,
    out,
    rig_page,
    tell,
    tell_systems,
)
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.sweep import UNCHANGED, load_sweep
from jamlab.measure.browser_networks.record import is_browser_networks_run
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.dump.dump import read_dump
from jamlab.measure.dump.verdicts import dump_verdicts
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.playout.record import PlayoutRecord
from jamlab.measure.record import PROVENANCE, RecordError
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.rig.record import RigRecord, load_systems
from jamlab.measure.sound_quality.record import SoundQualityRecord
from jamlab.measure.verdict import exit_status, overall
from jamlab.report.page.html import CARD_FOLDER, notebook_path, render, verification_report

_EXPECTED = (
    "name a folder that `jamlab verify`, `connectivity`, `browser`, `rig`, `quality`, `playout` or "
    "`analyse` wrote, or a dump of chrome://webrtc-internals or rtcstats"
)
DUMP_NOTEBOOK = "08_field_dump"


class _Report(Protocol):
    """Writes the page of a record, prints its verdicts, and returns the exit status."""

    def __call__(self, record: Path, page: Path, *, as_json: bool) -> int: ...


class _Kind(NamedTuple):
    """A kind of record: whether it lies in a folder, and its report."""

    lies_in: Callable[[Path], bool]
    report: _Report


def add_arguments(report: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jamlab report``."""
    report.add_argument(
        "record",
        type=Path,
        help="a folder that `verify`, `connectivity`, `browser`, `rig`, `quality`, `playout` or "
        "`analyse` "
        "wrote, or a file: a dump of chrome://webrtc-internals or rtcstats",
    )
    report.add_argument(
        "--out",
        type=arguments.page,
        help="the page (default: next to a record; of a dump in the current folder)",
    )
    report.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    add_card(report)
    report.set_defaults(run=report_again)


def report_again(options: argparse.Namespace) -> int:
    """Write the page of a record or a dump, and return the exit status."""
    record = options.record = found_record(options.record)
    page = options.out or _page_of(record)
    report = _report_dump if record.is_file() else _report_of(record)
    if report is None:
        return _report_latency(record, page, options.card, as_json=options.json)
    if options.card is not None:
        raise PlanError(f"{record} is not a latency record: leave out --card")
    return report(record, page, as_json=options.json)


def _report_of(folder: Path) -> _Report | None:
    """Return the report of the record in a folder; None for a latency record or none."""
    return next((kind.report for kind in _KINDS if kind.lies_in(folder)), None)


def _report_latency(folder: Path, page: Path, card: Path | None, *, as_json: bool) -> int:
    record = LatencyRecord.load(folder)
    given = card_for(card, record.provenance["parameters"]["block_frames"])
    if given is not None:
        given.save(folder / CARD_FOLDER)
    verification_report(folder, page)
    return tell(record, Further.beside(folder), page, as_json=as_json)


def _report_acceptance(record: Path, page: Path, *, as_json: bool) -> int:
    accepted = AcceptanceRecord.load(record)
    acceptance_page(record, page)
    return tell(None, Further(acceptance=accepted), page, as_json=as_json)


def _report_connectivity(record: Path, page: Path, *, as_json: bool) -> int:
    campaign = ConnectivityRecord.load(record)
    connectivity_page(record, page)
    return tell(None, Further.of(campaign, record), page, as_json=as_json)


def _report_browsers(record: Path, page: Path, *, as_json: bool) -> int:
    variants = load_sweep(record)
    browser_page(record, page)
    further = Further(browsers=variants[UNCHANGED], sweep=variants)
    return tell(None, further, page, as_json=as_json)


def _report_recording(record: Path, page: Path, *, as_json: bool) -> int:
    heard = RecordingRecord.load(record)
    recording.recording_page(record, page)
    return recording.tell_recording(heard, page, as_json=as_json)


def _report_quality(record: Path, page: Path, *, as_json: bool) -> int:
    encodings = SoundQualityRecord.load(record)
    quality.quality_page(record, page)
    return quality.tell_quality(encodings, page, as_json=as_json)


def _report_playout(record: Path, page: Path, *, as_json: bool) -> int:
    compared = PlayoutRecord.load(record)
    playout.playout_page(record, page)
    return playout.tell_playout(compared, page, as_json=as_json)


def _report_rig(record: Path, page: Path, *, as_json: bool) -> int:
    systems = load_systems([record])
    rig_page([record], page)
    return tell_systems(systems, page, as_json=as_json)


def _report_networks(record: Path, page: Path, *, as_json: bool) -> int:
    networks = kernel_latency.report(record, page)
    return tell(None, Further(networks=networks), page, as_json=as_json)


def _report_browser_networks(record: Path, page: Path, *, as_json: bool) -> int:
    cases = kernel_latency.report_browsers(record, page)
    return tell(None, Further(browser_networks=cases), page, as_json=as_json)


_KINDS = (
    _Kind(AcceptanceRecord.lies_in, _report_acceptance),
    _Kind(ConnectivityRecord.lies_in, _report_connectivity),
    _Kind(BrowserRecord.lies_in, _report_browsers),
    _Kind(RecordingRecord.lies_in, _report_recording),
    _Kind(SoundQualityRecord.lies_in, _report_quality),
    _Kind(PlayoutRecord.lies_in, _report_playout),
    _Kind(RigRecord.lies_in, _report_rig),
    _Kind(kernel_latency.is_kernel_run, _report_networks),
    _Kind(is_browser_networks_run, _report_browser_networks),
)


def _report_dump(record: Path, page: Path, *, as_json: bool) -> int:
    dump = read_dump(record)
    render(notebook_path(DUMP_NOTEBOOK), {"path": str(record.resolve())}, page)
    judged = dump_verdicts(dump)
    if as_json:
        print(json.dumps([screen.as_json(verdict) for verdict in judged], indent=2))
        return exit_status(overall(judged))
    out.print(screen.sentence({"Dump": judged}))
    out.print(screen.verdict_table(judged))
    if len(dump.stage_summary):
        out.print(screen.stage_table(dump.stage_summary))
    for note in dump.notes:
        out.print(f"Note: {note}")
    out.print(f"Report: {page}", soft_wrap=True)
    return exit_status(overall(judged))


def found_record(path: Path) -> Path:
    """Return a file, a record's folder, or of another folder the only record in it."""
    try:
        return _looked_for(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}): {_EXPECTED}") from None


def _looked_for(path: Path) -> Path:
    if path.is_file() or _is_record(path):
        return path
    if not path.is_dir():
        raise RecordError(f"there is no file or folder {path}: {_EXPECTED}")
    within = sorted(each for each in path.iterdir() if each.is_dir() and _is_record(each))
    if len(within) > 1:
        raise RecordError(f"{path} holds several records: name {' or '.join(map(str, within))}")
    if not within:
        raise RecordError(f"{path} holds no record: {_EXPECTED}")
    return within[0]


def _is_record(folder: Path) -> bool:
    has_tables = any(folder.glob("*.parquet")) or (folder / PROVENANCE).is_file()
    is_run = kernel_latency.is_kernel_run(folder) or is_browser_networks_run(folder)
    return has_tables or is_run


def _page_of(record: Path) -> Path:
    """Return the default page: next to a record's folder, ``take.1.html`` for ``take.1``.

    That of a dump is in the current folder: the dump may lie among a project's data.
    """
    if record.is_file():
        return Path(f"{record.name}.html")
    folder = record.resolve()
    return folder.with_name(f"{folder.name}.html")
