"""The plan of a comparison of encodings: networks, lengths and their ranges."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.measure.latency.plan import MAX_SESSIONS, PlanError, check_range
from jamlab.media.quality import FRAME_LENGTHS, QUALITIES, Quality, quality_named
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.profile import profile_named

CABLE = "cable"
"""The network that neither delays nor loses a packet."""


@dataclass(frozen=True, slots=True)
class Task:
    """One session to measure: an encoding over a network."""

    network: str
    quality: str
    frame_frames: int
    session: int

    @property
    def encoding(self) -> Quality:
        """The quality with the task's frame length."""
        quality = quality_named(self.quality)
        return Quality(quality.name, quality.bitrate_bps, self.frame_frames, quality.application)


@dataclass(frozen=True)
class SoundQualityPlan:
    """Parameters of a comparison of encodings.

    Raises `PlanError`, which names parameter and range, when one is out of range, and
    `UnknownProfileError`.

    Parameters
    ----------
    networks : tuple of str
        Names of network profiles, or ``"cable"`` for none.
    duration_s : float
        Length of the music that is compared, in each session.
    settle_s : float
        Music before it, in which the playout buffer adapts.
    sessions : int
        Number of sessions of each encoding, with other delays and losses in each.
    block_frames : int
        Block size of both sound cards.
    seed : int
        The same seed gives the same record.

    Examples
    --------
    >>> plan = SoundQualityPlan(("cable",), sessions=1)
    >>> len(list(plan.tasks()))
    12
    """

    networks: tuple[str, ...] = (CABLE, "Wi-Fi")
    duration_s: float = 3.0
    settle_s: float = 1.5
    sessions: int = 2
    block_frames: int = 64
    seed: int = 1

    def __post_init__(self) -> None:
        for name in self.networks:
            access_link(name)
        if not self.networks or len(set(self.networks)) < len(self.networks):
            raise PlanError(f"networks is {', '.join(self.networks) or 'empty'}: name each once")
        check_range("duration_s", self.duration_s, 1.0, 60.0)
        check_range("settle_s", self.settle_s, 1.0, 30.0)
        check_range("sessions", self.sessions, 1, MAX_SESSIONS)
        check_range("block_frames", self.block_frames, LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES)

    def tasks(self) -> Iterator[Task]:
        """Yield every session of every encoding over every network."""
        for network in self.networks:
            for quality in QUALITIES:
                for frames in FRAME_LENGTHS:
                    for session in range(self.sessions):
                        yield Task(network, quality, frames, session)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return asdict(self) | {"networks": list(self.networks)}


def access_link(network: str) -> LinkConfig:
    """Return the access link of a participant; raises `UnknownProfileError` for an unknown name."""
    return LinkConfig() if network == CABLE else profile_named(network).access()
