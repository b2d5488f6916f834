"""The packets of a stream as a trace delivers them to a sound card: the same for every buffer.

All times are in frames of the receiver's card, from the beginning of the trace. A packet is sent
when its last sample is captured. The card pulls blocks, so a packet is of use from the first pull
after its arrival on: it is *playable* at that frame, and needs the delay from the capture of its
first sample to there. The least need of any packet is the floor of the trace. *Delays count from
that floor*: nothing can be less late than a buffer without any reserve that plays the luckiest
packet of the trace.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.networks.model.trace import DelayTrace

LOST = np.iinfo(np.int64).max // 4
"""Frame at which a lost packet is playable: never."""


@dataclass(frozen=True, eq=False)
class PacketTimes:
    """Capture and arrival of a stream's packets; packet *k* has the RTP timestamp k × frame.

    Parameters
    ----------
    name : str
        Name of the trace.
    captured_frames : NDArray[np.float64]
        Capture of each packet's first sample, by the receiver's card; shape ``(packets,)``.
    arrived_frames : NDArray[np.float64]
        Arrival of each packet; infinite for a lost one.
    frame_frames : int
        Samples of a packet.
    block_frames : int
        Samples that the card pulls at a time.
    """

    name: str
    captured_frames: NDArray[np.float64]
    arrived_frames: NDArray[np.float64]
    frame_frames: int = 240
    block_frames: int = 64

    @property
    def count(self) -> int:
        """Number of packets that were sent."""
        return len(self.captured_frames)

    @cached_property
    def playable_frames(self) -> NDArray[np.int64]:
        """Frame of the first pull after each packet's arrival; `LOST` for a lost packet."""
        return playable(self.arrived_frames, self.block_frames)

    @cached_property
    def by_arrival(self) -> NDArray[np.int64]:
        """Numbers of the packets that arrived, in the order of their arrival."""
        order = np.argsort(self.arrived_frames, kind="stable")
        return order[: np.count_nonzero(np.isfinite(self.arrived_frames))]

    @cached_property
    def floor_frames(self) -> float:
        """Least delay that any packet needed."""
        return float((self.playable_frames - self.captured_frames).min())

    @cached_property
    def needs_frames(self) -> NDArray[np.float64]:
        """Delay that each packet needs, above the floor; infinite for a lost packet."""
        needs = self.playable_frames - self.captured_frames - self.floor_frames
        return np.where(self.playable_frames == LOST, np.inf, needs)

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """Second in which each packet was captured."""
        return (self.captured_frames // SAMPLE_RATE).astype(np.int64)


def playable(arrived_frames: NDArray[np.float64], block_frames: int) -> NDArray[np.int64]:
    """Return the frames of the first pulls after some arrivals, of a card with such blocks."""
    blocks = np.ceil(arrived_frames / block_frames)
    lost = ~np.isfinite(blocks)
    return np.where(lost, LOST, np.where(lost, 0, blocks).astype(np.int64) * block_frames)


def packets_of(
    trace: DelayTrace,
    duration_s: float | None = None,
    *,
    frame_frames: int = 240,
    block_frames: int = 64,
    phase_frames: float = 0.0,
    skew_ppm: float = 0.0,
) -> PacketTimes:
    """Return the packets of a stream over a trace, which repeats when it is shorter.

    Parameters
    ----------
    trace : DelayTrace
        The network.
    duration_s : float, optional
        Length of the stream; by default that of the trace.
    frame_frames, block_frames : int
        Samples of a packet, and of a block of the card.
    phase_frames : float
        Time from the beginning of the trace to the card's first pull.
    skew_ppm : float
        Millionths by which the sender's card is faster than the receiver's.
    """
    length_s = trace.duration_s if duration_s is None else duration_s
    frame = frame_frames / (1 + skew_ppm / 1e6)
    captured = np.arange(int(length_s * SAMPLE_RATE / frame), dtype=np.float64) * frame
    arrived = trace.arrivals_s((captured + frame) / SAMPLE_RATE) * SAMPLE_RATE - phase_frames
    arrived[np.isnan(arrived)] = np.inf
    return PacketTimes(trace.name, captured - phase_frames, arrived, frame_frames, block_frames)
