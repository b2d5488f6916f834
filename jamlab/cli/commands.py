"""The ``jamlab`` command: the notebooks' jobs from a terminal or from CI.

What a program may want to read goes to standard output; progress and complaints to standard error.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from jamlab.audio.portaudio import DeviceError
from jamlab.cli import (
    arguments,
    connectivity,
    doctor,
    join,
    kernel_latency,
    latency_options,
    natprobe,
    serve,
)
from jamlab.cli import latency as card_latency
from jamlab.cli import tables as screen
from jamlab.cli.microphone import MicrophoneError
from jamlab.ice.configuration import IceConfigurationError
from jamlab.measure.acceptance.record import AcceptanceRecord, is_acceptance_record
from jamlab.measure.acceptance.run import (
    TESTS,
    AcceptanceError,
    acceptance_tests,
    begin_simulated,
    finished,
    measure_acceptance,
    measure_here,
)
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.measure.across_networks.simulated import (
    AcrossPlan,
    across_plan,
    across_verdicts,
    load_across,
    measure_across,
)
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.plan import ConnectivityPlan, measure_connectivity
from jamlab.measure.connectivity.population import PopulationError
from jamlab.measure.connectivity.record import ConnectivityRecord, is_connectivity_record
from jamlab.measure.connectivity.verdicts import connectivity_verdicts
from jamlab.measure.connectivity_on_kernel.agreement_record import (
    AgreementRecord,
    agreement_verdict,
)
from jamlab.measure.connectivity_on_kernel.run import agreement_of
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import verdicts
from jamlab.measure.latency.worker import measure_in_worker
from jamlab.measure.processes import Progress as Told
from jamlab.measure.processes import WorkerError, check_reachable, process_pool
from jamlab.measure.record import RecordError
from jamlab.measure.sound_card.mouth_to_ear import check_block, mouth_to_ear_ms
from jamlab.measure.sound_card.record import CardRecord
from jamlab.measure.verdict import exit_status, overall
from jamlab.media.quality import UnsupportedQualityError
from jamlab.networks.discovery.discover import DiscoveryError
from jamlab.report.page.html import (
    ACCEPTANCE_FOLDER,
    CARD_FOLDER,
    CONNECTIVITY_FOLDER,
    NETWORKS_FOLDER,
    PARTS,
    ReportError,
    notebook_path,
    render,
    verification_report,
)
from jamlab.signaling.hub.handshake import HubError

INVALID = 2
"""Exit status of a run that came to no verdict."""

_PARTS = ACCEPTANCE_FOLDER, NETWORKS_FOLDER, CONNECTIVITY_FOLDER
_COMPLAINTS = (
    AcceptanceError,
    CampaignError,
    DeviceError,
    DiscoveryError,
    HubError,
    IceConfigurationError,
    join.JoinError,
    MicrophoneError,
    PlanError,
    PopulationError,
    RecordError,
    ReportError,
    UnsupportedQualityError,
    WorkerError,
    *kernel_latency.COMPLAINTS,
)

out = Console()
err = Console(stderr=True, emoji=False)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except _COMPLAINTS as error:
        err.print(f"jamlab: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
        return INVALID
    except KeyboardInterrupt:
        err.print(f"jamlab: interrupted {_what_is_left(options)}", soft_wrap=True)
        return INVALID


def _what_is_left(options: argparse.Namespace) -> str:
    if options.run is _connectivity and (options.out / CONNECTIVITY_FOLDER / "parts").is_dir():
        return "before the report was written: the calls made are kept, the same command goes on"
    return "before the report was written" if "out" in options else "before it was done"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jamlab", description="Can musicians really play together over this WebRTC mesh?"
    )
    parser.add_argument("--version", action="version", version=f"jamlab {version('jamlab')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_verify(commands.add_parser("verify", help="measure a mesh, judge it, write the report"))
    connectivity_ = commands.add_parser(
        "connectivity",
        help="count who connects, over a simulated internet or with your own servers",
    )
    connectivity.add_arguments(connectivity_)
    _add_output(connectivity_)
    connectivity_.set_defaults(run=_connectivity)
    report = commands.add_parser("report", help="write the report of an earlier run again")
    report.add_argument("record", type=Path, help="a record: a folder that `verify` wrote")
    report.add_argument("--out", type=arguments.page, help="the page (default: beside the record)")
    report.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    _add_card(report)
    report.set_defaults(run=_report)
    card_latency.add_arguments(
        commands.add_parser("latency", help="measure a sound card's own round trip")
    )
    join.add_arguments(commands.add_parser("join", help="take part in a session on this machine"))
    serve.add_arguments(
        commands.add_parser("serve", help="run a signalling hub, for others to meet at")
    )
    natprobe.add_arguments(
        commands.add_parser("natprobe", help="ask a STUN server how the NATs before it behave")
    )
    doctor_ = commands.add_parser("doctor", help="say what this machine has and lacks")
    doctor_.set_defaults(run=_doctor)
    return parser


def _add_verify(parser: argparse.ArgumentParser) -> None:
    latency_options.add_arguments(parser)
    parser.add_argument(
        "--calls",
        type=int,
        default=2000,
        help="calls over the simulated internet (default: %(default)s)",
    )
    parser.add_argument("--here-only", action="store_true", help="leave the simulated internet out")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"an acceptance test and nothing else; repeatable: {', '.join(TESTS)}",
    )
    kernel_latency.add_arguments(parser)
    _add_card(parser)
    _add_output(parser)
    parser.set_defaults(run=_verify)


def _add_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FOLDER",
        help="a sound card's record, of `latency --device --out`, for the mouth-to-ear latency",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=arguments.folder,
        default="reports",
        help="folder for the report (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")


def _verify(options: argparse.Namespace) -> int:
    check_reachable()  # neither a player nor a notebook's kernel can be reached otherwise
    plan = latency_options.plan(options)
    if kernel_latency.wanted(options):
        networks, page = kernel_latency.verify(options, plan, partial(screen.progress_bar, err))
        return _tell(None, _Further(networks=networks), page, as_json=options.json)
    campaign = ConnectivityPlan(calls=options.calls)
    if options.only:
        as_default = (plan, campaign) == (LatencyPlan(), ConnectivityPlan())
        return _accept(options, as_default=as_default and options.card is None)
    folder, page = options.out / "verification", options.out / "verification.html"
    card = _card_for(options.card, plan.block_frames)
    with screen.progress_bar(err) as progress:
        parts = [folder / name for name in (*_PARTS, CARD_FOLDER)]
        record = asyncio.run(measure_in_worker(plan, folder, progress, parts))
        if card is not None:
            card.save(folder / CARD_FOLDER)
        here = asyncio.run(measure_here(TESTS, record, progress))
        if options.here_only:
            finished(here, None, folder / ACCEPTANCE_FOLDER)
        else:
            across = across_plan(max_concealed_percent=plan.max_concealed_percent)
            _verify_networks(here, folder, across, campaign, progress)
        progress(1.0, "writing the report")
        verification_report(folder, page)
    return _tell(record, _Further.beside(folder), page, as_json=options.json)


def _card_for(path: Path | None, block_frames: int) -> CardRecord | None:
    """Return a card's record that fits a run of that block size."""
    if path is None:
        return None
    card = CardRecord.load(path)
    check_block(card, block_frames)
    return card


