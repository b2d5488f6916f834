"""What a participant's sound has behind it when it is sent, as its descriptions tell its peers.

A peer sees the length of our frames in our packets, but neither the block our sound card captured
them in nor the look-ahead of our encoder. Both are part of the latency it hears us with, so a
session's offers and answers name them beside the SDP, ``"capture": {"blockFrames": 64,
"lookaheadFrames": 120}``. A browser's do not.

Who switches its quality in mid-session announces the same in a report, with the length of the
frames to come: ``{"kind": "sound change", "capture": …, "frameFrames": 480}``. A longer frame
leaves later, for it is complete later, and who knows beforehand waits for it without a gap.

What a peer says of itself is believed for nothing but the figures shown of it, and how long its own
sound waits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from jamlab.audio.card import SoundCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import FRAME_LENGTHS, Quality

MAX_FRAMES = SAMPLE_RATE
"""The longest block or look-ahead that is believed, in frames."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How somebody's sound is captured and encoded, beyond the length of its frames.

    Parameters
    ----------
    block_frames : int
        Length of its sound card's block.
    lookahead_frames : int
        The encoder's delay beyond its frame.
    """

    block_frames: int
    lookahead_frames: int

    @classmethod
    def of(cls, card: SoundCard, quality: Quality) -> "Capture":
        """Return what there is to tell of sound from a card in a quality."""
        return cls(card.block_frames, quality.lookahead_frames)

    def to_dict(self) -> dict[str, int]:
        """Return it as in a description."""
        return {"blockFrames": self.block_frames, "lookaheadFrames": self.lookahead_frames}

    def wait_s(self, frame_frames: int) -> float:
        """Return how long a complete frame waits for the callback that sends it, on average.

        Frames end at multiples of their length and callbacks come at multiples of the block, so
        waits are the multiples of the greatest common divisor below a block, all equally often.

        Parameters
        ----------
        frame_frames : int
            Length of the Opus frames.

        Returns
        -------
        float
            In seconds.
        """
        step = math.gcd(frame_frames, self.block_frames)
        return (self.block_frames - step) / 2 / SAMPLE_RATE


SOUND_CHANGE = "sound change"
"""Kind of the report that announces one."""


@dataclass(frozen=True, slots=True)
class SoundChange:
    """What becomes of somebody's sound in mid-session.

    Parameters
    ----------
    capture : Capture
        How it will be captured and encoded.
    frame_frames : int
        How long its Opus frames will be, one of `jamlab.media.quality.FRAME_LENGTHS`.
    """

    capture: Capture
    frame_frames: int

    def to_data(self) -> dict[str, Any]:
        """Return it as in a report."""
        frames = self.frame_frames
        return {"kind": SOUND_CHANGE, "capture": self.capture.to_dict(), "frameFrames": frames}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "SoundChange | None":
        """Return what a report announces; None when it is another, or says nothing usable."""
        capture, frames = capture_of(data), data.get("frameFrames")
        if data.get("kind") != SOUND_CHANGE or capture is None or not _is_length(frames, 1):
            return None
        return cls(capture, frames) if frames in FRAME_LENGTHS else None


def capture_of(description: Mapping[str, Any]) -> Capture | None:
    """Return what a description says of its sender's sound; None when it says nothing usable."""
    told = description.get("capture")
    if not isinstance(told, Mapping):
        return None
    block, lookahead = told.get("blockFrames"), told.get("lookaheadFrames")
    if _is_length(block, 1) and _is_length(lookahead, 0):
        return Capture(block, lookahead)
    return None


def _is_length(value: object, least: int) -> TypeGuard[int]:
    return type(value) is int and least <= value <= MAX_FRAMES
