"""Latency before sending (card block and encoder look-ahead), as descriptions announce it to peers.

A peer sees the length of our Opus frames in our packets, but neither the block of our sound card
nor the look-ahead of our encoder. Both are part of the latency, so a session's offers and answers
state them next to the SDP, ``"capture": {"blockFrames": 64, "lookaheadFrames": 120}``. Those of a
browser do not.

A participant that changes its quality during a session announces the same in a report, with the
new length of frames: ``{"kind": "sound change", "capture": …, "frameFrames": 480}``. A longer frame
is complete later and so leaves later; a peer that knows this in advance waits for it without a gap.

A peer's statements affect only the figures shown of that peer, and the delay of its own sound.
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
"""Longest block or look-ahead that is accepted, in frames."""


class Capture(Struct, frozen=True, rename="camel"):
    """Properties of a participant's capture and encoding, except the length of its Opus frames."""

    block_frames: Annotated[int, Meta(ge=1, le=MAX_FRAMES)]
    lookahead_frames: Annotated[int, Meta(ge=0, le=MAX_FRAMES)]

    @classmethod
    def of(cls, card: SoundCard, quality: Quality) -> "Capture":
        """Return the capture of a card's sound in a quality."""
        return cls(card.block_frames, quality.lookahead_frames)

    def to_dict(self) -> dict[str, int]:
        """Return the object for a description."""
        fields: dict[str, int] = msgspec.to_builtins(self)
        return fields

    def wait_s(self, frame_frames: int) -> float:
        """Return the mean time from the completion of an Opus frame to the callback that sends it.

        Opus frames of `frame_frames` end at multiples of their length and callbacks come at
        multiples of the block, so waits are multiples of the greatest common divisor, below a
        block and equally frequent.
        """
        step = math.gcd(frame_frames, self.block_frames)
        return (self.block_frames - step) / 2 / SAMPLE_RATE


SOUND_CHANGE = "sound change"
"""Kind of the report that announces a sound change."""


class SoundChange(Struct, frozen=True, rename="camel", tag_field="kind", tag=SOUND_CHANGE):
    """Announced change of a participant's sound; `frame_frames` is one of Opus's frame lengths."""

    capture: Capture
    frame_frames: int

    def __post_init__(self) -> None:
        if self.frame_frames not in FRAME_LENGTHS:
            raise ValueError(f"there are no frames of {self.frame_frames}")

    def to_data(self) -> dict[str, Any]:
        """Return the data of a report."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "SoundChange | None":
        """Return the change that a report announces; None for other or invalid reports."""
        if data.get("kind") != SOUND_CHANGE:
            return None
        try:
            return read(data, cls)
        except FieldError:
            return None


def capture_of(description: Mapping[str, Any]) -> Capture | None:
    """Return the capture stated in a description; None when it is missing or invalid."""
    try:
        return read(description.get("capture"), Capture)
    except FieldError:
        return None