def _verify_networks(
    here: AcceptanceRecord,
    folder: Path,
    across: AcrossPlan,
    campaign: ConnectivityPlan,
    progress: Told,
) -> None:
    """Measure all that runs on the simulated internet, on all cores."""
    with process_pool() as pool:
        runs = begin_simulated(TESTS, pool)
        measure_across(across, folder / NETWORKS_FOLDER, pool, progress)
        measure_connectivity(
            campaign, folder / CONNECTIVITY_FOLDER, executor=pool, progress=progress
        )
        finished(here, runs, folder / ACCEPTANCE_FOLDER)


def _accept(options: argparse.Namespace, *, as_default: bool) -> int:
    """Run some acceptance tests and nothing else."""
    tests = acceptance_tests(options.only)
    if not as_default:
        raise AcceptanceError(
            "acceptance tests have parameters of their own: leave out --peers, --quality, "
            "--duration, --sessions, --max-concealed, --block-frames, --calls and --card, or --only"
        )
    folder, page = options.out / ACCEPTANCE_FOLDER, options.out / f"{ACCEPTANCE_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        simulated = not options.here_only
        running = measure_acceptance(folder, tests, simulated=simulated, progress=progress)
        record = asyncio.run(running)
        progress(1.0, "writing the report")
        _acceptance_page(folder, page)
    return _tell(None, _Further(acceptance=record), page, as_json=options.json)


def _acceptance_page(folder: Path, page: Path) -> None:
    render(notebook_path("06_acceptance_tests"), {"record": str(folder.resolve())}, page)


