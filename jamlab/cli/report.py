"""``jamlab report``: write the report of an earlier run anew."""

import argparse
from pathlib import Path

from jamlab.cli import kernel_latency
from jamlab.cli.results import (
    Further,
    acceptance_page,
    browser_page,
    card_for,
    connectivity_page,
    tell,
)
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.report.page.html import CARD_FOLDER, verification_report


def report_again(options: argparse.Namespace) -> int:
    """Write a record's page anew and return the exit status."""
    page = options.out or _beside(options.record)
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
    record = LatencyRecord.load(options.record)
    card = card_for(options.card, record.provenance["parameters"]["block_frames"])
    if card is not None:
        card.save(options.record / CARD_FOLDER)
    verification_report(options.record, page)
    return tell(record, Further.beside(options.record), page, as_json=options.json)


def _beside(record: Path) -> Path:
    """Return the default page of a record, next to its folder: ``take.1`` has ``take.1.html``."""
    folder = record.resolve()
    return folder.with_name(f"{folder.name}.html")
