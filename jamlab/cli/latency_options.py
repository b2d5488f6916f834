"""What ``jamlab verify`` is to measure of a mesh's latency, as options of the command."""

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
"""Names of options, and of what they are in the plan."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them, with the plan's own defaults."""
    default = {field.name: field.default for field in fields(LatencyPlan)}
    qualities = ", ".join(name.replace(" ", "-") for name in QUALITIES)
    parser.add_argument(
        "--peers",
        type=int,
        default=default["peers"],
        help="2 to 6 participants (default: %(default)s)",
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
        help="how often everybody connects anew and is measured (default: %(default)s)",
    )
    parser.add_argument(
        "--max-concealed",
        type=float,
        default=default["max_concealed_percent"],
        metavar="PERCENT",
        help="bound of the share of sound a path may have concealed (default: %(default)s)",
    )
    parser.add_argument(
        "--block-frames",
        type=int,
        default=default["block_frames"],
        help="block of the cards (default: %(default)s)",
    )


def plan(options: argparse.Namespace) -> LatencyPlan:
    """Return the plan they ask for.

    Raises
    ------
    jamlab.measure.latency.plan.PlanError
        When one is out of its range.
    UnsupportedQualityError
        When there is no such quality.
    """
    return LatencyPlan(**{name: getattr(options, option) for option, name in _OPTIONS.items()})
