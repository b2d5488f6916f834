"""Results of a command: verdicts on the terminal, a page, and an exit status."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jamlab.cli import arguments
from jamlab.cli import tables as screen
from jamlab.measure.acceptance.browser_tests import BROWSER_TESTS
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.measure.across_networks.simulated import across_verdicts, load_across
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.verdicts import verdicts as browser_verdicts
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.browser_networks.verdicts import browser_networks_verdicts
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.connectivity.verdicts import connectivity_verdicts
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BrowserAgreementRecord,
    browser_agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.run import agreement_of, browser_agreement_of
from jamlab.measure.ensemble.words import ensemble_advice
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import verdicts
from jamlab.measure.rig.record import RigRecord
from jamlab.measure.rig.verdicts import rig_verdicts
from jamlab.measure.session_connectivity.plan import sessions_of
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.session_connectivity.verdicts import session_verdicts
from jamlab.measure.sound_card.mouth_to_ear import check_block, mouth_to_ear_ms
from jamlab.measure.sound_card.record import CardRecord
from jamlab.measure.verdict import Verdict, exit_status, overall
from jamlab.report.page.html import (
    ACCEPTANCE_FOLDER,
    BROWSER_FOLDER,
    CARD_FOLDER,
    CONNECTIVITY_FOLDER,
    NETWORKS_FOLDER,
    PARTS,
    notebook_path,
    render,
)
from jamlab.terminal import PlainConsole, literal

PART_FOLDERS = ACCEPTANCE_FOLDER, NETWORKS_FOLDER, CONNECTIVITY_FOLDER


out = PlainConsole()


err = PlainConsole(stderr=True)


def add_card(parser: argparse.ArgumentParser) -> None:
    """Add the option for a sound card's record."""
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FOLDER",
        help="a sound card's record (latency --device --out), for the latency from mouth to ear",
    )


