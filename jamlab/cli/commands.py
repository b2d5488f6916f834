"""The command line parser of ``jamlab``, and the run of a command.

Results go to standard output, progress and errors to standard error.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from jamlab.audio.portaudio import DeviceError
from jamlab.cli import (
    arguments,
    browser,
    connectivity,
    join,
    kernel_latency,
    playout,
    quality,
    recording,
    rig,
    serve,
)
from jamlab.cli import latency as card_latency
from jamlab.cli import tables as screen
from jamlab.cli.connectivity import run_connectivity
from jamlab.cli.machine import doctor, natprobe
from jamlab.cli.machine.microphone import MicrophoneError
from jamlab.cli.networks import trace
from jamlab.cli.report import report_again
from jamlab.cli.results import INVALID, add_card, add_output, err, out
from jamlab.cli.verify import add_verify
from jamlab.ice.configuration import IceConfigurationError
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.population import PopulationError
from jamlab.measure.dump.layouts.content import DumpError
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.processes import MeasurementError
from jamlab.measure.record import RecordError
from jamlab.measure.recording.reader import RecordingError
from jamlab.media.quality import UnsupportedQualityError
from jamlab.networks.discovery.discover import DiscoveryError
from jamlab.networks.model.profile import UnknownProfileError
from jamlab.process.child import ChildError
from jamlab.process.signals import sigterm_unwinds
from jamlab.process.temporary_folder import sweep
from jamlab.report.page.html import CONNECTIVITY_FOLDER, ReportError
from jamlab.signaling.hub.handshake import HubError
from jamlab.terminal import literal

_COMPLAINTS = (
    AcceptanceError,
    CampaignError,
    ChildError,
    DeviceError,
    DiscoveryError,
    DumpError,
    HubError,
    IceConfigurationError,
    join.JoinError,
    MeasurementError,
    MicrophoneError,
    PlanError,
    PopulationError,
    RecordError,
    RecordingError,
    ReportError,
    UnknownProfileError,
    UnsupportedQualityError,
    *browser.FAULTS,
    *rig.FAULTS,
    *kernel_latency.COMPLAINTS,
)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; SIGTERM ends it as an exception, too."""
    options = command_parser().parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    sweep()
    try:
        with sigterm_unwinds():
            return run(options)
    except _COMPLAINTS as error:
        err.print(f"jamlab: {error}", style="red", soft_wrap=True)
        return INVALID
    except KeyboardInterrupt:
        err.print(f"jamlab: interrupted {_what_is_left(options)}", soft_wrap=True)
        return INVALID


def _what_is_left(options: argparse.Namespace) -> str:
    if kept := getattr(options, "kept", None):
        return f"before the report: what is finished is kept, see jamlab report {kept}"
    if options.run is run_connectivity and (options.out / CONNECTIVITY_FOLDER / "parts").is_dir():
        return "before the report was written: finished calls are kept; run it again to continue"
    return "before the report was written" if "out" in options else "before it was done"


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="jamlab", description="Can musicians really play together over this WebRTC mesh?"
    )
    parser.add_argument("--version", action="version", version=f"jamlab {version('jamlab')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_verify(commands.add_parser("verify", help="measure a mesh, judge it, write the report"))
    connectivity_ = commands.add_parser(
        "connectivity",
        help="measure how many calls connect, on a simulated internet or with your own servers",
    )
    connectivity.add_arguments(connectivity_)
    add_output(connectivity_)
    connectivity_.set_defaults(run=run_connectivity)
    browser.add_arguments(
        commands.add_parser("browser", help="measure the latency between browsers, of any web page")
    )
    rig.add_arguments(
        commands.add_parser(
            "rig", help="measure the latency of any programs, from mouth to ear, on an audio graph"
        )
    )
    quality.add_arguments(
        commands.add_parser("quality", help="compare encodings: bitrate, frame, latency, quality")
    )
    playout.add_arguments(
        commands.add_parser(
            "playout", help="compare playout buffers on the same packets of recorded networks"
        )
    )
    _add_report(
        commands.add_parser(
            "report", help="write the report of an earlier run anew, or of a browser's dump"
        )
    )
    card_latency.add_arguments(
        commands.add_parser("latency", help="measure the round-trip latency of a sound card")
    )
    recording.add_click(
        commands.add_parser("click", help="write a sound file of clicks, to be played by anything")
    )
    recording.add_analyse(
        commands.add_parser("analyse", help="find the delays of any system in recordings of clicks")
    )
    trace.add_arguments(
        commands.add_parser("trace", help="describe a recorded network, and fit a model of stalls")
    )
    join.add_arguments(commands.add_parser("join", help="take part in a session on this machine"))
    serve.add_arguments(
        commands.add_parser("serve", help="run a hub, the signalling server of sessions")
    )
    natprobe.add_arguments(
        commands.add_parser("natprobe", help="find out with a STUN server how NATs behave here")
    )
    doctor_ = commands.add_parser("doctor", help="check what this machine has and lacks")
    doctor_.set_defaults(run=_doctor)
    return parser


def _add_report(report: argparse.ArgumentParser) -> None:
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


def _doctor(_options: argparse.Namespace) -> int:
    findings = doctor.examine()
    out.print(screen.findings_table(findings))
    lacking = [each.subject for each in findings if each.essential and not each.fine]
    if lacking:
        said = f"jamlab cannot measure here as long as this is not fine: {', '.join(lacking)}."
    else:
        said = "Nothing that jamlab needs is lacking; what has a ✗ is optional."
    out.print(literal(said), soft_wrap=True)
    return int(bool(lacking))
