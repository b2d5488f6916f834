"""``jamlab report``: write the report of an earlier run anew, or of a browser's dump."""

import argparse
import json
from pathlib import Path

from rich.text import Text

from jamlab.cli import kernel_latency
from jamlab.cli import tables as screen
from jamlab.cli.results import (
    Further,
    acceptance_page,
    browser_page,
    card_for,
    connectivity_page,
    out,
    tell,
)
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser_networks.record import is_browser_networks_run
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.dump.dump import read_dump
from jamlab.measure.dump.layouts.content import DumpError
from jamlab.measure.dump.verdicts import dump_verdicts
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.verdict import exit_status, overall
from jamlab.report.page.html import CARD_FOLDER, notebook_path, render, verification_report

DUMP_NOTEBOOK = "08_field_dump"


def report_again(options: argparse.Namespace) -> int:
    """Write the page of a record or a dump, and return the exit status."""
    page = options.out or _beside(options.record)
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
        browsers = BrowserRecord.load(options.record)
        browser_page(options.record, page)
        return tell(None, Further(browsers=browsers), page, as_json=options.json)
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
    out.print(screen.sentence({"Dump": judged}), highlight=False)
    out.print(screen.verdict_table(judged))
    if len(dump.stage_summary):
        out.print(screen.stage_table(dump.stage_summary))
    for note in dump.notes:
        out.print(Text(f"Note: {note}"))
    out.print(f"Report: {page}", soft_wrap=True, highlight=False, markup=False, emoji=False)
    return exit_status(overall(judged))


def _beside(record: Path) -> Path:
    """Return the default page of a record, next to its folder: ``take.1`` has ``take.1.html``."""
    folder = record.resolve()
    return folder.with_name(f"{folder.name}.html")