def _connectivity(options: argparse.Namespace) -> int:
    folder, page = options.out / CONNECTIVITY_FOLDER, options.out / f"{CONNECTIVITY_FOLDER}.html"
    with screen.progress_bar(err) as progress:
        record = connectivity.measure(options, folder, progress)
        progress(1.0, "writing the report")
        _connectivity_page(folder, page)
    return _tell(None, _Further.of(record, folder), page, as_json=options.json)


def _connectivity_page(folder: Path, page: Path) -> None:
    render(notebook_path("02_p2p_success_rate"), {"record": str(folder.resolve())}, page)


def _report(options: argparse.Namespace) -> int:
    page = options.out or options.record.with_suffix(".html")
    if is_acceptance_record(options.record):
        if options.card is not None:
            raise AcceptanceError(f"{options.record} has no latency of players: leave out --card")
        accepted = AcceptanceRecord.load(options.record)
        _acceptance_page(options.record, page)
        return _tell(None, _Further(acceptance=accepted), page, as_json=options.json)
    if is_connectivity_record(options.record):
        if options.card is not None:
            raise CampaignError(f"{options.record} has no latency of players: leave out --card")
        campaign = ConnectivityRecord.load(options.record)
        _connectivity_page(options.record, page)
        further = _Further.of(campaign, options.record)
        return _tell(None, further, page, as_json=options.json)
    if kernel_latency.is_kernel_run(options.record):
        networks = kernel_latency.report(options.record, page)
        return _tell(None, _Further(networks=networks), page, as_json=options.json)
    record = LatencyRecord.load(options.record)
    card = _card_for(options.card, record.provenance["parameters"]["block_frames"])
    if card is not None:
        card.save(options.record / CARD_FOLDER)
    verification_report(options.record, page)
    return _tell(record, _Further.beside(options.record), page, as_json=options.json)


@dataclass
class _Further:
    """What a verification measured beside the latency."""

    acceptance: AcceptanceRecord | None = None
    networks: dict[str, LatencyRecord] = field(default_factory=dict)
    campaign: ConnectivityRecord | None = None
    agreement: AgreementRecord | None = None
    card: CardRecord | None = None

    @classmethod
    def of(cls, campaign: ConnectivityRecord, folder: Path) -> "_Further":
        return cls(campaign=campaign, agreement=agreement_of(campaign, folder))

    @classmethod
    def beside(cls, folder: Path) -> "_Further":
        acceptance, networks, campaign = (folder / name for name in _PARTS)
        card = folder / CARD_FOLDER
        return cls(
            AcceptanceRecord.load(acceptance) if acceptance.is_dir() else None,
            load_across(networks) if networks.is_dir() else {},
            ConnectivityRecord.load(campaign) if campaign.is_dir() else None,
            card=CardRecord.load(card) if card.is_dir() else None,
        )


def _tell(latency: LatencyRecord | None, further: _Further, page: Path, *, as_json: bool) -> int:
    campaign = further.campaign
    parts = {
        "latency": verdicts(latency) if latency else [],
        "acceptance": acceptance_verdicts(further.acceptance) if further.acceptance else [],
        "networks": across_verdicts(further.networks),
        "connections": connectivity_verdicts(campaign) if campaign else [],
    }
    parts["connections"] += [agreement_verdict(further.agreement)] if further.agreement else []
    judged = [verdict for part in parts.values() for verdict in part]
    if as_json:
        print(json.dumps([screen.as_json(verdict) for verdict in judged], indent=2))
        return exit_status(overall(judged))
    wanted = {part.title: parts[part.anchor] for part in PARTS if latency or parts[part.anchor]}
    out.print(screen.sentence(wanted), highlight=False)
    out.print(screen.verdict_table(judged))
    heard = mouth_to_ear_ms(latency, further.card) if latency else None
    if (meanings := screen.musicians_table(judged, heard)) is not None:
        out.print(meanings)
    if latency:
        out.print(screen.path_table(latency))
    if campaign:
        if len(campaign.servers):
            out.print(screen.server_table(campaign))
        out.print(screen.success_table(campaign))
    out.print(f"Report: {page}", soft_wrap=True, highlight=False)
    return exit_status(overall(judged))


def _doctor(_options: argparse.Namespace) -> int:
    findings = doctor.examine()
    out.print(screen.findings_table(findings))
    return int(any(finding.essential and not finding.fine for finding in findings))
