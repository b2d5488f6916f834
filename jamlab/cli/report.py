"""``jamlab report``: write the report of an earlier run anew, or of a browser's dump."""

import argparse
import json
from pathlib import Path

from jamlab.cli import kernel_latency, playout, quality, recording
from jamlab.cli import tables as screen
from jamlab.cli.results import (
    Further,
    acceptance_page,
    browser_page,
    card_for,
    connectivity_page,
    out,
    rig_page,
    tell,
    tell_systems,
)
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.sweep import UNCHANGED, load_sweep
from jamlab.measure.browser_networks.record import is_browser_networks_run
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.dump.dump import read_dump
from jamlab.measure.dump.layouts.content import DumpError
from jamlab.measure.dump.verdicts import dump_verdicts
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.playout.record import PlayoutRecord
from jamlab.measure.record import PROVENANCE, RecordError
from jamlab.measure.recording.reader import RecordingError
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.rig.record import RigRecord, load_systems
from jamlab.measure.sound_quality.record import SoundQualityRecord
from jamlab.measure.verdict import exit_status, overall
from jamlab.report.page.html import CARD_FOLDER, notebook_path, render, verification_report

_EXPECTED = (
    "name a folder that `jamlab verify`, `connectivity`, `browser`, `rig`, `quality`, `playout` or "
    "`analyse` "
    "wrote, or a dump of chrome://webrtc-internals or rtcstats"
)
DUMP_NOTEBOOK = "08_field_dump"


def report_again(options: argparse.Namespace) -> int:
    """Write the page of a record or a dump, and return the exit status."""
    options.record = found_record(options.record)
    page = options.out or _page_of(options.record)
    if options.record.is_file():
        if options.card is not None:
            raise DumpError(f"{options.record} is a dump, not a latency record: leave out --card")
        return _report_dump(options.record, page, as_json=options.json)
    if AcceptanceRecord.lies_in(options.record):
        if options.card is not None:
            raise AcceptanceError(f"{options.record} is not a latency record: leave out --card")
        accepted = AcceptanceRecord.load(options.record)
        acceptance_page(options.record, page)
        return tell(None, Further(acceptance=accepted), page, as_json=options.json)
    if ConnectivityRecord.lies_in(options.record):
        if options.card is not None:
            raise CampaignError(f"{options.record} is not a latency record: leave out --card")
        campaign = ConnectivityRecord.load(options.record)
        connectivity_page(options.record, page)
        further = Further.of(campaign, options.record)
        return tell(None, further, page, as_json=options.json)
    if BrowserRecord.lies_in(options.record):
        if options.card is not None:
            raise PlanError(f"{options.record} is not a latency record: leave out --card")
        variants = load_sweep(options.record)
        browser_page(options.record, page)
        further = Further(browsers=variants[UNCHANGED], sweep=variants)
        return tell(None, further, page, as_json=options.json)
    if RecordingRecord.lies_in(options.record):
        if options.card is not None:
            raise RecordingError(f"{options.record} is not a latency record: leave out --card")
        heard = RecordingRecord.load(options.record)
        recording.recording_page(options.record, page)
        return recording.tell_recording(heard, page, as_json=options.json)
    if SoundQualityRecord.lies_in(options.record):
        if options.card is not None:
            raise PlanError(f"{options.record} is not a latency record: leave out --card")
        encodings = SoundQualityRecord.load(options.record)
        quality.quality_page(options.record, page)
        return quality.tell_quality(encodings, page, as_json=options.json)
    if PlayoutRecord.lies_in(options.record):
        if options.card is not None:
            raise PlanError(f"{options.record} is not a latency record: leave out --card")
        compared = PlayoutRecord.load(options.record)
        playout.playout_page(options.record, page)
        return playout.tell_playout(compared, page, as_json=options.json)
    if RigRecord.lies_in(options.record):
        if options.card is not None:
            raise PlanError(f"{options.record} is not a latency record: leave out --card")
        systems = load_systems([options.record])
        rig_page([options.record], page)
        return tell_systems(systems, page, as_json=options.json)
    if kernel_latency.is_kernel_run(options.record):
        networks = kernel_latency.report(options.record, page)
        return tell(None, Further(networks=networks), page, as_json=options.json)
    if is_browser_networks_run(options.record):
        cases = kernel_latency.report_browsers(options.record, page)
        return tell(None, Further(browser_networks=cases), page, as_json=options.json)
    record = LatencyRecord.load(options.record)
    card = card_for(options.card, record.provenance["parameters"]["block_frames"])
    if card is not None:
        card.save(options.record / CARD_FOLDER)
    verification_report(options.record, page)
    return tell(record, Further.beside(options.record), page, as_json=options.json)


def _report_dump(path: Path, page: Path, *, as_json: bool) -> int:
    """Write the page of a dump, print the verdicts, and return the exit status."""
    dump = read_dump(path)
    render(notebook_path(DUMP_NOTEBOOK), {"path": str(path.resolve())}, page)
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
