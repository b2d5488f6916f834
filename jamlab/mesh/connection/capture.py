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
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from jamlab.audio.card import SoundCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.fields import FieldError, read
from jamlab.media.quality import FRAME_LENGTHS, Quality

MAX_FRAMES = SAMPLE_RATE
"""The longest block or look-ahead that is believed, in frames."""


class Capture(Struct, frozen=True, rename="camel"):
    """How somebody's sound is captured and encoded, beyond the length of its frames.

    Parameters
    ----------
    block_frames : int
        Length of its sound card's block.
    lookahead_frames : int
        The encoder's delay beyond its frame.
    """

    block_frames: Annotated[int, Meta(ge=1, le=MAX_FRAMES)]
    lookahead_frames: Annotated[int, Meta(ge=0, le=MAX_FRAMES)]

    @classmethod
    def of(cls, card: SoundCard, quality: Quality) -> "Capture":
        """Return what there is to tell of sound from a card in a quality."""
        return cls(card.block_frames, quality.lookahead_frames)

    def to_dict(self) -> dict[str, int]:
        """Return it as in a description."""
        told: dict[str, int] = msgspec.to_builtins(self)
        return told

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


class SoundChange(Struct, frozen=True, rename="camel", tag_field="kind", tag=SOUND_CHANGE):
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

    def __post_init__(self) -> None:
        if self.frame_frames not in FRAME_LENGTHS:
            raise ValueError(f"there are no frames of {self.frame_frames}")

    def to_data(self) -> dict[str, Any]:
        """Return it as in a report."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "SoundChange | None":
        """Return what a report announces; None when it is another, or says nothing usable."""
        if data.get("kind") != SOUND_CHANGE:
            return None
        try:
            return read(data, cls)
        except FieldError:
            return None


def capture_of(description: Mapping[str, Any]) -> Capture | None:
    """Return what a description says of its sender's sound; None when it says nothing usable."""
    try:
        return read(description.get("capture"), Capture)
    except FieldError:
        return None
