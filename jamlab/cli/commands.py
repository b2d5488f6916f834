"""The command line parser of ``jamlab``, and the run of a command.

Results go to standard output, progress and errors to standard error. Only the module of the command
that was given is imported, for all of them together take seconds.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Any

from jamlab.process.signals import sigterm_unwinds
from jamlab.process.temporary_folder import sweep
from jamlab.terminal import PlainConsole

INVALID = 2
"""Exit status of a run without a verdict."""

_COMMANDS = {
    "verify": ("verify:add_verify", "measure a mesh, judge it, write the report"),
    "connectivity": (
        "connectivity:add_arguments",
        "measure how many calls connect, on a simulated internet or with your own servers",
    ),
    "browser": ("browser:add_arguments", "measure the latency between browsers, of any web page"),
    "rig": (
        "rig:add_arguments",
        "measure the latency of any programs, from mouth to ear, on an audio graph",
    ),
    "quality": ("quality:add_arguments", "compare encodings: bitrate, frame, latency, quality"),
    "playout": (
        "playout:add_arguments",
        "compare playout buffers on the same packets of recorded networks",
    ),
    "report": (
        "report:add_arguments",
        "write the report of an earlier run anew, or of a browser's dump",
    ),
    "latency": ("latency:add_arguments", "measure the round-trip latency of a sound card"),
    "click": ("recording:add_click", "write a sound file of clicks, to be played by anything"),
    "analyse": (
        "recording:add_analyse",
        "find the delays of any system in recordings of clicks",
    ),
    "trace": (
        "networks.trace:add_arguments",
        "describe a recorded network, and fit a model of stalls",
    ),
    "join": ("join:add_arguments", "take part in a session on this machine"),
    "serve": ("serve:add_arguments", "run a hub, the signalling server of sessions"),
    "natprobe": (
        "machine.natprobe:add_arguments",
        "find out with a STUN server how NATs behave here",
    ),
    "doctor": ("machine.diagnosis:add_arguments", "check what this machine has and lacks"),
}
"""By the name of a command: the function of this package that adds its arguments, and its help."""


COMPLAINTS = frozenset(
    {
        "jamlab.audio.portaudio.DeviceError",
        "jamlab.audio_graph.plan.AudioGraphError",
        "jamlab.browsers.installed.BrowserError",
        "jamlab.browsers.steps.StepsError",
        "jamlab.cli.join.JoinError",
        "jamlab.cli.machine.microphone.MicrophoneError",
        "jamlab.ice.configuration.IceConfigurationError",
        "jamlab.measure.acceptance.run.AcceptanceError",
        "jamlab.measure.browser.clocks.ClockError",
        "jamlab.measure.browser.players.PlayerError",
        "jamlab.measure.connectivity.population.PopulationError",
        "jamlab.measure.dump.layouts.content.DumpError",
        "jamlab.measure.latency.plan.PlanError",
        "jamlab.measure.parts.CampaignError",
        "jamlab.measure.processes.MeasurementError",
        "jamlab.measure.record.RecordError",
        "jamlab.measure.recording.reader.RecordingError",
        "jamlab.measure.rig.programs.RigError",
        "jamlab.media.quality.UnsupportedQualityError",
        "jamlab.networks.discovery.discover.DiscoveryError",
        "jamlab.networks.kernel.coturn.CoturnError",
        "jamlab.networks.kernel.namespace.KernelLabError",
        "jamlab.networks.kernel.proof.ProofError",
        "jamlab.networks.model.delay_table.TraceError",
        "jamlab.networks.model.profile.UnknownProfileError",
        "jamlab.process.child.ChildError",
        "jamlab.report.page.html.ReportError",
        "jamlab.signaling.hub.handshake.HubError",
    }
)
"""Errors that say in a sentence what is wrong, which is shown without a traceback.

They are not imported: an error is of a class whose module is loaded.
"""


class _CommandParser(argparse.ArgumentParser):
    """Parser of a command, whose arguments are added once it is used."""

    adds = ""

    def parse_known_args(self, *given: Any, **options: Any) -> Any:  # argparse calls it
        if self.adds:
            add_arguments, self.adds = resolve_name(f"jamlab.cli.{self.adds}"), ""
            add_arguments(self)
        return super().parse_known_args(*given, **options)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; SIGTERM ends it as an exception, too."""
    options = command_parser().parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    err = PlainConsole(stderr=True)
    sweep()
    try:
        with sigterm_unwinds():
            return run(options)
    except KeyboardInterrupt:
        err.print(f"jamlab: interrupted {_what_is_left(options)}", soft_wrap=True)
    except Exception as error:
        if not is_complaint(error):
            raise
        err.print(f"jamlab: {error}", style="red", soft_wrap=True)
    return INVALID


def is_complaint(error: BaseException) -> bool:
    """Return whether an error is one of `COMPLAINTS`, or derived from one."""
    names = (f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__)
    return not COMPLAINTS.isdisjoint(names)


def _what_is_left(options: argparse.Namespace) -> str:
    if kept := getattr(options, "kept", None):
        return f"before the report: what is finished is kept, see jamlab report {kept}"
    if (parts := getattr(options, "parts", None)) and (options.out / parts).is_dir():
        return "before the report was written: finished calls are kept; run it again to continue"
    return "before the report was written" if "out" in options else "before it was done"


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="jamlab", description="Can musicians really play together over this WebRTC mesh?"
    )
    parser.add_argument("--version", action="version", version=f"jamlab {version('jamlab')}")
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=_CommandParser)
    for name, (adds, help_) in _COMMANDS.items():
        commands.add_parser(name, help=help_).adds = adds
    return parser
