"""Changes an engineer could make to an application to lower its latency, one lever each.

The page's half is ``page/levers.js``: it changes the page's calls, so the application is not
touched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jamlab.measure.latency.plan import PlanError


@dataclass(frozen=True)
class Lever:
    """A change of the application, or of the machine it runs on.

    Parameters
    ----------
    name : str
        Its name.
    change : str
        The change in words, for an engineer.
    page : mapping
        Its settings for ``levers.js``.
    arguments : tuple of str
        Its arguments for the browser.
    period_frames : int, optional
        The period of the audio system's graph with it.
    system_only : bool
        Whether it has an effect on sound cards alone.
    context_only : bool
        Whether it has an effect only on a page that makes an ``AudioContext``.
    """

    name: str
    change: str
    page: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    period_frames: int | None = None
    system_only: bool = False
    context_only: bool = False


LEVERS = (
    Lever(
        "ptime 10",
        "write a=ptime:10 and a=maxptime:10 into the remote description",
        {"ptimeMs": 10},
    ),
    Lever(
        "stereo, 128 kb/s",
        "write stereo=1;sprop-stereo=1;maxaveragebitrate=128000 into the a=fmtp line of Opus in "
        "the remote description",
        {"stereo": True, "bitrate": 128_000},
    ),
    Lever(
        "jitterBufferTarget 0",
        "set receiver.jitterBufferTarget = 0 on every RTCRtpReceiver",
        {"jitterBufferTargetMs": 0},
    ),
    Lever(
        "RED first",
        "prefer audio/red over audio/opus by setCodecPreferences",
        {"redundancy": True},
    ),
    Lever(
        "latencyHint 0",
        "make every AudioContext with { latencyHint: 0 }",
        {"latencyHint": 0},
        context_only=True,
    ),
    Lever(
        "no processing",
        "ask getUserMedia for echoCancellation, noiseSuppression and autoGainControl: false",
        {"processing": False},
        system_only=True,
    ),
    Lever(
        "audio buffer 128",
        "start the browser with --audio-buffer-size=128; a page cannot ask for it",
        arguments=("--audio-buffer-size=128",),
        system_only=True,
    ),
    Lever(
        "period 64",
        "run the audio server with periods of 64 frames (PipeWire: default.clock.quantum = 64)",
        period_frames=64,
        system_only=True,
    ),
)
"""All levers, in the order in which a sweep tries them."""


def levers_named(names: Iterable[str]) -> tuple[Lever, ...]:
    """Return levers by their names; raises `PlanError` when there is none of a name.

    Examples
    --------
    >>> [lever.page for lever in levers_named(["ptime 10"])]
    [{'ptimeMs': 10}]
    """
    known = {lever.name: lever for lever in LEVERS}
    for name in names:
        if name not in known:
            raise PlanError(f"there is no lever {name!r}: choose {', '.join(known)}")
    return tuple(known[name] for name in names)


def page_settings(levers: Iterable[Lever]) -> dict[str, Any]:
    """Return the settings of several levers together, for ``levers.js``."""
    return {name: value for lever in levers for name, value in lever.page.items()}