def add_output(parser: argparse.ArgumentParser, printed: str = "verdicts") -> None:
    """Add the options for the output of the page, and of what is printed."""
    parser.add_argument(
        "--out",
        type=arguments.folder,
        default="reports",
        help="folder for the report (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help=f"print the {printed} as JSON")


def card_for(path: Path | None, block_frames: int) -> CardRecord | None:
    """Return the card's record after a check of its block size; None without a path."""
    if path is None:
        return None
    card = CardRecord.load(path)
    check_block(card, block_frames)
    return card


def acceptance_page(folder: Path, page: Path) -> None:
    """Write the page of an acceptance record, be it of jamlab's participants or of browsers."""
    by_browsers = set(AcceptanceRecord.load(folder).tests) <= {*BROWSER_TESTS}
    notebook = "10_acceptance_tests_by_browsers" if by_browsers else "06_acceptance_tests"
    render(notebook_path(notebook), {"record": str(folder.resolve())}, page)


def browser_page(folder: Path, page: Path) -> None:
    """Write the page of a browser record."""
    render(notebook_path("07_browser_latency"), {"record": str(folder.resolve())}, page)


def connectivity_page(folder: Path, page: Path) -> None:
    """Write the page of a connectivity record."""
    render(notebook_path("02_p2p_success_rate"), {"record": str(folder.resolve())}, page)


def rig_page(folders: Sequence[Path], page: Path) -> None:
    """Write the page of the rig's records, side by side where there are several."""
    records = [str(folder.resolve()) for folder in folders]
    render(notebook_path("12_programs"), {"records": records}, page)


def tell_systems(
    systems: Sequence[RigRecord], page: Path, *, as_json: bool, record: Path | None = None
) -> int:
    """Print the verdicts of the rig's records, and where they lie; return the exit status."""
    parts = {each.system: rig_verdicts(each) for each in systems}
    judged = [verdict for part in parts.values() for verdict in part]
    if as_json:
        print(json.dumps([screen.as_json(verdict) for verdict in judged], indent=2))
        return exit_status(overall(judged))
    out.print(screen.sentence(parts))
    out.print(screen.verdict_table(judged))
    if (meanings := screen.musicians_table(judged)) is not None:
        out.print(meanings)
    if len(systems) > 1:
        out.print(screen.systems_table(systems))
    for each in systems:
        out.print(screen.rig_table(each))
    if record is not None:
        out.print(f"Record: {record}", soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return exit_status(overall(judged))


@dataclass
class Further:
    """The results of a verification besides the latency."""

    acceptance: AcceptanceRecord | None = None
    networks: dict[str, LatencyRecord] = field(default_factory=dict)
    campaign: ConnectivityRecord | None = None
    agreement: AgreementRecord | None = None
    browser_agreement: BrowserAgreementRecord | None = None
    card: CardRecord | None = None
    browsers: BrowserRecord | None = None
    sweep: Mapping[str, BrowserRecord] = field(default_factory=dict)
    browser_networks: dict[str, BrowserNetworkRecord] = field(default_factory=dict)
    sessions: SessionRecord | None = None

    @classmethod
    def of(cls, campaign: ConnectivityRecord, folder: Path) -> "Further":
        """Return a connectivity record with its agreement and sessions, as far as there are."""
        return cls(
            campaign=campaign,
            agreement=agreement_of(campaign, folder),
            browser_agreement=browser_agreement_of(folder),
            sessions=sessions_of(folder),
        )

    @classmethod
    def beside(cls, folder: Path) -> "Further":
        """Read the records in a latency record's folder."""
        acceptance, networks, campaign = (folder / name for name in PART_FOLDERS)
        card, browsers = folder / CARD_FOLDER, folder / BROWSER_FOLDER
        return cls(
            AcceptanceRecord.load(acceptance) if acceptance.is_dir() else None,
            load_across(networks) if networks.is_dir() else {},
            ConnectivityRecord.load(campaign) if campaign.is_dir() else None,
            card=CardRecord.load(card) if card.is_dir() else None,
            browsers=BrowserRecord.load(browsers) if browsers.is_dir() else None,
            sessions=sessions_of(campaign),
        )

    @property
    def connections(self) -> list[Verdict]:
        """The verdicts on connections: of sessions where there are any, else of ICE agents."""
        if self.sessions:
            judged = session_verdicts(self.sessions)
        else:
            judged = connectivity_verdicts(self.campaign) if self.campaign else []
        judged += [agreement_verdict(self.agreement)] if self.agreement else []
        if self.browser_agreement:
            judged.append(browser_agreement_verdict(self.browser_agreement))
        return judged


def tell(
    latency: LatencyRecord | None,
    further: Further,
    page: Path,
    *,
    as_json: bool,
    record: Path | None = None,
) -> int:
    """Print the verdicts, and where page and record lie; return the exit status."""
    parts = _judged_parts(latency, further)
    judged = [verdict for part in parts.values() for verdict in part]
    if as_json:
        print(json.dumps([screen.as_json(verdict) for verdict in judged], indent=2))
        return exit_status(overall(judged))
    wanted = {part.title: parts[part.anchor] for part in PARTS if latency or parts[part.anchor]}
    out.print(screen.sentence(wanted))
    out.print(screen.verdict_table(judged))
    heard = mouth_to_ear_ms(latency, further.card) if latency else None
    if (meanings := screen.musicians_table(judged, heard)) is not None:
        out.print(meanings)
    _print_tables(latency, further)
    if record is not None:
        out.print(f"Record: {record}", soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return exit_status(overall(judged))


def _judged_parts(latency: LatencyRecord | None, further: Further) -> dict[str, list[Verdict]]:
    """Return the verdicts by the anchor of the page's part that has them."""
    return {
        "latency": verdicts(latency) if latency else [],
        "acceptance": acceptance_verdicts(further.acceptance) if further.acceptance else [],
        "networks": [
            *across_verdicts(further.networks),
            *browser_networks_verdicts(further.browser_networks),
        ],
        "connections": further.connections,
        "browsers": browser_verdicts(further.browsers) if further.browsers else [],
    }


def _print_tables(latency: LatencyRecord | None, further: Further) -> None:
    if latency:
        out.print(screen.path_table(latency))
        out.print(literal(f"{ensemble_advice(latency)} Sound cards come on top."), soft_wrap=True)
    if further.browsers:
        out.print(screen.browser_table(further.browsers))
    if further.sessions:
        out.print(screen.sessions_table(further.sessions))
    if len(further.sweep) > 1:
        out.print(screen.sweep_table(further.sweep))
    if campaign := further.campaign:
        if len(campaign.servers):
            out.print(screen.server_table(campaign))
        out.print(screen.success_table(campaign))
