"""The options of ``jamlab verify`` for the latency of a mesh, and their plan."""

import argparse
from dataclasses import fields

from jamlab.measure.latency.plan import LatencyPlan
from jamlab.media.quality import QUALITIES

_OPTIONS = {
    "peers": "peers",
    "quality": "quality",
    "duration": "duration_s",
    "sessions": "sessions",
    "block_frames": "block_frames",
    "max_concealed": "max_concealed_percent",
}
"""Names of options, and of their parameters in the plan."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, with the plan's defaults."""
    default = {field.name: field.default for field in fields(LatencyPlan)}
    qualities = ", ".join(name.replace(" ", "-") for name in QUALITIES)
    parser.add_argument(
        "--peers",
        type=int,
        default=default["peers"],
        help="number of participants, 2 to 6 (default: %(default)s)",
    )
    parser.add_argument(
        "--quality", default=default["quality"], help=f"{qualities} (default: %(default)s)"
    )
    parser.add_argument(
        "--duration",
        type=float,
        default=default["duration_s"],
        help="seconds of one-way clicks, in all sessions together (default: %(default)s)",
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=default["sessions"],
        help="number of sessions, each with new connections (default: %(default)s)",
    )
    parser.add_argument(
        "--max-concealed",
        type=float,
        default=default["max_concealed_percent"],
        metavar="PERCENT",
        help="limit of a path's concealed sound, in percent (default: %(default)s)",
    )
    parser.add_argument(
        "--block-frames",
        type=int,
        default=default["block_frames"],
        help="block size of the cards (default: %(default)s)",
    )


def plan(options: argparse.Namespace) -> LatencyPlan:
    """Return the plan of the options.

    Raises `PlanError` when an option is out of range, and `UnsupportedQualityError` when there is
    no quality of that name.
    """
    return LatencyPlan(**{name: getattr(options, option) for option, name in _OPTIONS.items()})
