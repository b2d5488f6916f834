"""The plan of a comparison of playout buffers: traces, accepted shares, and the stream."""

from dataclasses import dataclass
from typing import Any

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.measure.latency.plan import PlanError, check_range
from jamlab.measure.playout.packets import PacketTimes, packets_of
from jamlab.media.quality import FRAME_LENGTHS
from jamlab.networks.model.packet_trace import PacketTrace, delays_of

LONGEST_S = 24 * 3600.0
_LEAST_PERCENT, _MOST_PERCENT = 0.01, 50.0


@dataclass(frozen=True)
class PlayoutPlan:
    """Parameters of a comparison of playout buffers.

    Raises `PlanError`, which names parameter and range, when one is out of range.

    Parameters
    ----------
    traces : tuple of DelayTrace or DeliveryTrace
        The networks, see `jamlab.read_trace`; each buffer plays the same packets of each.
    accept_percent : tuple of float
        Shares of concealment that a musician accepts, in percent; jamlab is asked for each.
    duration_s : float, optional
        Length of the stream over each trace, which repeats; by default each is played once.
    frame_frames : int
        Samples of a packet.
    block_frames : int
        Samples that the receiver's card pulls at a time.
    skew_ppm : float
        Millionths by which the sender's card is faster than the receiver's.
    spliced : bool
        Whether to compute the bound of a buffer that changes its delay by splices, too: about 4 s
        for each minute of a trace.

    Examples
    --------
    >>> from jamlab import example_trace
    >>> plan = PlayoutPlan((example_trace(),), accept_percent=(0.5, 1.0))
    >>> [packets.count for packets in plan.packets()]
    [24000]
    """

    traces: tuple[PacketTrace, ...]
    accept_percent: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0)
    duration_s: float | None = None
    frame_frames: int = 240
    block_frames: int = 64
    skew_ppm: float = 0.0
    spliced: bool = False

    def __post_init__(self) -> None:
        if not self.traces:
            raise PlanError("there is no trace: give one or more")
        names = [trace.name for trace in self.traces]
        if len(set(names)) < len(names):
            raise PlanError(f"two traces are called {max(names, key=names.count)}: rename one")
        if not self.accept_percent:
            raise PlanError("accept_percent has no share: give one or more")
        for percent in self.accept_percent:
            check_range("accept_percent", percent, _LEAST_PERCENT, _MOST_PERCENT)
        if self.duration_s is not None:
            check_range("duration_s", self.duration_s, 1.0, LONGEST_S)
        if self.frame_frames not in FRAME_LENGTHS:
            lengths = ", ".join(map(str, FRAME_LENGTHS))
            raise PlanError(f"frame_frames is {self.frame_frames}: choose {lengths}")
        check_range("block_frames", self.block_frames, LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES)
        check_range("skew_ppm", self.skew_ppm, -1000.0, 1000.0)

    @property
    def accepted_shares(self) -> list[float]:
        """The accepted shares, the smallest first."""
        return [percent / 100 for percent in sorted(set(self.accept_percent))]

    def packets(self) -> list[PacketTimes]:
        """Return the packets of each trace."""
        return [
            packets_of(
                delays_of(trace),
                self.duration_s,
                frame_frames=self.frame_frames,
                block_frames=self.block_frames,
                skew_ppm=self.skew_ppm,
            )
            for trace in self.traces
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters for a record."""
        return {
            "traces": [trace.name for trace in self.traces],
            "accept_percent": sorted(set(self.accept_percent)),
            "duration_s": self.duration_s,
            "frame_frames": self.frame_frames,
            "block_frames": self.block_frames,
            "skew_ppm": self.skew_ppm,
            "spliced": self.spliced,
        }
