"""What a participant's sound has behind it when it is sent, as its descriptions tell its peers.

A peer sees the length of our frames in our packets, but neither the block our sound card captured
them in nor the look-ahead of our encoder. Both are part of the latency it hears us with, so a
session's offers and answers name them beside the SDP, ``"capture": {"blockFrames": 64,
"lookaheadFrames": 120}``. A browser's do not. What a peer says of itself is believed for nothing
but the figures shown of it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from jamlab.audio.card import SoundCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import Quality

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
